/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mail server's URL: scheme, user, host, port.
 *
 * The transport follows from the scheme: `imaps://` TLS from the first byte, `imap://` STARTTLS which then is required,
 * `imap+insecure://` no TLS, refused unless the host is loopback. The same for pop3 and smtp.
 */
#ifndef MAILFS_URL_H
#define MAILFS_URL_H

#include <stdbool.h>
#include <stdint.h>

enum url_protocol { URL_IMAP, URL_POP3, URL_SMTP };
enum url_transport { URL_TLS, URL_STARTTLS, URL_INSECURE };

struct url {
	enum url_protocol protocol;
	enum url_transport transport;
	char *user; /* own; percent-decoded; NULL when the URL has none */
	char *host; /* own; an IPv6 address without its brackets; NULL in a struct url that was never parsed */
	uint16_t port;
};

/*
 * Parses `text`. The last `@` ends the user; %40 and other escapes are decoded in it. A password (`user:secret@`), a
 * path, an unknown scheme, an empty host or an insecure scheme to a host that is not loopback (localhost, 127/8, ::1)
 * is -EINVAL with *ret_why set to a static sentence fragment that tells what to write instead; *ret is set only on success.
 */
int url_parse(const char *text, struct url *ret, const char **ret_why);

void url_release(struct url *url);

/* "localhost", 127.0.0.0/8, ::1. */
bool url_host_is_loopback(const char *host);

/* The scheme as written, for messages: "imaps". Static. */
const char *url_scheme(const struct url *url);

/* 993, 143, 995, 110, 465, 587; 25 for smtp+insecure. */
uint16_t url_default_port(const struct url *url);

static inline void url_cleanup(struct url *url)
{
	url_release(url);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

/* An insecure SMTP server on loopback is a mail relay, and those listen on 25. */
static const struct scheme {
	const char *name;
	enum url_protocol protocol;
	enum url_transport transport;
	uint16_t port;
} schemes[] = {
	{ "imaps", URL_IMAP, URL_TLS, 993 },
	{ "imap", URL_IMAP, URL_STARTTLS, 143 },
	{ "imap+insecure", URL_IMAP, URL_INSECURE, 143 },
	{ "pop3s", URL_POP3, URL_TLS, 995 },
	{ "pop3", URL_POP3, URL_STARTTLS, 110 },
	{ "pop3+insecure", URL_POP3, URL_INSECURE, 110 },
	{ "smtps", URL_SMTP, URL_TLS, 465 },
	{ "smtp", URL_SMTP, URL_STARTTLS, 587 },
	{ "smtp+insecure", URL_SMTP, URL_INSECURE, 25 },
};

enum { N_SCHEMES = sizeof schemes / sizeof schemes[0] };

static const struct scheme *scheme_find(const char *text, size_t len)
{
	for (size_t i = 0; i < N_SCHEMES; i++)
		if (strlen(schemes[i].name) == len && !strncasecmp(schemes[i].name, text, len))
			return &schemes[i];
	return NULL;
}

static const struct scheme *scheme_of(const struct url *url)
{
	for (size_t i = 0; i < N_SCHEMES; i++)
		if (schemes[i].protocol == url->protocol && schemes[i].transport == url->transport)
			return &schemes[i];
	return NULL;
}

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A decoded control character would end a protocol line early. */
static int decode_user(const char *text, size_t len, char **ret, const char **ret_why)
{
	CLEANUP(free) char *user = malloc(len + 1);
	size_t n = 0;

	if (!user)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == ':')
			return refuse(
				ret_why,
				"a password does not belong in a URL: use password-command (a colon in the user name is %3A)");
		if (c == '%') {
			int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return refuse(ret_why, "a % in the user name is written %25");
			c = (unsigned char)(high << 4 | low);
			i += 2;
		}
		if (c < ' ' || c == 0x7f)
			return refuse(ret_why, "the user name holds a control character");
		user[n++] = (char)c;
	}
	user[n] = '\0';
	*ret = steal_pointer(&user);
	return 0;
}

static int parse_port(const char *text, uint16_t *ret)
{
	unsigned long port = 0;

	for (; *text; text++) {
		if (!isdigit((unsigned char)*text) || port > UINT16_MAX)
			return -EINVAL;
		port = port * 10 + (unsigned long)(*text - '0');
	}
	if (port == 0 || port > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

/* host, host:port, [address], [address]:port */
static int parse_authority(char *text, struct url *url, const char **ret_why)
{
	char *host = text;
	char *end = text + strcspn(text, ":");

	if (*text == '[') {
		host = text + 1;
		end = strchr(text, ']');
		if (!end)
			return refuse(ret_why, "the IPv6 address lacks its closing bracket");
		*end++ = '\0';
	}
	if (*end == ':') {
		*end = '\0';
		if (parse_port(end + 1, &url->port) < 0)
			return refuse(ret_why, "the port is a number from 1 to 65535 (an IPv6 address stands in brackets)");
	} else if (*end) {
		return refuse(ret_why, "behind the host only :PORT may stand");
	}
	if (!*host)
		return refuse(ret_why, "the host is missing: write imaps://user@host");
	url->host = strdup(host);
	return url->host ? 0 : -ENOMEM;
}

/* Copies the host part; an empty path ("imaps://host/") is what people paste. */
static int copy_authority(const char *text, char **ret, const char **ret_why)
{
	size_t len = strlen(text);

	if (len && text[len - 1] == '/')
		len--;
	for (size_t i = 0; i < len; i++) {
		if (strchr("/?#", text[i]))
			return refuse(ret_why, "a URL ends after the host and port: folders are chosen with the key folders");
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return refuse(ret_why, "the host holds a blank or a control character");
	}
	*ret = strndup(text, len);
	return *ret ? 0 : -ENOMEM;
}

static int parse_into(const char *text, struct url *url, const char **ret_why)
{
	CLEANUP(free) char *authority = NULL;
	const char *rest = strstr(text, "://");
	const struct scheme *scheme = rest ? scheme_find(text, (size_t)(rest - text)) : NULL;
	const char *at;
	int r;

	if (!scheme)
		return refuse(ret_why, "a URL begins with imaps://, imap://, pop3s://, pop3://, smtps:// or smtp://");
	url->protocol = scheme->protocol;
	url->transport = scheme->transport;
	url->port = scheme->port;
	rest += 3;
	at = strrchr(rest, '@');
	if (at) {
		if (at == rest)
			return refuse(ret_why, "the user name before the @ is empty");
		r = decode_user(rest, (size_t)(at - rest), &url->user, ret_why);
		if (r < 0)
			return r;
		rest = at + 1;
	}
	r = copy_authority(rest, &authority, ret_why);
	if (r < 0)
		return r;
	r = parse_authority(authority, url, ret_why);
	if (r < 0)
		return r;
	if (url->transport == URL_INSECURE && !url_host_is_loopback(url->host))
		return refuse(ret_why, "an insecure scheme is for this machine only (localhost): take the one with TLS");
	return 0;
}

int url_parse(const char *text, struct url *ret, const char **ret_why)
{
	struct url url = { 0 };
	int r;

	*ret_why = "out of memory";
	r = parse_into(text, &url, ret_why);
	if (r < 0) {
		url_release(&url);
		return r;
	}
	*ret = url;
	return 0;
}

void url_release(struct url *url)
{
	if (!url)
		return;
	free(url->user);
	free(url->host);
	*url = (struct url){ 0 };
}

bool url_host_is_loopback(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (!strcasecmp(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

const char *url_scheme(const struct url *url)
{
	return scheme_of(url)->name;
}

uint16_t url_default_port(const struct url *url)
{
	return scheme_of(url)->port;
}

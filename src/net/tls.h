/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS on a connected socket, over OpenSSL: TLS 1.2 or later, SNI, host name and chain verified, or one pinned certificate.
 *
 * One thread at a time a session. Blocking calls with a limit on silence. Never sends anything before verification is done
 * but the handshake, never raises SIGPIPE, never asks for a passphrase, and keeps no session for the next one.
 */
#ifndef MAILFS_TLS_H
#define MAILFS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cancel.h"

/* All borrowed. */
struct tls_options {
	const char *ca;		 /* PEM file that alone is trusted; NULL: the system's */
	const char *fingerprint; /* 64 hex digits, SHA-256 of the certificate's DER: decides alone; NULL: none */
	const char *cert, *key;	 /* PEM client certificate and key (NULL key: in the same file); NULL: none */
};

struct tls;

/*
 * Shakes hands over the non-blocking socket `fd` (stays the caller's), within `timeout_s` in all. `cancel` (borrowed until
 * tls_free(); NULL: never) ends this and every later wait with -ECANCELED. Each failure has `why`, one line that begins with the host:
 * -EKEYREJECTED  the certificate does not verify: what is wrong with it and, where a pin would help, its fingerprint
 * -EPROTO        no TLS at all, or none of version 1.2 or later
 * -EINVAL        a file named in `options` cannot be used
 * -ETIMEDOUT, -ECONNRESET (also: closed in the handshake), other -errno
 */
int tls_open(int fd, const char *host, const struct tls_options *options, int timeout_s, const struct cancel *cancel,
	     struct tls **ret, struct buf *why);
/* Says goodbye to the peer as far as that takes no waiting. */
void tls_free(struct tls *t);

/* At least one byte, 0 at the peer's end (said or not: the protocols above know whether they were done), -ETIMEDOUT after
 * `timeout_s` of silence or a record that takes ten times that, -ECONNRESET, -EPROTO. */
ssize_t tls_read(struct tls *t, void *data, size_t len, int timeout_s);
/* At most one record, without waiting: how many bytes, or -EAGAIN and what the socket has to be polled for before the same bytes
 * are tried again. tls_read() may come between. */
ssize_t tls_write_some(struct tls *t, const void *data, size_t len, short *ret_events);
/* Everything or -errno. */
int tls_write(struct tls *t, const void *data, size_t len, int timeout_s);
/* Whether tls_read() would return at once. Takes what the socket holds: when false, poll() on it tells when to ask again. */
bool tls_pending(struct tls *t);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", for mailfsctl check. Borrowed from `t`. */
const char *tls_description(const struct tls *t);

/*
 * Judges, by the same rules and in the same words, a chain that another TLS library was shown: n PEM texts, the server's
 * own first. 0, -EKEYREJECTED or -EINVAL, with `why`.
 */
int tls_verify_chain(const char *const *pem, size_t n, const char *host, const struct tls_options *options, struct buf *why);

#endif

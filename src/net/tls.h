/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS on a connected socket, over OpenSSL: TLS 1.2 or later, SNI, host name and chain verified, or one pinned certificate.
 *
 * One thread at a time a session. Blocking calls with a limit on silence. Never sends anything before verification is done
 * but the handshake.
 */
#ifndef MAILFS_TLS_H
#define MAILFS_TLS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"

/* All borrowed. */
struct tls_options {
	const char *ca;		 /* PEM file that alone is trusted; NULL: the system's */
	const char *fingerprint; /* 64 hex digits, SHA-256 of the certificate's DER: decides alone; NULL: none */
	const char *cert, *key;	 /* PEM client certificate and key (NULL key: in the same file); NULL: none */
};

struct tls;

/*
 * Shakes hands over the non-blocking socket `fd` (stays the caller's). -EKEYREJECTED: the certificate does not verify, with `why` telling what is wrong with it and, where
 * a pin would help, its fingerprint; -EPROTO: no TLS 1.2 or later to be had; -ETIMEDOUT: `timeout_s` of silence; other -errno.
 */
int tls_open(int fd, const char *host, const struct tls_options *options, int timeout_s, struct tls **ret, struct buf *why);
void tls_free(struct tls *t);

/* At least one byte, 0 at the peer's end, -ETIMEDOUT, -ECONNRESET. */
ssize_t tls_read(struct tls *t, void *data, size_t len, int timeout_s);
/* Everything or -errno. */
int tls_write(struct tls *t, const void *data, size_t len, int timeout_s);
/* Bytes decrypted and not read yet: poll() on the socket does not know of them. */
bool tls_pending(const struct tls *t);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", for mailfsctl check. Borrowed from `t`. */
const char *tls_description(const struct tls *t);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a server's certificate is to be trusted, and if not, why not in one line.
 *
 * For tls.c alone. Any thread; keeps nothing.
 */
#ifndef MAILFS_TLS_CERTIFICATE_H
#define MAILFS_TLS_CERTIFICATE_H

#include <openssl/x509_vfy.h>

#include "base/buf.h"
#include "net/tls.h"

/* All borrowed. */
struct tls_certificate_check {
	const char *host;
	const struct tls_options *options;
	struct buf *why;
};

/* Fills `store` with what `options` trust, and `parameters` with the host to be matched (an address literal as an address).
 * -EINVAL with `why` when tls-ca cannot be read, -ENOMEM. */
int tls_certificate_prepare(X509_STORE *store, X509_VERIFY_PARAM *parameters, const struct tls_certificate_check *check);

/* For SSL_CTX_set_cert_verify_callback(), with a struct tls_certificate_check: 1 when the chain is trusted, else 0 and the why. */
int tls_certificate_verify(X509_STORE_CTX *chain, void *check);

#endif

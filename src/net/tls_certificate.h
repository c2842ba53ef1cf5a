/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a server's certificate is to be trusted, and if not, why not in one line.
 *
 * For tls.c alone. Any thread.
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

/* What `check->options` trust, a reference for the caller; shared between sessions where it is the system's. -EINVAL with `why`
 * when tls-ca cannot be read, -ENOMEM. */
int tls_certificate_store(const struct tls_certificate_check *check, X509_STORE **ret);

/* Makes `parameters` match the host, an address literal as an address. 0 or -ENOMEM. */
int tls_certificate_expect(const struct tls_certificate_check *check, X509_VERIFY_PARAM *parameters);

/* For SSL_CTX_set_cert_verify_callback(), with a struct tls_certificate_check: 1 when the chain is trusted, else 0 and the why. */
int tls_certificate_verify(X509_STORE_CTX *chain, void *check);

#endif

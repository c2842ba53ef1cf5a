/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other side of a TLS test: certificates made on the spot, and a server on a thread behind a socket pair.
 *
 * Fails the test where it cannot do its part.
 */
#ifndef MAILFS_TESTS_TLS_SERVER_H
#define MAILFS_TESTS_TLS_SERVER_H

#include <pthread.h>

#include <openssl/ssl.h>

struct certificate {
	X509 *x509;    /* own */
	EVP_PKEY *key; /* own */
	char fingerprint[65];
};

struct certificate_template {
	const char *common_name;
	const char *alternative_names; /* "DNS:imap.example.com,IP:127.0.0.1" or NULL */
	int from_days, until_days;     /* relative to now */
	int is_authority;
};

/* Signed by `issuer`, by itself when that is NULL. */
void certificate_make(struct certificate *c, const struct certificate_template *template, const struct certificate *issuer);
void certificate_release(struct certificate *c);

/* PEM, the key behind the certificate when `with_key`. */
void certificate_write(const struct certificate *c, int with_key, const char *path);

/* A server's context that shows `c`; the caller's. */
SSL_CTX *tls_server_context(const struct certificate *c);

struct tls_server {
	SSL_CTX *context; /* borrowed */
	/* After the handshake; `userdata` as set. NULL: echo what comes until the end. */
	void (*speak)(SSL *ssl, void *userdata);
	void *userdata;
	int handshake_done; /* read after tls_server_stop() */
	int fd;
	pthread_t thread;
};

/* Starts the thread; the client's end of the pair, the caller's. */
int tls_server_start(struct tls_server *s);
/* Waits for the thread. The client's end must have been closed. */
void tls_server_stop(struct tls_server *s);

#endif

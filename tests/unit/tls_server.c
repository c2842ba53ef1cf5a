/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "tls_server.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/socket.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void add_extension(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static EVP_PKEY *make_key(void)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1), 1);
	assert_int_equal(EVP_PKEY_keygen(context, &key), 1);
	EVP_PKEY_CTX_free(context);
	return key;
}

void certificate_make(struct certificate *c, const struct certificate_template *template, const struct certificate *issuer)
{
	static long serial = 1;
	unsigned char digest[32];
	X509_NAME *name;

	c->key = make_key();
	c->x509 = X509_new();
	X509_set_version(c->x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c->x509), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c->x509), template->from_days * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(c->x509), template->until_days * 86400L);
	name = X509_get_subject_name(c->x509);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)template->common_name, -1, -1, 0);
	X509_set_issuer_name(c->x509, issuer ? X509_get_subject_name(issuer->x509) : name);
	X509_set_pubkey(c->x509, c->key);
	add_extension(c->x509, NID_basic_constraints, template->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (template->alternative_names)
		add_extension(c->x509, NID_subject_alt_name, template->alternative_names);
	assert_true(X509_sign(c->x509, issuer ? issuer->key : c->key, EVP_sha256()) > 0);
	X509_digest(c->x509, EVP_sha256(), digest, NULL);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(c->fingerprint + 2 * i, 3, "%02x", digest[i]);
}

void certificate_release(struct certificate *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
}

void certificate_write(const struct certificate *c, int with_key, const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, c->x509), 1);
	if (with_key)
		assert_int_equal(PEM_write_PrivateKey(file, c->key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
}

SSL_CTX *tls_server_context(const struct certificate *c)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	assert_non_null(context);
	/* That of the test alone: a server may well be old. */
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_min_proto_version(context, 0);
	assert_int_equal(SSL_CTX_use_certificate(context, c->x509), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, c->key), 1);
	return context;
}

static void echo(SSL *ssl)
{
	char data[4096];
	int n;

	while ((n = SSL_read(ssl, data, sizeof data)) > 0)
		if (SSL_write(ssl, data, n) <= 0)
			return;
}

static void *run(void *argument)
{
	struct tls_server *s = argument;
	SSL *ssl = SSL_new(s->context);

	SSL_set_fd(ssl, s->fd);
	s->handshake_done = SSL_accept(ssl) == 1;
	if (s->handshake_done && s->speak)
		s->speak(ssl, s->userdata);
	else if (s->handshake_done)
		echo(ssl);
	SSL_free(ssl);
	close(s->fd);
	return NULL;
}

int tls_server_start(struct tls_server *s)
{
	int pair[2];

	/* The server's own writes; that the client raises none is shown in test_stream. */
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	s->fd = pair[1];
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
	return pair[0];
}

void tls_server_stop(struct tls_server *s)
{
	pthread_join(s->thread, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "tls_server.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/tls.h"

#include <openssl/pem.h>

DEFINE_CLEANUP(tls, struct tls *, tls_free)

static struct {
	char directory[32];
	char ca_path[64], other_ca_path[64], client_path[64];
	struct certificate ca, good, expired, future, other_host, self_signed, wildcard, address, client;
} shared;

static int make_certificates(void **state)
{
	static const struct certificate_template ca = { "Test CA", NULL, -10, 10, 1 };
	static const struct certificate_template good = { "x", "DNS:imap.example.com", -1, 1, 0 };
	static const struct certificate_template expired = { "x", "DNS:imap.example.com", -9, -5, 0 };
	static const struct certificate_template future = { "x", "DNS:imap.example.com", 5, 9, 0 };
	static const struct certificate_template other_host = { "x", "DNS:mail.example.org", -1, 1, 0 };
	static const struct certificate_template wildcard = { "x", "DNS:im*.example.com", -1, 1, 0 };
	static const struct certificate_template address = { "imap.example.com", "IP:127.0.0.1", -1, 1, 0 };

	(void)state;
	strcpy(shared.directory, "/tmp/mailfs-test-XXXXXX");
	assert_non_null(mkdtemp(shared.directory));
	certificate_make(&shared.ca, &ca, NULL);
	certificate_make(&shared.good, &good, &shared.ca);
	certificate_make(&shared.expired, &expired, &shared.ca);
	certificate_make(&shared.future, &future, &shared.ca);
	certificate_make(&shared.other_host, &other_host, &shared.ca);
	certificate_make(&shared.wildcard, &wildcard, &shared.ca);
	certificate_make(&shared.address, &address, &shared.ca);
	certificate_make(&shared.self_signed, &good, NULL);
	certificate_make(&shared.client, &ca, NULL);
	snprintf(shared.ca_path, sizeof shared.ca_path, "%s/ca.pem", shared.directory);
	snprintf(shared.other_ca_path, sizeof shared.other_ca_path, "%s/other.pem", shared.directory);
	snprintf(shared.client_path, sizeof shared.client_path, "%s/client.pem", shared.directory);
	certificate_write(&shared.ca, 0, shared.ca_path);
	certificate_write(&shared.self_signed, 0, shared.other_ca_path);
	certificate_write(&shared.client, 1, shared.client_path);
	return 0;
}

static int remove_certificates(void **state)
{
	struct certificate *all[] = { &shared.ca,	   &shared.good,     &shared.expired, &shared.future, &shared.other_host,
				      &shared.self_signed, &shared.wildcard, &shared.address, &shared.client };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		certificate_release(all[i]);
	unlink(shared.ca_path);
	unlink(shared.other_ca_path);
	unlink(shared.client_path);
	rmdir(shared.directory);
	return 0;
}

/* Connects to a server that shows `c`; what came of it. */
static int try(const struct certificate *c, const char *host, const struct tls_options *options, int version, struct buf *why)
{
	CLEANUP(tls) struct tls *t = NULL;
	struct tls_server server = { .context = tls_server_context(c) };
	char echo[4];
	int fd, r;

	if (version)
		SSL_CTX_set_max_proto_version(server.context, version);
	fd = tls_server_start(&server);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	r = tls_open(fd, host, options, 20, NULL, &t, why);
	if (r == 0) {
		assert_int_equal(tls_write(t, "ping", 4, 20), 0);
		assert_int_equal(tls_read(t, echo, 4, 20), 4);
		assert_memory_equal(echo, "ping", 4);
	} else {
		assert_null(t);
		assert_true(why->len > 0);
		assert_null(strchr(buf_str(why), '\n'));
	}
	tls_free(steal_pointer(&t));
	close(fd);
	tls_server_stop(&server);
	SSL_CTX_free(server.context);
	return r;
}

static void a_certificate_of_the_configured_authority_is_trusted(void **state)
{
	struct tls_options options = { .ca = shared.ca_path };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(try(&shared.good, "imap.example.com", &options, 0, &why), 0);
	assert_int_equal(try(&shared.good, "imap.example.com", &options, TLS1_2_VERSION, &why), 0);
	assert_int_equal(try(&shared.address, "127.0.0.1", &options, 0, &why), 0);
	assert_string_equal(buf_str(&why), "");
}

static void a_self_signed_certificate_named_as_authority_is_trusted(void **state)
{
	struct tls_options options = { .ca = shared.other_ca_path };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(try(&shared.self_signed, "imap.example.com", &options, 0, &why), 0);
}

static void an_expired_certificate_is_refused_with_its_date(void **state)
{
	struct tls_options options = { .ca = shared.ca_path };
	CLEANUP(buf) struct buf why = BUF_INIT;
	char expected[96], date[16];
	time_t then = time(NULL) - 5 * 86400;

	(void)state;
	strftime(date, sizeof date, "%Y-%m-%d", gmtime(&then));
	snprintf(expected, sizeof expected, "imap.example.com: certificate expired on %s", date);
	assert_int_equal(try(&shared.expired, "imap.example.com", &options, 0, &why), -EKEYREJECTED);
	assert_string_equal(buf_str(&why), expected);
	buf_truncate(&why, 0);
	assert_int_equal(try(&shared.future, "imap.example.com", &options, 0, &why), -EKEYREJECTED);
	assert_non_null(strstr(buf_str(&why), "is valid only from"));
}

static void a_certificate_for_another_host_is_refused_with_its_names(void **state)
{
	struct tls_options options = { .ca = shared.ca_path };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(try(&shared.other_host, "imap.example.com", &options, 0, &why), -EKEYREJECTED);
	assert_string_equal(buf_str(&why), "imap.example.com: certificate is for mail.example.org, not imap.example.com");
	buf_truncate(&why, 0);
	assert_int_equal(try(&shared.address, "127.0.0.2", &options, 0, &why), -EKEYREJECTED);
	assert_string_equal(buf_str(&why), "127.0.0.2: certificate is for 127.0.0.1, not 127.0.0.2");
}

static void a_partial_wildcard_matches_nothing(void **state)
{
	struct tls_options options = { .ca = shared.ca_path };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(try(&shared.wildcard, "imap.example.com", &options, 0, &why), -EKEYREJECTED);
}

static void a_self_signed_certificate_is_refused_with_the_pin_that_would_trust_it(void **state)
{
	struct tls_options none = { 0 }, other = { .ca = shared.ca_path };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(try(&shared.self_signed, "imap.example.com", &none, 0, &why), -EKEYREJECTED);
	assert_non_null(strstr(buf_str(&why), "imap.example.com: self-signed certificate; to trust it: tls-fingerprint = sha256:"));
	assert_non_null(strstr(buf_str(&why), shared.self_signed.fingerprint));
	buf_truncate(&why, 0);
	assert_int_equal(try(&shared.self_signed, "imap.example.com", &other, 0, &why), -EKEYREJECTED);
}

static void an_unknown_authority_is_named(void **state)
{
	struct tls_options none = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(try(&shared.good, "imap.example.com", &none, 0, &why), -EKEYREJECTED);
	assert_non_null(strstr(buf_str(&why), "unknown authority, Test CA; to trust it: tls-ca = FILE"));
}

static void the_right_pin_decides_alone(void **state)
{
	struct tls_options options = { .fingerprint = shared.self_signed.fingerprint };
	struct tls_options stale = { .ca = shared.ca_path, .fingerprint = shared.expired.fingerprint };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(try(&shared.self_signed, "another.example.net", &options, 0, &why), 0);
	assert_int_equal(try(&shared.expired, "another.example.net", &stale, 0, &why), 0);
}

static void a_wrong_pin_refuses_even_what_verifies(void **state)
{
	struct tls_options options = { .ca = shared.ca_path, .fingerprint = shared.self_signed.fingerprint };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(try(&shared.good, "imap.example.com", &options, 0, &why), -EKEYREJECTED);
	assert_non_null(strstr(buf_str(&why), "not the certificate of tls-fingerprint, but sha256:"));
	options.fingerprint = "abcd";
	assert_int_equal(try(&shared.good, "imap.example.com", &options, 0, &why), -EKEYREJECTED);
}

static void tls_1_1_is_refused(void **state)
{
	struct tls_options options = { .ca = shared.ca_path };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(try(&shared.good, "imap.example.com", &options, TLS1_1_VERSION, &why), -EPROTO);
	assert_string_equal(buf_str(&why), "imap.example.com: the server offers no TLS 1.2 or later");
}

static void unusable_files_are_named(void **state)
{
	struct tls_options ca = { .ca = "/nonexistent/ca.pem" };
	struct tls_options no_key = { .ca = shared.ca_path, .cert = shared.ca_path };
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(try(&shared.good, "imap.example.com", &ca, 0, &why), -EINVAL);
	assert_non_null(strstr(buf_str(&why), "tls-ca /nonexistent/ca.pem"));
	buf_truncate(&why, 0);
	assert_int_equal(try(&shared.good, "imap.example.com", &no_key, 0, &why), -EINVAL);
	assert_non_null(strstr(buf_str(&why), "tls-key"));
}

static int accept_any(int ok, X509_STORE_CTX *chain)
{
	(void)ok;
	(void)chain;
	return 1;
}

static void note_client_certificate(SSL *ssl, void *userdata)
{
	X509 *shown = SSL_get_peer_certificate(ssl);

	*(int *)userdata = shown && X509_cmp(shown, shared.client.x509) == 0;
	X509_free(shown);
	SSL_write(ssl, "x", 1);
}

static void the_client_certificate_is_shown(void **state)
{
	struct tls_options options = { .ca = shared.ca_path, .cert = shared.client_path };
	struct tls_server server = { .context = tls_server_context(&shared.good), .speak = note_client_certificate };
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct tls *t = NULL;
	int fd, seen = 0;
	char byte;

	(void)state;
	server.userdata = &seen;
	SSL_CTX_set_verify(server.context, SSL_VERIFY_PEER, accept_any);
	fd = tls_server_start(&server);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_int_equal(tls_open(fd, "imap.example.com", &options, 20, NULL, &t, &why), 0);
	assert_int_equal(tls_read(t, &byte, 1, 20), 1);
	/* The server's end without goodbye is an end too. */
	assert_int_equal(tls_read(t, &byte, 1, 20), 0);
	assert_int_equal(tls_read(t, &byte, 1, 20), 0);
	assert_true(tls_pending(t));
	tls_free(t);
	close(fd);
	tls_server_stop(&server);
	assert_int_equal(seen, 1);
	SSL_CTX_free(server.context);
}

static void a_server_that_stalls_in_the_handshake_times_out(void **state)
{
	struct tls_options options = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct tls *t = NULL;
	int64_t began_ms = clock_monotonic_ms();
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(tls_open(pair[0], "imap.example.com", &options, 1, NULL, &t, &why), -ETIMEDOUT);
	assert_string_equal(buf_str(&why), "imap.example.com: TLS handshake not done after 1 s");
	assert_in_range(clock_monotonic_ms() - began_ms, 900, 10000);
	close(pair[0]);
	close(pair[1]);
}

/* What a server that is no TLS server answers. */
static int open_after(const char *answer, struct buf *why)
{
	struct tls_options options = { 0 };
	struct tls *t = NULL;
	int pair[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(write(pair[1], answer, strlen(answer)), strlen(answer));
	shutdown(pair[1], SHUT_WR);
	r = tls_open(pair[0], "imap.example.com", &options, 1, NULL, &t, why);
	close(pair[0]);
	close(pair[1]);
	return r;
}

static void a_server_without_tls_is_told_from_one_that_hangs_up(void **state)
{
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	assert_int_equal(open_after("* OK IMAP4rev1 ready\r\n", &why), -EPROTO);
	assert_string_equal(buf_str(&why), "imap.example.com: the server does not speak TLS on this port");
	buf_truncate(&why, 0);
	assert_int_equal(open_after("", &why), -ECONNRESET);
	assert_string_equal(buf_str(&why), "imap.example.com: TLS handshake: connection closed by the server");
}

static void a_chain_that_another_library_was_shown_is_judged_alike(void **state)
{
	struct tls_options trusted = { .ca = shared.ca_path }, pinned = { .fingerprint = shared.good.fingerprint };
	CLEANUP(buf) struct buf why = BUF_INIT;
	BIO *bio = BIO_new(BIO_s_mem());
	char pem[4096] = { 0 };
	const char *chain[] = { pem };

	(void)state;
	PEM_write_bio_X509(bio, shared.good.x509);
	assert_true(BIO_read(bio, pem, sizeof pem - 1) > 0);
	BIO_free(bio);
	assert_int_equal(tls_verify_chain(chain, 1, "imap.example.com", &trusted, &why), 0);
	assert_int_equal(tls_verify_chain(chain, 1, "else.example.com", &pinned, &why), 0);
	assert_int_equal(why.len, 0);
	assert_int_equal(tls_verify_chain(chain, 1, "else.example.com", &trusted, &why), -EKEYREJECTED);
	assert_string_equal(buf_str(&why), "else.example.com: certificate is for imap.example.com, not else.example.com");
	assert_int_equal(tls_verify_chain(chain, 0, "imap.example.com", &pinned, &why), -EKEYREJECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_of_the_configured_authority_is_trusted),
		cmocka_unit_test(a_self_signed_certificate_named_as_authority_is_trusted),
		cmocka_unit_test(an_expired_certificate_is_refused_with_its_date),
		cmocka_unit_test(a_certificate_for_another_host_is_refused_with_its_names),
		cmocka_unit_test(a_partial_wildcard_matches_nothing),
		cmocka_unit_test(a_self_signed_certificate_is_refused_with_the_pin_that_would_trust_it),
		cmocka_unit_test(an_unknown_authority_is_named),
		cmocka_unit_test(the_right_pin_decides_alone),
		cmocka_unit_test(a_wrong_pin_refuses_even_what_verifies),
		cmocka_unit_test(tls_1_1_is_refused),
		cmocka_unit_test(unusable_files_are_named),
		cmocka_unit_test(the_client_certificate_is_shown),
		cmocka_unit_test(a_server_that_stalls_in_the_handshake_times_out),
		cmocka_unit_test(a_server_without_tls_is_told_from_one_that_hangs_up),
		cmocka_unit_test(a_chain_that_another_library_was_shown_is_judged_alike),
	};
	return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "smtp_server.h"
#include "tls_server.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/smtp.h"

static struct {
	char ca_path[32];
	struct certificate ca, good, expired, other_host;
	struct secret *secret;
} shared;

static int timeout_s = 20;    /* unless a test waits for it */
static struct cancel *cancel; /* NULL unless a test sets it */

static int make_shared(void **state)
{
	static const struct certificate_template ca = { "Test CA", NULL, -10, 10, 1 };
	static const struct certificate_template good = { "x", "DNS:localhost,IP:127.0.0.1", -1, 1, 0 };
	static const struct certificate_template expired = { "x", "IP:127.0.0.1", -9, -5, 0 };
	static const struct certificate_template other_host = { "x", "DNS:mail.example.org", -1, 1, 0 };
	struct secret_source source = { .literal = (char *)"s3cret" };

	(void)state;
	strcpy(shared.ca_path, "/tmp/mailfs-test-XXXXXX");
	close(mkstemp(shared.ca_path));
	certificate_make(&shared.ca, &ca, NULL);
	certificate_make(&shared.good, &good, &shared.ca);
	certificate_make(&shared.expired, &expired, &shared.ca);
	certificate_make(&shared.other_host, &other_host, &shared.ca);
	certificate_write(&shared.ca, 0, shared.ca_path);
	return secret_new(&source, "password for alice", &shared.secret);
}

static int free_shared(void **state)
{
	(void)state;
	unlink(shared.ca_path);
	certificate_release(&shared.ca);
	certificate_release(&shared.good);
	certificate_release(&shared.expired);
	certificate_release(&shared.other_host);
	secret_free(shared.secret);
	return 0;
}

/* Opens and closes a session with `server`, which is stopped then; what came of it, and the description or the why. */
static int open_session(struct smtp_server *server, enum url_transport transport, const char *auth, struct tls_options tls,
			struct buf *words)
{
	struct url url = { .protocol = URL_SMTP, .transport = transport, .host = (char *)"127.0.0.1" };
	struct smtp_options options = { .url = &url,
					.user = "alice",
					.secret = shared.secret,
					.auth = auth,
					.tls = tls,
					.timeout_s = timeout_s,
					.cancel = cancel };
	struct smtp *s = NULL;
	int r;

	buf_truncate(words, 0);
	smtp_server_start(server);
	url.port = server->port;
	if (!auth)
		options.user = NULL;
	r = smtp_open(&options, &s, words);
	if (r == 0) {
		assert_int_equal(words->len, 0);
		buf_append_str(words, smtp_description(s));
	} else {
		assert_true(words->len > 0);
		assert_null(strchr(buf_str(words), '\n'));
	}
	smtp_close(s);
	smtp_server_stop(server);
	return r;
}

static bool was_seen(const struct smtp_server *server, const char *text)
{
	return server->seen.len && memmem(server->seen.data, server->seen.len, text, strlen(text));
}

static const struct tls_options no_tls;

static void a_session_without_tls_signs_in_and_quits_once(void **state)
{
	CLEANUP(buf) struct buf words = BUF_INIT;
	struct smtp_server server = { 0 };
	size_t tail = strlen("QUIT\r\n");

	(void)state;
	assert_int_equal(open_session(&server, URL_INSECURE, "auto", no_tls, &words), 0);
	assert_string_equal(buf_str(&words), "no TLS, AUTH PLAIN");
	/* \0alice\0s3cret */
	assert_true(was_seen(&server, "AUTH PLAIN AGFsaWNlAHMzY3JldA==\r\n"));
	assert_memory_equal(server.seen.data + server.seen.len - tail, "QUIT\r\n", tail);
	assert_null(strstr(strstr(buf_str(&server.seen), "QUIT") + 4, "QUIT"));
	buf_release(&server.seen);
}

static void capabilities_are_those_of_the_last_ehlo(void **state)
{
	static const struct smtp_rule rules[] = {
		{ "EHLO", "250-test\r\n250-STARTTLS\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 5\r\n", 1 },
		{ "EHLO", "250-test\r\n250-8bitmime\r\n250-AUTH LOGIN\r\n250-SIZE 123456\r\n250 DSN\r\n", 0 },
		{ "AUTH", "334 VXNlcm5hbWU6\r\n", 1 },
		{ "YWxpY2U=", "334 UGFzc3dvcmQ6\r\n", 0 },
		{ "czNjcmV0", "235 ok\r\n", 0 },
		{ NULL, NULL, 0 },
	};
	struct smtp_server server = { .rules = rules, .tls = tls_server_context(&shared.good) };
	struct url url = { .protocol = URL_SMTP, .transport = URL_STARTTLS, .host = (char *)"127.0.0.1" };
	struct smtp_options options = { .url = &url, .user = "alice", .secret = shared.secret, .auth = "auto", .timeout_s = 20 };
	CLEANUP(buf) struct buf why = BUF_INIT;
	const struct smtp_capabilities *c;
	struct smtp *s;

	(void)state;
	options.tls.ca = shared.ca_path;
	smtp_server_start(&server);
	url.port = server.port;
	assert_int_equal(smtp_open(&options, &s, &why), 0);
	c = smtp_capabilities(s);
	assert_true(c->eightbitmime && c->dsn && c->size);
	assert_int_equal(c->size_max, 123456);
	assert_false(c->pipelining || c->chunking || c->smtputf8);
	assert_non_null(strstr(smtp_description(s), "TLS1.3"));
	assert_non_null(strstr(smtp_description(s), "AUTH LOGIN"));
	smtp_close(s);
	smtp_server_stop(&server);
	buf_release(&server.seen);
	SSL_CTX_free(server.tls);
}

static const struct smtp_rule offers_starttls[] = {
	{ "EHLO", "250-test\r\n250 STARTTLS\r\n", 1 },
	{ NULL, NULL, 0 },
};

/* One session over TLS with a server that shows `c`; whether it was sent the secret must follow from the result. */
static int open_tls(const struct certificate *c, bool is_wrapped, struct tls_options tls, int max_version, struct buf *words)
{
	struct smtp_server server = { .is_wrapped = is_wrapped, .tls = tls_server_context(c) };
	int r;

	if (!is_wrapped)
		server.rules = offers_starttls;
	if (max_version)
		SSL_CTX_set_max_proto_version(server.tls, max_version);
	r = open_session(&server, is_wrapped ? URL_TLS : URL_STARTTLS, "plain", tls, words);
	assert_int_equal(was_seen(&server, "AUTH"), r == 0);
	assert_int_equal(was_seen(&server, "QUIT"), r == 0);
	buf_release(&server.seen);
	SSL_CTX_free(server.tls);
	return r;
}

static void expect_same_over_both(const struct certificate *c, struct tls_options tls, int expected, const char *words)
{
	CLEANUP(buf) struct buf said = BUF_INIT;

	for (int is_wrapped = 0; is_wrapped < 2; is_wrapped++) {
		assert_int_equal(open_tls(c, is_wrapped, tls, 0, &said), expected);
		if (!strstr(buf_str(&said), words))
			fail_msg("\"%s\" has no \"%s\"", buf_str(&said), words);
	}
}

static void a_certificate_of_the_configured_authority_is_trusted(void **state)
{
	(void)state;
	expect_same_over_both(&shared.good, (struct tls_options){ .ca = shared.ca_path }, 0, "AUTH PLAIN");
}

static void a_bad_certificate_is_refused_in_the_words_of_tls_before_any_secret(void **state)
{
	struct tls_options tls = { .ca = shared.ca_path };

	(void)state;
	expect_same_over_both(&shared.good, no_tls, -EKEYREJECTED,
			      "127.0.0.1: certificate of an unknown authority, Test CA; to trust");
	expect_same_over_both(&shared.expired, tls, -EKEYREJECTED, "127.0.0.1: certificate expired on 2");
	expect_same_over_both(&shared.other_host, tls, -EKEYREJECTED,
			      "127.0.0.1: certificate is for mail.example.org, not 127.0.0.1");
}

static void the_right_pin_decides_alone(void **state)
{
	(void)state;
	expect_same_over_both(&shared.expired, (struct tls_options){ .fingerprint = shared.expired.fingerprint }, 0, "AUTH PLAIN");
	expect_same_over_both(&shared.other_host, (struct tls_options){ .fingerprint = shared.other_host.fingerprint }, 0,
			      "AUTH PLAIN");
}

static void a_wrong_pin_is_refused_before_any_secret(void **state)
{
	struct tls_options tls = { .ca = shared.ca_path, .fingerprint = shared.expired.fingerprint };

	(void)state;
	expect_same_over_both(&shared.good, tls, -EKEYREJECTED, "127.0.0.1: not the certificate of tls-fingerprint, but sha256:");
}

static void tls_1_1_is_refused(void **state)
{
	struct tls_options tls = { .ca = shared.ca_path };
	CLEANUP(buf) struct buf words = BUF_INIT;

	(void)state;
	assert_int_equal(open_tls(&shared.good, true, tls, TLS1_1_VERSION, &words), -EPROTO);
	assert_non_null(strstr(buf_str(&words), "TLS 1.2 or later"));
	assert_int_equal(open_tls(&shared.good, true, tls, TLS1_2_VERSION, &words), 0);
}

/* A session without TLS under `rules`; no secret may have been sent when `secret_is_safe`. */
static void expect_failure(const struct smtp_rule *rules, enum url_transport transport, const char *auth, int expected,
			   const char *words)
{
	struct smtp_server server = { .rules = rules };
	CLEANUP(buf) struct buf said = BUF_INIT;

	assert_int_equal(open_session(&server, transport, auth, no_tls, &said), expected);
	if (strcmp(buf_str(&said), words) && !(words[0] == '~' && strstr(buf_str(&said), words + 1)))
		fail_msg("\"%s\" is not \"%s\"", buf_str(&said), words);
	if (transport != URL_INSECURE)
		assert_false(was_seen(&server, "AUTH"));
	buf_release(&server.seen);
}

#define RULE(prefix, reply)           \
	(const struct smtp_rule[])    \
	{                             \
		{ prefix, reply, 0 }, \
		{                     \
			NULL, NULL, 0 \
		}                     \
	}

static void starttls_is_required(void **state)
{
	static const struct smtp_rule refused[] = {
		{ "EHLO", "250-test\r\n250 STARTTLS\r\n", 0 },
		{ "STARTTLS", "454 4.7.0 TLS not available\r\n", 0 },
		{ NULL, NULL, 0 },
	};

	(void)state;
	expect_failure(NULL, URL_STARTTLS, "plain", -EPROTO, "~the server offers no STARTTLS");
	expect_failure(refused, URL_STARTTLS, "plain", -EAGAIN, "127.0.0.1: refused: 454 4.7.0 TLS not available");
}

static void what_a_server_puts_behind_its_starttls_reply_is_an_attack(void **state)
{
	static const struct smtp_rule rules[] = {
		{ "EHLO", "250-test\r\n250 STARTTLS\r\n", 1 },
		{ "STARTTLS", "220 go\r\n250-test\r\n250 AUTH PLAIN\r\n", 0 },
		{ NULL, NULL, 0 },
	};
	struct smtp_server server = { .rules = rules, .tls = tls_server_context(&shared.good) };
	struct tls_options tls = { .ca = shared.ca_path };
	CLEANUP(buf) struct buf words = BUF_INIT;

	(void)state;
	assert_true(open_session(&server, URL_STARTTLS, "plain", tls, &words) < 0);
	assert_false(was_seen(&server, "AUTH"));
	buf_release(&server.seen);
	SSL_CTX_free(server.tls);
}

static void refusals_before_mail_say_which_and_whether_for_good(void **state)
{
	(void)state;
	expect_failure(RULE("CONNECT", "554-no mail\r\n554 here\r\n"), URL_INSECURE, "plain", -ECONNREFUSED,
		       "127.0.0.1: refused: 554 no mail here");
	expect_failure(RULE("CONNECT", "421 4.3.2 busy\r\n"), URL_INSECURE, "plain", -EAGAIN, "127.0.0.1: refused: 421 4.3.2 busy");
	expect_failure(RULE("AUTH", "535 5.7.8 bad password\r\n"), URL_INSECURE, "plain", -EACCES,
		       "127.0.0.1: sign-in refused: 535 5.7.8 bad password");
	expect_failure(RULE("AUTH", "454 4.7.0 later\r\n"), URL_INSECURE, "plain", -EAGAIN,
		       "127.0.0.1: sign-in refused: 454 4.7.0 later");
	expect_failure(RULE("EHLO", "250-test\r\n250 AUTH SCRAM-SHA-256\r\n"), URL_INSECURE, "plain", -EACCES,
		       "~no sign-in method that both sides have; the server offers SCRAM-SHA-256");
	expect_failure(RULE("EHLO", "250 test\r\n"), URL_INSECURE, "plain", -EACCES,
		       "127.0.0.1: the server offers no sign-in (AUTH)");
	expect_failure(NULL, URL_INSECURE, "scram-sha-256", -EACCES,
		       "127.0.0.1: no sign-in by scram-sha-256 for submission; set smtp-auth = auto, plain, login or cram-md5");
}

static void a_server_that_is_none_is_an_error_at_once(void **state)
{
	(void)state;
	expect_failure(RULE("CONNECT", SMTP_HANG_UP), URL_INSECURE, "plain", -ECONNRESET, "~connection closed by the server");
	expect_failure(RULE("CONNECT", "* OK IMAP4rev1\r\n"), URL_INSECURE, "plain", -EPROTO,
		       "127.0.0.1: the server does not speak SMTP");
	expect_failure(RULE("EHLO", "250-test\r\nrubbish\r\n"), URL_INSECURE, "plain", -EPROTO,
		       "127.0.0.1: the server does not speak SMTP");
	expect_failure(RULE("EHLO", SMTP_HANG_UP), URL_INSECURE, "plain", -ECONNRESET, "~connection closed by the server");
}

static void a_server_that_stalls_times_out(void **state)
{
	int64_t began_ms = clock_monotonic_ms();

	(void)state;
	timeout_s = 1;
	expect_failure(RULE("CONNECT", ""), URL_INSECURE, "plain", -ETIMEDOUT, "~no answer in time");
	timeout_s = 20;
	assert_in_range(clock_monotonic_ms() - began_ms, 900, 10000);
}

static void *cancel_soon(void *userdata)
{
	(void)userdata;
	usleep(50000);
	cancel_set(cancel);
	return NULL;
}

/* A server that keeps silent where TLS or a reply is due. */
static void cancelling_ends_the_wait_at_once(void **state)
{
	static const struct {
		struct smtp_rule rules[3];
		enum url_transport transport;
	} silences[] = {
		{ { { "CONNECT", "", 0 } }, URL_INSECURE },
		{ { { "", "", 0 } }, URL_TLS },
		{ { { "EHLO", "250-test\r\n250 STARTTLS\r\n", 0 }, { "STARTTLS", "", 0 } }, URL_STARTTLS },
		{ { { "AUTH", "", 0 } }, URL_INSECURE },
	};
	CLEANUP(buf) struct buf words = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof silences / sizeof *silences; i++) {
		struct smtp_server server = { .rules = silences[i].rules };
		struct cancel one;
		int64_t began_ms = clock_monotonic_ms();
		pthread_t thread;

		if (silences[i].transport == URL_STARTTLS)
			server.tls = tls_server_context(&shared.good);
		assert_int_equal(cancel_init(&one), 0);
		cancel = &one;
		pthread_create(&thread, NULL, cancel_soon, NULL);
		assert_int_equal(open_session(&server, silences[i].transport, "plain", no_tls, &words), -ECANCELED);
		assert_non_null(strstr(buf_str(&words), ": given up"));
		/* libcurl looks by itself once a second. */
		assert_true(clock_monotonic_ms() - began_ms < 800);
		pthread_join(thread, NULL);
		cancel = NULL;
		cancel_release(&one);
		SSL_CTX_free(server.tls);
		buf_release(&server.seen);
	}
}

static void without_a_user_nothing_is_signed_in(void **state)
{
	CLEANUP(buf) struct buf words = BUF_INIT;
	struct smtp_server server = { 0 };

	(void)state;
	assert_int_equal(open_session(&server, URL_INSECURE, NULL, no_tls, &words), 0);
	assert_string_equal(buf_str(&words), "no TLS, no sign-in");
	assert_false(was_seen(&server, "AUTH"));
	buf_release(&server.seen);
}

static void tokens_go_by_xoauth2_and_oauthbearer(void **state)
{
	static const struct smtp_rule rules[] = {
		{ "EHLO", "250-test\r\n250 AUTH PLAIN XOAUTH2 OAUTHBEARER\r\n", 0 },
		{ NULL, NULL, 0 },
	};
	static const char *const mechanisms[] = { "xoauth2", "oauthbearer" };
	static const char *const expected[] = { "no TLS, AUTH XOAUTH2", "no TLS, AUTH OAUTHBEARER" };
	CLEANUP(buf) struct buf words = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct smtp_server server = { .rules = rules };

		assert_int_equal(open_session(&server, URL_INSECURE, mechanisms[i], no_tls, &words), 0);
		assert_string_equal(buf_str(&words), expected[i]);
		buf_release(&server.seen);
	}
}

static void a_secret_that_cannot_be_had_stops_before_connecting(void **state)
{
	struct secret_source source = { .command = (char *)"exit 1" };
	struct url url = { .protocol = URL_SMTP, .transport = URL_INSECURE, .host = (char *)"127.0.0.1", .port = 1 };
	struct smtp_options options = { .url = &url, .user = "alice", .auth = "auto", .timeout_s = timeout_s };
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct smtp *s;

	(void)state;
	assert_int_equal(secret_new(&source, "password for alice", &options.secret), 0);
	assert_int_equal(smtp_open(&options, &s, &why), -EACCES);
	assert_string_equal(buf_str(&why), "password for alice: password-command failed with status 1");
	secret_free(options.secret);
	buf_truncate(&why, 0);
	options.secret = shared.secret;
	assert_int_equal(smtp_open(&options, &s, &why), -ECONNREFUSED);
	assert_string_equal(buf_str(&why), "127.0.0.1:1: no connection");
	url.host = (char *)"192.0.2.1";
	assert_int_equal(smtp_open(&options, &s, &why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_without_tls_signs_in_and_quits_once),
		cmocka_unit_test(capabilities_are_those_of_the_last_ehlo),
		cmocka_unit_test(a_certificate_of_the_configured_authority_is_trusted),
		cmocka_unit_test(a_bad_certificate_is_refused_in_the_words_of_tls_before_any_secret),
		cmocka_unit_test(the_right_pin_decides_alone),
		cmocka_unit_test(a_wrong_pin_is_refused_before_any_secret),
		cmocka_unit_test(tls_1_1_is_refused),
		cmocka_unit_test(starttls_is_required),
		cmocka_unit_test(what_a_server_puts_behind_its_starttls_reply_is_an_attack),
		cmocka_unit_test(refusals_before_mail_say_which_and_whether_for_good),
		cmocka_unit_test(a_server_that_is_none_is_an_error_at_once),
		cmocka_unit_test(a_server_that_stalls_times_out),
		cmocka_unit_test(cancelling_ends_the_wait_at_once),
		cmocka_unit_test(without_a_user_nothing_is_signed_in),
		cmocka_unit_test(tokens_go_by_xoauth2_and_oauthbearer),
		cmocka_unit_test(a_secret_that_cannot_be_had_stops_before_connecting),
	};
	return cmocka_run_group_tests(tests, make_shared, free_shared);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/cleanup.h"
#include "base/url.h"

static const struct accepted {
	const char *text;
	enum url_protocol protocol;
	enum url_transport transport;
	const char *user;
	const char *host;
	uint16_t port;
} accepted[] = {
	{ "imaps://alice@mail.example.com", URL_IMAP, URL_TLS, "alice", "mail.example.com", 993 },
	{ "imap://mail.example.com", URL_IMAP, URL_STARTTLS, NULL, "mail.example.com", 143 },
	{ "imaps://alice@example.com@mail.example.com:1993", URL_IMAP, URL_TLS, "alice@example.com", "mail.example.com", 1993 },
	{ "imaps://alice%40example.com@mail.example.com/", URL_IMAP, URL_TLS, "alice@example.com", "mail.example.com", 993 },
	{ "IMAPS://a%3ab%25@h", URL_IMAP, URL_TLS, "a:b%", "h", 993 },
	{ "pop3s://u@h", URL_POP3, URL_TLS, "u", "h", 995 },
	{ "pop3://u@h", URL_POP3, URL_STARTTLS, "u", "h", 110 },
	{ "smtps://u@h", URL_SMTP, URL_TLS, "u", "h", 465 },
	{ "smtp://u@h", URL_SMTP, URL_STARTTLS, "u", "h", 587 },
	{ "smtp+insecure://localhost", URL_SMTP, URL_INSECURE, NULL, "localhost", 25 },
	{ "imap+insecure://u@127.3.2.1:10143", URL_IMAP, URL_INSECURE, "u", "127.3.2.1", 10143 },
	{ "imap+insecure://u@[::1]:10143", URL_IMAP, URL_INSECURE, "u", "::1", 10143 },
	{ "imaps://u@[2001:db8::1]", URL_IMAP, URL_TLS, "u", "2001:db8::1", 993 },
	{ "imaps://\xc3\xa9ve@h", URL_IMAP, URL_TLS, "\xc3\xa9ve", "h", 993 },
};

static void every_form_gives_its_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		CLEANUP(url) struct url url = { 0 };
		const char *why;

		assert_int_equal(url_parse(accepted[i].text, &url, &why), 0);
		assert_int_equal(url.protocol, accepted[i].protocol);
		assert_int_equal(url.transport, accepted[i].transport);
		assert_string_equal(url.host, accepted[i].host);
		assert_int_equal(url.port, accepted[i].port);
		if (accepted[i].user)
			assert_string_equal(url.user, accepted[i].user);
		else
			assert_null(url.user);
	}
}

/* What is wrong, and a word of the advice. */
static const char *const refused[][2] = {
	{ "", "imaps://" },
	{ "mail.example.com", "imaps://" },
	{ "http://h", "imaps://" },
	{ "://h", "imaps://" },
	{ "imaps://", "host is missing" },
	{ "imaps://u@", "host is missing" },
	{ "imaps://@h", "empty" },
	{ "imaps://u:secret@h", "password-command" },
	{ "imaps://u@h/INBOX", "folders" },
	{ "imaps://u@h//", "folders" },
	{ "imaps://u%0d%0aNOOP@h", "control" },
	{ "imaps://u%4@h", "%25" },
	{ "imaps://u@h:0", "port" },
	{ "imaps://u@h:65536", "port" },
	{ "imaps://u@h:99999999999999999999", "port" },
	{ "imaps://u@h:", "port" },
	{ "imaps://u@2001:db8::1", "brackets" },
	{ "imaps://u@[::1", "bracket" },
	{ "imaps://u@[::1]x", "PORT" },
	{ "imaps://u@ho st", "blank" },
	{ "imap+insecure://u@mail.example.com", "TLS" },
	{ "imap+insecure://u@128.0.0.1", "TLS" },
	{ "imap+insecure://u@127.evil.example", "TLS" },
	{ "imap+insecure://u@localhost.evil.example", "TLS" },
};

static void what_is_refused_tells_what_to_write_instead(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct url url = { .port = 7 };
		const char *why = NULL;

		assert_int_equal(url_parse(refused[i][0], &url, &why), -EINVAL);
		assert_non_null(strstr(why, refused[i][1]));
		assert_int_equal(url.port, 7);
	}
}

static void the_scheme_reads_back(void **state)
{
	CLEANUP(url) struct url url = { 0 };
	const char *why;

	(void)state;
	assert_int_equal(url_parse("imap+insecure://localhost:1", &url, &why), 0);
	assert_string_equal(url_scheme(&url), "imap+insecure");
	assert_int_equal(url_default_port(&url), 143);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_gives_its_parts),
		cmocka_unit_test(what_is_refused_tells_what_to_write_instead),
		cmocka_unit_test(the_scheme_reads_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

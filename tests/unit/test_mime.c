/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "message/mime.h"

/* A field's value, a parameter, and what it says; NULL: -ENOENT. */
static const char *const parameters[][3] = {
	{ "text/plain; charset=utf-8", "charset", "utf-8" },
	{ "text/plain; CHARSET = \"us-ascii\" ; format=flowed", "charset", "us-ascii" },
	{ "text/plain; charset=us-ascii (Plain text)", "charset", "us-ascii" },
	{ "text/plain (a; b=c); charset=(x)utf-8", "charset", "utf-8" },
	{ "multipart/mixed; boundary=\"a;b=\\\"c\\\"\"", "boundary", "a;b=\"c\"" },
	{ "attachment; filename=my file.pdf; size=3", "filename", "my file.pdf" },
	{ "attachment; filename=my file (1).pdf", "filename", "my file (1).pdf" },
	{ "attachment; filename=\"unclosed", "filename", "unclosed" },
	{ "message/external-body; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub\"", "url", "ftp://cs.utk.edu/pub" },
	{ "x/y; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "title", "This is ***fun***" },
	{ "x/y; title*1*=%2A%2A%2Afun; title*0*=iso-8859-1'en'caf%E9%20; title*2=\"%41\"", "title", "café ***fun%41" },
	{ "x/y; filename=plain.txt; filename*=UTF-8''%E5%8F%91%E7%A5%A8.txt", "filename", "发票.txt" },
	{ "x/y; filename*=no-quotes%41", "filename", "no-quotesA" },
	{ "x/y; name*0=a; name*2=c", "name", "a" },
	{ "x/y; filename=\"=?utf-8?q?a?=\"", "filename", "=?utf-8?q?a?=" },
	{ "x/y;;; junk; =; a=", "a", "" },
	{ "x/y; acharset=1", "charset", NULL },
	{ "x/y", "charset", NULL },
	{ "", "charset", NULL },
	{ "x/y; charset", "charset", NULL },
};

static void parameters_are_unquoted_and_joined(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
		CLEANUP(buf) struct buf out = BUF_INIT;
		int r = mime_parameter(parameters[i][0], strlen(parameters[i][0]), parameters[i][1], &out);

		assert_int_equal(r, parameters[i][2] ? 0 : -ENOENT);
		assert_string_equal(buf_str(&out), parameters[i][2] ? parameters[i][2] : "");
	}
}

#define MULTIPART "Subject: x\r\nContent-Type: multipart/mixed;\r\n boundary=\"b\"\r\n\r\n"

static const struct {
	const char *message;
	bool unfinished;
} messages[] = {
	{ "Subject: x\r\n\r\nbody", false },
	{ "Content-Type: text/plain; boundary=b\r\n\r\nbody", false },
	{ MULTIPART "--b\r\n\r\ntext\r\n--b--\r\n", false },
	{ MULTIPART "--b\r\n\r\ntext\r\n--b--", false },
	{ MULTIPART "--b\r\n\r\ntext\r\n--b-- \t\r\nepilogue", false },
	{ MULTIPART "--b--\r\n", false },
	{ "Content-Type: MULTIPART/mixed; boundary=b\n\n--b\n\ntext\n--b--\n", false },
	{ MULTIPART "--b\r\n\r\ntext\r\n--b-", true },
	{ MULTIPART "--b\r\n\r\ntext\r\n--b--x\r\n", true },
	{ MULTIPART "--b\r\n\r\ntext\r\n --b--\r\n", true },
	{ MULTIPART "--b\r\n\r\ntext --b--\r\n", true },
	{ MULTIPART, true },
	{ "Content-Type: multipart/mixed; boundary=b", true },
	{ "Content-Type: multipart/mixed;", true },
	/* only the outermost one has to be closed */
	{ MULTIPART "--b\r\nContent-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n\r\n--b--\r\n", false },
	{ MULTIPART "--b\r\nContent-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n\r\n--bb--\r\n", true },
};

static void a_multipart_without_its_last_line_is_unfinished(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
		if (mime_is_unfinished(messages[i].message, strlen(messages[i].message)) != messages[i].unfinished)
			fail_msg("%s", messages[i].message);
}

static void a_message_begins_with_a_field(void **state)
{
	(void)state;
	assert_true(message_is_plausible("Subject: x\n", 11));
	assert_true(message_is_plausible("X-Y:", 4));
	assert_false(message_is_plausible("", 0));
	assert_false(message_is_plausible("\r\nSubject: x\n", 13));
	assert_false(message_is_plausible("From alice Mon Jan 1 00:00:00 2026\nSubject: x\n", 46));
	assert_false(message_is_plausible("Dear Bob: hello\n", 16));
	assert_false(message_is_plausible("%PDF-1.7\n", 9));
	assert_false(message_is_plausible("\x7f"
					  "ELF:",
					  5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_unquoted_and_joined),
		cmocka_unit_test(a_multipart_without_its_last_line_is_unfinished),
		cmocka_unit_test(a_message_begins_with_a_field),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdlib.h>

#include "message/charset.h"
#include "message/name.h"

#define STAMP "2026-04-14_0930_"
#define S16 "0123456789abcdef"

static const struct {
	const char *header;
	const char *name; /* between stamp and UID */
} incoming[] = {
	{ "From: Alice Example <alice@example.com>\r\nSubject: Re: quarterly report!\r\n\r\n",
	  "Alice-Example_Re-quarterly-report" },
	{ "Subject: x\nFrom: alice@example.com\n", "alice_x" },
	{ "", "unknown_no-subject" },
	{ "From: \r\nSubject: \r\n\r\n", "unknown_no-subject" },
	{ "From: !!! <a.b@c>\r\nSubject: ...\r\n", "a-b_no-subject" },
	{ "From: <a@b>\r\nSubject: folded\r\n subject\r\n", "a_folded-subject" },
	{ "From: =?gb2312?B?1cXI/Q==?= <a@b>\r\nSubject: =?utf-8?B?5Y+R56Wo?= 2026\r\n", "张三_发票-2026" },
	{ "From: a@b\r\nSubject: caf\xe9 cre\xcc\x80me\r\n", "a_café-creÌ-me" },
	{ "From: a@b\r\nSubject: cre\xcc\x80me\r\n", "a_crème" },
	{ "From: a@b\r\nSubject: \xe2\x9d\xa4\xef\xb8\x8f love \xf0\x9f\x8e\x89\r\n", "a_love" },
	{ "From: a@b\r\nSubject: हिन्दी भाषा\r\n", "a_हिन्दी-भाषा" },
	{ "From: a@b\r\nSubject: مرحبا (العالم)\r\n", "a_مرحبا-العالم" },
	{ "From: a@b\r\nSubject: ../../etc/passwd\r\n", "a_etc-passwd" },
	{ "From: a@b\r\nSubject: a_b.c-d e\r\n", "a_a-b-c-d-e" },
	{ "From: a@b\r\nSubject: =?utf-8?q?=0A=00=1B[2J?=x\r\n", "a_2Jx" },
	{ "From: Mail Delivery System\r\nSubject: x\r\n", "Mail-Delivery-System_x" },
	{ "From: \"Alice", "Alice_no-subject" },
	{ "Sender: b@c\r\n", "unknown_no-subject" },
	{ "From: 0123456789 0123456789 0123456789 <a@b>\r\nSubject: x\r\n", "0123456789-0123456789-01_x" },
	{ "From: a@b\r\nSubject: " S16 S16 S16 S16 S16 "\r\n", "a_" S16 S16 S16 S16 "01234567" },
	{ "From: a@b\r\nSubject: " S16 S16 S16 S16 "0123456 789\r\n", "a_" S16 S16 S16 S16 "0123456" },
	{ "From: a@b\r\nSubject: " S16 S16 S16 S16 "012345é9\r\n", "a_" S16 S16 S16 S16 "012345é" },
	{ "From: a@b\r\nSubject: " S16 S16 S16 S16 "0123456é9\r\n", "a_" S16 S16 S16 S16 "0123456" },
};

static void from_and_subject_become_words_of_any_script(void **state)
{
	char name[MESSAGE_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof incoming / sizeof incoming[0]; i++) {
		CLEANUP(buf) struct buf expected = BUF_INIT;

		buf_printf(&expected, STAMP "%s.1234.eml", incoming[i].name);
		message_name_subject(NULL, 1776159000, incoming[i].header, strlen(incoming[i].header), false, 1234, name);
		assert_string_equal(name, expected.data);
	}
}

static void outgoing_mail_is_named_for_its_first_recipient(void **state)
{
	static const char *const cases[][2] = {
		{ "From: me@x\r\nTo: Bob B <b@c>, d@e\r\nSubject: hi\r\n", STAMP "to-Bob-B_hi.7.eml" },
		{ "To: undisclosed-recipients:;\r\nCc: c@d\r\n", STAMP "to-c_no-subject.7.eml" },
		{ "From: me@x\r\nSubject: draft\r\n", STAMP "to-unknown_draft.7.eml" },
		{ "To: 0123456789 0123456789 0123456789 <a@b>\r\n", STAMP "to-0123456789-0123456789_no-subject.7.eml" },
	};
	char name[MESSAGE_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		message_name_subject(NULL, 1776159000, cases[i][0], strlen(cases[i][0]), true, 7, name);
		assert_string_equal(name, cases[i][1]);
	}
}

static void the_longest_name_is_128_bytes(void **state)
{
	static const char header[] = "From: " S16 S16 "\r\nSubject: " S16 S16 S16 S16 S16 "\r\n";
	char name[MESSAGE_NAME_MAX + 1];

	(void)state;
	message_name_subject(NULL, 1776159000, header, sizeof header - 1, false, UINT32_MAX, name);
	assert_int_equal(strlen(name), MESSAGE_NAME_MAX);
}

static void the_uid_scheme_holds_both_numbers(void **state)
{
	char name[MESSAGE_NAME_MAX + 1];

	(void)state;
	message_name_uid(1700000000, 42, name);
	assert_string_equal(name, "1700000000-42.eml");
	message_name_uid(UINT32_MAX, UINT32_MAX, name);
	assert_string_equal(name, "4294967295-4294967295.eml");
}

static void whatever_the_header_the_name_is_one_valid_component(void **state)
{
	static const char *const pieces[] = { "From: ", "Subject: ", "\r\n", "=?utf-8?q?", "?=", "=?gb2312?B?", "\"",
					      "<",	">",	     "@",    ",",	   "a",	 "\xe9",	"\xcc\x80",
					      "发",	"/",	     ".",    "\x1b",	   " " };
	char name[MESSAGE_NAME_MAX + 1];

	(void)state;
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		CLEANUP(buf) struct buf header = BUF_INIT;

		for (long n = random() % 40; n >= 0; n--)
			assert_int_equal(buf_append_str(&header, pieces[random() % (long)(sizeof pieces / sizeof pieces[0])]), 0);
		message_name_subject(NULL, 1776159000, header.data, header.len, i % 2, 7, name);
		assert_true(strlen(name) <= MESSAGE_NAME_MAX);
		assert_true(charset_is_utf8(name, strlen(name)));
		assert_memory_equal(name, STAMP, strlen(STAMP));
		assert_null(strpbrk(name, "/ \r\n\x1b"));
		assert_string_equal(name + strlen(name) - 6, ".7.eml");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_and_subject_become_words_of_any_script),
		cmocka_unit_test(outgoing_mail_is_named_for_its_first_recipient),
		cmocka_unit_test(the_longest_name_is_128_bytes),
		cmocka_unit_test(the_uid_scheme_holds_both_numbers),
		cmocka_unit_test(whatever_the_header_the_name_is_one_valid_component),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

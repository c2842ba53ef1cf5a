/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdlib.h>

#include "message/encoded_word.h"

#define FFFD "\xef\xbf\xbd"

/* On the wire, and for people. */
static const char *const decoded[][2] = {
	{ "", "" },
	{ "plain text", "plain text" },
	{ "=?utf-8?B?5Y+R56Wo?=", "发票" },
	{ "=?UTF-8?q?caf=C3=A9_=3d?= au lait", "café = au lait" },
	{ "Re: =?gb2312?B?yNXOxA==?= x", "Re: 日文 x" },
	{ "=?x-sjis?B?k/qWew==?=", "日本" },
	{ "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本" },
	{ "=?ks_c_5601-1987?B?x9GxuQ==?=", "한국" },
	{ "=?big5?B?pKSk5Q==?=", "中文" },
	{ "=?koi8-r?Q?=F0=D2=C9=D7=C5=D4?=", "Привет" },
	{ "=?windows-1255?Q?=F9=EC=E5=ED?=", "שלום" },
	{ "=?iso-8859-1?Q?=80_=93x=94_=E9?=", "€ “x” é" },
	{ "=?unknown-8bit?Q?=E9?=", "é" },
	{ "=?no-such-charset?Q?=C3=A9?=", "é" },
	{ "=?us-ascii?Q?=C3=A9?=", "é" },
	{ "=?utf-8*en?Q?x?=", "x" },
	{ "=?utf-16be?B?AGEAYg==?=", "ab" },
	/* a character over two words, and two groups of digits each padded */
	{ "=?utf-8?B?5Y8=?= =?utf-8?B?keelqA==?=", "发票" },
	{ "=?utf-8?Q?caf=C3?=\t \r\n =?UTF-8?Q?=A9?=", "café" },
	{ "=?utf-8?Q?a?= =?iso-8859-1?Q?=E9?=", "aé" },
	{ "=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c" },
	{ "=?utf-8?Q?a?=b=?utf-8?Q?c?=", "abc" },
	/* not quite words */
	{ "=?utf-8?Q?a b?=", "a b" },
	{ "=?utf-8?Q?=ZZ=4?=", "=ZZ=4" },
	{ "=?utf-8?X?a?=", "=?utf-8?X?a?=" },
	{ "=?utf-8?Q?never closed", "=?utf-8?Q?never closed" },
	{ "=?"
	  "?Q?a?=",
	  "=?"
	  "?Q?a?=" },
	{ "=?utf-8?Q?"
	  "?=",
	  "" },
	{ "=?utf-8?B?5Y+?=", FFFD },
	{ "=?utf-8?Q?=FF=FEx?=", FFFD FFFD "x" },
	{ "=?", "=?" },
	{ "a=?utf-8?Q?=?=?=", "a=?=" },
	/* raw 8-bit */
	{ "caf\xc3\xa9", "café" },
	{ "caf\xe9", "café" },
	{ "\xe5\x8f\x91\xe7\xa5", "发" FFFD },
	{ "=?utf-8?Q?a?= caf\xe9", "a café" },
	/* control characters */
	{ "a\tb", "a b" },
	{ "=?utf-8?Q?a=0D=0ABcc:_x?=", "a  Bcc: x" },
	{ "=?utf-8?Q?=1B[2J=C2=9B?=x", " [2J x" },
	/* names that mean something else to iconv */
	{ "=?utf-8//IGNORE?Q?=FF?=", "ÿ" },
	{ "=?/etc/passwd?Q?a?=", "a" },
	{ "=?char?Q?=E9?=", "é" },
};

static void header_text_is_decoded_for_people(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof decoded / sizeof decoded[0]; i++) {
		CLEANUP(buf) struct buf out = BUF_INIT;

		assert_int_equal(encoded_word_decode(decoded[i][0], strlen(decoded[i][0]), &out), 0);
		assert_string_equal(buf_str(&out), decoded[i][1]);
	}
}

static void random_words_give_valid_text_without_control_characters(void **state)
{
	static const char *const pieces[] = { "=?",   "?=", "?Q?",  "?B?",    "utf-8",	"iso-2022-jp", "gb2312", "=E9",
					      "5Y+R", " ",  "\xe9", "\x1b$B", "=C2=85", "_",	       "=" };

	(void)state;
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		CLEANUP(buf) struct buf text = BUF_INIT;
		CLEANUP(buf) struct buf out = BUF_INIT;

		for (long n = random() % 12; n >= 0; n--)
			assert_int_equal(buf_append_str(&text, pieces[random() % (long)(sizeof pieces / sizeof pieces[0])]), 0);
		assert_int_equal(encoded_word_decode(text.data, text.len, &out), 0);
		assert_true(charset_is_utf8(buf_str(&out), out.len));
		for (size_t j = 0; j < out.len; j++)
			assert_true((unsigned char)out.data[j] >= ' ' && out.data[j] != 0x7f);
	}
}

static const char *const texts[] = {
	"",
	"plain",
	"Re: [list] 发票 for you",
	"发票",
	"looks =?utf-8?q?like?= one",
	"a\r\nBcc: x",
	"Ein sehr langer Betreff mit Umlauten: äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöü und noch viel mehr Text",
	"发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票发票",
	"  two  spaces  é  é  ",
};

static void what_is_encoded_is_ascii_in_short_words_and_decodes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		CLEANUP(buf) struct buf wire = BUF_INIT;
		CLEANUP(buf) struct buf back = BUF_INIT;
		CLEANUP(buf) struct buf expected = BUF_INIT;

		assert_int_equal(encoded_word_encode(texts[i], strlen(texts[i]), &wire), 0);
		assert_true(charset_is_ascii(buf_str(&wire), wire.len));
		for (const char *word = strstr(buf_str(&wire), "=?"); word; word = strstr(word + 1, "=?"))
			assert_true(strstr(word, "?=") - word + 2 <= 75);
		for (const char *line = strchr(buf_str(&wire), '\r'); line; line = strchr(line + 1, '\r'))
			assert_memory_equal(line, "\r\n =?", 5);
		assert_int_equal(encoded_word_decode(buf_str(&wire), wire.len, &back), 0);
		assert_int_equal(buf_append_str(&expected, texts[i]), 0);
		for (size_t j = 0; j < expected.len; j++)
			if ((unsigned char)expected.data[j] < ' ')
				expected.data[j] = ' ';
		assert_string_equal(buf_str(&back), buf_str(&expected));
	}
}

static void bodies_keep_their_lines(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(charset_to_utf8("gb2312", "\xd6\xd0\r\n\tx\xff\xce", 8, &out), 0);
	assert_string_equal(buf_str(&out), "中\r\n\tx" FFFD FFFD);
}

static void a_converter_that_holds_a_character_back_gives_it_at_the_end(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(charset_to_utf8("big5", "\x88\x66", 2, &out), 0);
	assert_string_equal(buf_str(&out), "Ê");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_text_is_decoded_for_people),
		cmocka_unit_test(random_words_give_valid_text_without_control_characters),
		cmocka_unit_test(what_is_encoded_is_ascii_in_short_words_and_decodes_back),
		cmocka_unit_test(bodies_keep_their_lines),
		cmocka_unit_test(a_converter_that_holds_a_character_back_gives_it_at_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

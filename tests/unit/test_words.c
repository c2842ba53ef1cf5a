/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "ctl/words.h"

static void expect(const char *words, const char *expected)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	assert_int_equal(words_append(&b, words, '?'), 0);
	assert_string_equal(buf_str(&b), expected);
}

static void letters_of_any_script_stay(void **state)
{
	(void)state;
	expect("", "");
	expect("550 no such user", "550 no such user");
	expect("gr\xc3\xbc\xc3\x9f\x65 \xe5\x8f\x91\xe7\xa5\xa8 \xf0\x9f\x93\xa7\xc2\xa0.",
	       "gr\xc3\xbc\xc3\x9f\x65 \xe5\x8f\x91\xe7\xa5\xa8 \xf0\x9f\x93\xa7\xc2\xa0.");
}

static void nothing_moves_the_cursor(void **state)
{
	(void)state;
	expect("a\nb\tc\033[2Jd\x7f", "a?b?c?[2Jd?");
	expect("\xc2\x9b"
	       "2J\xc2\x80",
	       "?2J?");
	expect("\x9b"
	       "2J",
	       "?2J");
}

static void what_is_not_utf8_is_replaced_byte_by_byte(void **state)
{
	(void)state;
	expect("caf\xe9.eml", "caf?.eml");
	expect("\xe5\x8f", "??");
	expect("\xc2", "?");
	expect("\xc2\033", "??");
	expect("\xc0\xaf\xed\xa0\x80\xff", "??????");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_of_any_script_stay),
		cmocka_unit_test(nothing_moves_the_cursor),
		cmocka_unit_test(what_is_not_utf8_is_replaced_byte_by_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

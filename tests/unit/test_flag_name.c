/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "message/flag_name.h"
#include "message/flags.h"

static void a_keyword_and_its_name_go_to_and_fro(void **state)
{
	static const char *const pairs[][2] = {
		{ "project-x", "project-x" }, { "$Forwarded", "$Forwarded" }, { "a/b", "a%2Fb" },   { "seen", "%73een" },
		{ "Unseen", "%55nseen" },     { "FLAGGED", "%46LAGGED" },     { "seen2", "seen2" }, { ".", "%2E" },
		{ "..", "%2E%2E" },	      { ".hidden", ".hidden" },	      { "~", "~" },	    { "/", "%2F" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		CLEANUP(buf) struct buf name = BUF_INIT, keyword = BUF_INIT;

		assert_int_equal(flag_name_of_keyword(pairs[i][0], &name), 0);
		assert_string_equal(buf_str(&name), pairs[i][1]);
		assert_int_equal(flag_name_to_keyword(pairs[i][1], &keyword), 0);
		assert_string_equal(buf_str(&keyword), pairs[i][0]);
	}
}

static void what_no_keyword_is_called_is_refused(void **state)
{
	static const char *const names[] = { "",    "seen",   "Seen", "\\Seen", "a b",	"%",	"%2",	  "%zz",     "%61bc",
					     "a%",  "%2f",    "(",    "*",	"a\"b", "a]b",	"\\Junk", "%20",     "%00",
					     "%5C", "%0A%0D", ".",    "..",	"%2E.", "a%2X", "%+1",	  "\xc3\xa9" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		CLEANUP(buf) struct buf keyword = BUF_INIT;

		assert_int_equal(flag_name_to_keyword(names[i], &keyword), -EINVAL);
		assert_int_equal(keyword.len, 0);
	}
}

static void a_name_that_no_directory_can_have_is_too_long(void **state)
{
	CLEANUP(buf) struct buf name = BUF_INIT;
	char keyword[257];

	(void)state;
	memset(keyword, 'k', sizeof keyword);
	keyword[256] = '\0';
	assert_int_equal(flag_name_of_keyword(keyword, &name), -ENAMETOOLONG);
	assert_int_equal(name.len, 0);
	keyword[255] = '\0';
	assert_int_equal(flag_name_of_keyword(keyword, &name), 0);
}

static void every_system_flag_has_a_name(void **state)
{
	CLEANUP(buf) struct buf words = BUF_INIT, canonical = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < FLAG_NAMES; i++)
		assert_int_equal(buf_printf(&words, " %s", flag_names[i].word), 0);
	assert_int_equal(flags_canonical(buf_str(&words), &canonical), 0);
	assert_string_equal(buf_str(&canonical), "\\Seen \\Answered \\Flagged \\Deleted \\Draft");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_keyword_and_its_name_go_to_and_fro),
		cmocka_unit_test(what_no_keyword_is_called_is_refused),
		cmocka_unit_test(a_name_that_no_directory_can_have_is_too_long),
		cmocka_unit_test(every_system_flag_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

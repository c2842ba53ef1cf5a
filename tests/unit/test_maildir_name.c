/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "message/flags.h"
#include "message/maildir_name.h"

static void our_names_go_to_and_fro(void **state)
{
	static const struct maildir_name names[] = { { 1690000000, 1700000001, 42 }, { 0, 1, 1 }, { -5, UINT32_MAX, UINT32_MAX } };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		CLEANUP(buf) struct buf text = BUF_INIT;
		struct maildir_name again = { 0 };

		assert_int_equal(maildir_name_make(&names[i], "FS", &text), 0);
		assert_true(maildir_name_parse(buf_str(&text), &again));
		assert_int_equal(again.date_s, names[i].date_s);
		assert_int_equal(again.uidvalidity, names[i].uidvalidity);
		assert_int_equal(again.uid, names[i].uid);
	}
}

static void the_form_is_that_of_the_manual(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT;

	(void)state;
	assert_int_equal(maildir_name_make(&(struct maildir_name){ 1690000000, 7, 42 }, "S", &text), 0);
	assert_string_equal(buf_str(&text), "1690000000.V7U42.mailfs:2,S");
}

static void ours_are_told_from_others(void **state)
{
	static const char *const others[] = { "",
					      "x",
					      "1690000000.M1P1.localhost:2,S",
					      "1690000000.V7U42.mailfs2:2,S",
					      "1690000000.V7U42.mailfs:2,:2,S",
					      "1690000000.V7U42:2,S",
					      "1690000000.V0U42.mailfs:2,S",
					      "1690000000.V07U42.mailfs:2,S",
					      "1690000000.V7U.mailfs",
					      "1690000000.V7U-1.mailfs",
					      "1690000000.V7U4294967296.mailfs",
					      " 1690000000.V7U42.mailfs",
					      "+1.V7U42.mailfs",
					      "99999999999999999999.V7U42.mailfs",
					      ".V7U42.mailfs" };
	struct maildir_name name;

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(maildir_name_parse(others[i], &name));
	assert_true(maildir_name_parse("1690000000.V7U42.mailfs", &name));
	assert_true(maildir_name_parse("1690000000.V7U42.mailfs:2,whatever", &name));
}

static void letters_are_sorted_and_unknown_ones_left_out(void **state)
{
	static const char *const pairs[][2] = {
		{ "x", "" },	 { "x:2,", "" },       { "x:2,SF", "FS" },	  { "x:2,PabSS", "S" },
		{ "x:1,S", "" }, { "x:2,S:2,F", "F" }, { "x:2,TSRFDP", "DFRST" }, { "S", "" }
	};
	char letters[6];

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		maildir_name_letters(pairs[i][0], letters);
		assert_string_equal(letters, pairs[i][1]);
	}
}

static void letters_become_flags_and_flags_letters(void **state)
{
	CLEANUP(buf) struct buf flags = BUF_INIT, none = BUF_INIT;
	char letters[6];

	(void)state;
	assert_int_equal(flags_from_maildir("DFRST", &flags), 0);
	assert_string_equal(buf_str(&flags), "\\Seen \\Answered \\Flagged \\Deleted \\Draft");
	flags_to_maildir(buf_str(&flags), letters);
	assert_string_equal(letters, "DFRST");
	assert_int_equal(flags_from_maildir("", &none), 0);
	assert_string_equal(buf_str(&none), "");
}

static void one_without_uid_is_known_by_its_file(void **state)
{
	CLEANUP(buf) struct buf name = BUF_INIT, other = BUF_INIT, file = BUF_INIT, plain = BUF_INIT;

	(void)state;
	assert_int_equal(maildir_name_of_file("1690.M1P1.localhost.eml", "FS", &name), 0);
	assert_string_equal(buf_str(&name), "1690.M1P1.localhost:2,FS");
	assert_int_equal(maildir_name_to_file(buf_str(&name), &file), 0);
	assert_string_equal(buf_str(&file), "1690.M1P1.localhost.eml");
	assert_int_equal(maildir_name_of_file("letter", "", &other), 0);
	assert_string_equal(buf_str(&other), "letter:2,");
	assert_int_equal(maildir_name_to_file("1690.M1P1.localhost", &plain), 0);
	assert_string_equal(buf_str(&plain), "1690.M1P1.localhost.eml");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_names_go_to_and_fro),
		cmocka_unit_test(the_form_is_that_of_the_manual),
		cmocka_unit_test(ours_are_told_from_others),
		cmocka_unit_test(letters_are_sorted_and_unknown_ones_left_out),
		cmocka_unit_test(letters_become_flags_and_flags_letters),
		cmocka_unit_test(one_without_uid_is_known_by_its_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

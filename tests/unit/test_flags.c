/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "message/flags.h"

/* Words, and their canonical form; NULL: -EINVAL. */
static const char *const forms[][2] = {
	{ "", "" },
	{ "  \t\r\n", "" },
	{ "\\seen", "\\Seen" },
	{ "\\DRAFT \\deleted \\Flagged \\answered \\SEEN", "\\Seen \\Answered \\Flagged \\Deleted \\Draft" },
	{ "\\Recent \\Seen \\recent", "\\Seen" },
	{ "$Forwarded NonJunk \\Seen $Junk", "\\Seen $Forwarded $Junk NonJunk" },
	{ "b a c a b", "a b c" },
	{ "foo Foo FOO", "FOO" },
	{ "FOO foo Foo", "FOO" },
	{ "Zed apple Bar", "Bar Zed apple" },
	{ "\\Unknown", NULL },
	{ "a(b", NULL },
	{ "a\"b", NULL },
	{ "a%b", NULL },
	{ "a]b", NULL },
	{ "a\\b", NULL },
	{ "caf\xc3\xa9", NULL },
	{ "a\x01"
	  "b",
	  NULL },
	{ "\\*", NULL },
};

static void equal_sets_have_equal_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		CLEANUP(buf) struct buf out = BUF_INIT;

		if (!forms[i][1]) {
			assert_int_equal(flags_canonical(forms[i][0], &out), -EINVAL);
			assert_string_equal(buf_str(&out), "");
			continue;
		}
		assert_int_equal(flags_canonical(forms[i][0], &out), 0);
		assert_string_equal(buf_str(&out), forms[i][1]);
	}
}

static void what_a_server_invents_is_left_out(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(flags_canonical_lenient("b \\Odd \\seen a] a", &out), 0);
	assert_string_equal(buf_str(&out), "\\Seen a b");
}

static void many_keywords_are_sorted_too(void **state)
{
	CLEANUP(buf) struct buf words = BUF_INIT;
	CLEANUP(buf) struct buf out = BUF_INIT;
	CLEANUP(buf) struct buf again = BUF_INIT;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_printf(&words, "k%d ", i * 7 % 500), 0);
	assert_int_equal(flags_canonical(words.data, &out), 0);
	assert_int_equal(flags_canonical(out.data, &again), 0);
	assert_string_equal(out.data, again.data);
	assert_true(flags_has(out.data, "K499"));
	assert_false(flags_has(out.data, "k500"));
}

static void has_compares_whole_words_without_case(void **state)
{
	(void)state;
	assert_true(flags_has("\\Seen $Junk", "\\seen"));
	assert_true(flags_has("\\Seen $Junk", "$JUNK"));
	assert_false(flags_has("\\Seen $Junk", "$Jun"));
	assert_false(flags_has("\\Seen $Junk", "Junk"));
	assert_false(flags_has("", "x"));
}

static void a_difference_is_what_to_add_and_to_remove(void **state)
{
	CLEANUP(buf) struct buf add = BUF_INIT;
	CLEANUP(buf) struct buf gone = BUF_INIT;

	(void)state;
	assert_int_equal(flags_difference("\\Seen \\Draft a b", "\\Seen \\Flagged B c", &add, &gone), 0);
	assert_string_equal(buf_str(&add), "\\Flagged c");
	assert_string_equal(buf_str(&gone), "\\Draft a");
}

static void maildir_letters_stand_in_ascii_order(void **state)
{
	char letters[6];

	(void)state;
	flags_to_maildir("\\Seen \\Answered \\Flagged \\Deleted \\Draft $x", letters);
	assert_string_equal(letters, "DFRST");
	flags_to_maildir("\\Seen $x", letters);
	assert_string_equal(letters, "S");
	flags_to_maildir("", letters);
	assert_string_equal(letters, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_sets_have_equal_strings),
		cmocka_unit_test(what_a_server_invents_is_left_out),
		cmocka_unit_test(many_keywords_are_sorted_too),
		cmocka_unit_test(has_compares_whole_words_without_case),
		cmocka_unit_test(a_difference_is_what_to_add_and_to_remove),
		cmocka_unit_test(maildir_letters_stand_in_ascii_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

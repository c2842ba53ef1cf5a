/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "message/charset.h"
#include "message/folder_name.h"

enum { UTF7 = 0, UTF8 = 1, BELOW = 0, TOP = 2 };

static const struct name_case {
	const char *wire;
	int how;
	const char *component;
} cases[] = {
	{ "Projects", UTF7, "Projects" },
	{ "Tom &- Jerry", UTF7, "Tom & Jerry" },
	{ "&U,BTFw-", UTF7, "台北" },
	{ "~peter/mail", UTF7, "~peter%2Fmail" },
	{ "&ZeVnLIqe-", UTF7, "日本語" },
	{ "&2D3eAA-", UTF7, "😀" },
	{ "Entw&APw-rfe", UTF7, "Entwürfe" },
	{ "Entw\xc3\xbcrfe", UTF8, "Entwürfe" },
	{ "Tom & Jerry", UTF8, "Tom & Jerry" },
	{ "100%", UTF7, "100%" },
	{ "100%25", UTF7, "100%2525" },
	{ "%zz", UTF7, "%zz" },
	{ ".", UTF7, "%2E" },
	{ "..", UTF7, "%2E." },
	{ ".text", UTF7, "%2Etext" },
	{ "a.b", UTF7, "a.b" },
	{ "a.eml", UTF7, "a%2Eeml" },
	{ ".eml", UTF7, "%2Eeml" },
	{ "a.eml.b", UTF7, "a.eml.b" },
	{ "outbox", UTF7 | TOP, "%6Futbox" },
	{ "OUTBOX", UTF7 | TOP, "%4FUTBOX" },
	{ "outbox", UTF7, "outbox" },
	{ "outbox2", UTF7 | TOP, "outbox2" },
	{ "a&AAE-b", UTF7, "a%01b" },
	{ "a\x01"
	  "b",
	  UTF8, "a%01b" },
	{ "a\x7f", UTF8, "a%7F" },
	{ "a\xc2\x9b", UTF8, "a%C2%9B" },
	/* no modified UTF-7, or not the canonical one */
	{ "a&b", UTF7, "a%26b" },
	{ "&", UTF7, "%26" },
	{ "&Zg-", UTF7, "%26Zg-" },
	{ "&ZeVnLIqe", UTF7, "%26ZeVnLIqe" },
	{ "&AGE-", UTF7, "%26AGE-" },
	{ "&AOk-&AOk-", UTF7, "%26AOk-%26AOk-" },
	{ "&2D0-", UTF7, "%262D0-" },
	{ "&AAA-", UTF7, "%26AAA-" },
	{ "caf\xe9", UTF7, "caf%E9" },
	{ "caf\xc3\xa9", UTF7, "caf%C3%A9" },
	{ "caf\xe9", UTF8, "caf%E9" },
	{ "a\x01"
	  "b",
	  UTF7, "%00a%01b" },
	{ "INBOX", UTF7 | TOP, "INBOX" },
	{ "a \"b\" \\ *", UTF7, "a \"b\" \\ *" },
};

static void names_read_as_people_expect_and_go_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(buf) struct buf component = BUF_INIT;
		CLEANUP(buf) struct buf wire = BUF_INIT;
		bool utf8 = cases[i].how & UTF8;
		bool top = cases[i].how & TOP;

		assert_int_equal(folder_name_to_component(cases[i].wire, strlen(cases[i].wire), utf8, top, &component), 0);
		assert_string_equal(component.data, cases[i].component);
		assert_int_equal(folder_name_from_component(component.data, utf8, top, &wire), 0);
		assert_string_equal(wire.data, cases[i].wire);
	}
}

static void check_reversible(const char *wire, size_t len, int how)
{
	CLEANUP(buf) struct buf component = BUF_INIT;
	CLEANUP(buf) struct buf back = BUF_INIT;
	bool utf8 = how & UTF8;
	bool top = how & TOP;

	assert_int_equal(folder_name_to_component(wire, len, utf8, top, &component), 0);
	assert_true(charset_is_utf8(component.data, component.len));
	assert_null(strchr(component.data, '/'));
	assert_int_not_equal(component.data[0], '.');
	assert_int_equal(folder_name_from_component(component.data, utf8, top, &back), 0);
	assert_int_equal(back.len, len);
	assert_memory_equal(back.data, wire, len);
}

/* All short names of these bytes, in each mode: as each goes back to itself, no two share a component. */
static void every_short_name_is_reversible(void **state)
{
	static const char bytes[] = "&-%.2E/\x01\xc3\xa9\xc2,";
	enum { N = sizeof bytes - 1 };

	(void)state;
	for (int n = 1, count = N; n <= 4; n++, count *= N) {
		for (int i = 0; i < count; i++) {
			char wire[4];

			for (int j = 0, rest = i; j < n; j++, rest /= N)
				wire[j] = bytes[rest % N];
			check_reversible(wire, (size_t)n, UTF7);
			check_reversible(wire, (size_t)n, UTF8);
		}
	}
}

static void random_names_are_reversible(void **state)
{
	static const char shifts[] = "&&-AOkZeVnLIqe2D3.+,%0";

	(void)state;
	srandom(1);
	for (int i = 0; i < 40000; i++) {
		char wire[24];
		size_t len = 1 + (size_t)random() % (sizeof wire - 1);

		for (size_t j = 0; j < len; j++)
			wire[j] = i % 2 ? (char)(1 + random() % 255) : shifts[(size_t)random() % (sizeof shifts - 1)];
		check_reversible(wire, len, i / 2 % 4);
	}
}

static void a_component_that_no_name_gives_is_refused(void **state)
{
	static const char *const refused[] = { "",   "a/b",   ".hidden", "a%41", "a%2eeml", "a.eml",
					       "%2", "a\x01", "%00",	 "%00a", "a%00",    "caf\xe9" };

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		CLEANUP(buf) struct buf wire = BUF_INIT;
		int r = folder_name_from_component(refused[i], false, true, &wire);

		if (!strcmp(refused[i], "%2"))
			assert_int_equal(r, 0);
		else
			assert_int_equal(r, -EINVAL);
	}
}

static void the_inbox_is_one_in_any_case_at_the_top_only(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(folder_name_to_component("Inbox", 5, false, true, &out), 0);
	assert_string_equal(out.data, "INBOX");
	buf_truncate(&out, 0);
	assert_int_equal(folder_name_to_component("Inbox", 5, false, false, &out), 0);
	assert_string_equal(out.data, "Inbox");
	buf_truncate(&out, 0);
	assert_int_equal(folder_name_from_component("inbox", false, true, &out), -EINVAL);
}

static void a_component_over_255_bytes_is_too_long(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT;
	char wire[256];

	(void)state;
	memset(wire, 'a', sizeof wire);
	assert_int_equal(folder_name_to_component(wire, 255, false, false, &out), 0);
	assert_int_equal(out.len, 255);
	assert_int_equal(folder_name_to_component(wire, 256, false, false, &out), -ENAMETOOLONG);
	wire[0] = '/';
	assert_int_equal(folder_name_to_component(wire, 255, false, false, &out), -ENAMETOOLONG);
	assert_int_equal(out.len, 255);
	assert_int_equal(folder_name_to_component("", 0, false, false, &out), -EINVAL);
	assert_int_equal(folder_name_to_component("a\0b", 3, true, false, &out), -EINVAL);
}

/* Patterns, a path, and whether it is shown. */
static const struct selection {
	const char *patterns;
	const char *path;
	bool shown;
} selections[] = {
	{ "*", "INBOX", true },
	{ "*", "a/b/c", true },
	{ "%", "a", true },
	{ "%", "a/b", false },
	{ "a/%", "a/b", true },
	{ "a/%", "a/b/c", false },
	{ "a*c", "a/b/c", true },
	{ "%/%", "a/b", true },
	{ "%/%", "a", false },
	{ "*%b", "x/y/ab", true },
	{ "*/%b", "x/y/ab", true },
	{ "*a%c", "a/abc", true },
	{ "*a%c", "a/ab/c", false },
	{ "", "a", true },
	{ "!Junk", "a", true },
	{ "!Junk", "Junk", false },
	{ "* !Junk", "Junk", false },
	{ "!Junk *", "Junk", true },
	{ "* !Lists/* Lists/keep", "Lists/keep", true },
	{ "* !Lists/* Lists/keep", "Lists/drop", false },
	{ "a", "b", false },
	{ "* \"!Junk Mail\"", "Junk Mail", false },
	{ "* !\"Junk Mail\"", "Junk Mail", false },
	{ "\"a \\\"b\\\" c\"", "a \"b\" c", true },
	{ "a?c [a-z] a#1;", "abc", false },
	{ "a?c [a-z] a#1;", "a?c", true },
	{ "a?c [a-z] a#1;", "a#1;", true },
	{ "发%", "发票", true },
	{ "*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
};

static void the_last_pattern_that_matches_decides(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof selections / sizeof selections[0]; i++)
		if (folder_name_selected(selections[i].patterns, selections[i].path) != selections[i].shown)
			fail_msg("%s: %s", selections[i].patterns, selections[i].path);
}

/* What the two wildcards mean, said as plainly as can be. */
static bool plainly_matches(const char *pattern, const char *path)
{
	if (!*pattern)
		return !*path;
	if (*pattern == '*' || *pattern == '%')
		return plainly_matches(pattern + 1, path) ||
		       (*path && !(*pattern == '%' && *path == '/') && plainly_matches(pattern, path + 1));
	return *path == *pattern && plainly_matches(pattern + 1, path + 1);
}

static void wildcards_agree_with_their_plain_meaning(void **state)
{
	(void)state;
	srandom(1);
	for (int i = 0; i < 200000; i++) {
		char pattern[8] = "";
		char path[10] = "";

		for (long j = random() % 7; j >= 0; j--)
			pattern[j] = "*%a/b"[random() % 5];
		for (long j = random() % 9; j >= 0; j--)
			path[j] = "a/b"[random() % 3];
		if (folder_name_selected(pattern, path) != plainly_matches(pattern, path))
			fail_msg("%s: %s", pattern, path);
	}
}

static void patterns_that_cannot_be_meant_are_told(void **state)
{
	static const char *const good[] = { "*", "* !Junk", "\"!Bulk mail*\" *", "\"a \\\" b\"", "", "a!" };
	static const char *const bad[][2] = {
		{ "\"x", "quote" }, { "* !\"Bulk mail", "quote" }, { "\"a\\\"", "quote" }, { "\"\"", "empty" },
		{ "* !", "empty" }, { "* \"!\"", "empty" },
	};
	const char *advice = "";

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(folder_name_check_patterns(good[i], &advice), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(folder_name_check_patterns(bad[i][0], &advice), -EINVAL);
		assert_non_null(strstr(advice, bad[i][1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_read_as_people_expect_and_go_back),
		cmocka_unit_test(every_short_name_is_reversible),
		cmocka_unit_test(random_names_are_reversible),
		cmocka_unit_test(a_component_that_no_name_gives_is_refused),
		cmocka_unit_test(the_inbox_is_one_in_any_case_at_the_top_only),
		cmocka_unit_test(a_component_over_255_bytes_is_too_long),
		cmocka_unit_test(the_last_pattern_that_matches_decides),
		cmocka_unit_test(wildcards_agree_with_their_plain_meaning),
		cmocka_unit_test(patterns_that_cannot_be_meant_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

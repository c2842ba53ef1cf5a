/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdlib.h>

#include "message/address.h"

/* A field, and the addresses in it as display|local|domain with a space between two; NULL: -EINVAL. */
static const char *const fields[][2] = {
	{ "", "" },
	{ "alice@example.com", "-|alice|example.com" },
	{ "Alice Example <alice@example.com>", "Alice Example|alice|example.com" },
	{ "\"Example, Alice\" <alice@example.com>", "Example, Alice|alice|example.com" },
	{ "\"a \\\"b\\\" \\\\\" <a@b>", "a \"b\" \\|a|b" },
	{ "alice@example.com (Alice (the first) Example)", "Alice (the first) Example|alice|example.com" },
	{ "a@b, c@d;e@f", "-|a|b -|c|d -|e|f" },
	{ " , a@b ,, ", "-|a|b" },
	{ "undisclosed-recipients:;", "" },
	{ "Friends: a@b, Bob <c@d>; e@f", "-|a|b Bob|c|d -|e|f" },
	{ "=?utf-8?q?caf=C3=A9?= <a@b>", "café|a|b" },
	{ "=?utf-8?q?a?= =?utf-8?q?b?= c <a@b>", "ab c|a|b" },
	{ "\"=?utf-8?q?a?=\" <a@b>", "a|a|b" },
	{ "=?utf-8?Q?Example,_<Alice>?= <a@b>", "Example, <Alice>|a|b" },
	{ "caf\xe9 <a@b>", "café|a|b" },
	{ "MAILER-DAEMON", "-|MAILER-DAEMON|-" },
	{ "root <root>", "root|root|-" },
	{ "\"john doe\"@example.com", "-|john doe|example.com" },
	{ "<\"a@b\"@c>", "-|a@b|c" },
	{ "john . doe @ example . com", "-|john.doe|example.com" },
	{ "john(c) . doe@example(c).com", "c|john.doe|example.com" },
	{ "<@r1,@r2:a@b>", "-|a|b" },
	{ "Alice <a@b> trailing words", "Alice|a|b" },
	{ "Alice <a@[192.0.2.1]>", "Alice|a|[192.0.2.1]" },
	{ "D\\user <a@b>", "D\\user|a|b" },
	{ "Alice.B. Example <a@b>", "Alice.B. Example|a|b" },
	{ "用户@例子.广告", "-|用户|例子.广告" },
	{ "\t  Alice\t\tB <a@b>", "Alice B|a|b" },
	{ "Mail Delivery System", NULL },
	{ "a b@c", NULL },
	{ "a@b c", NULL },
	{ "a@b@c", NULL },
	{ "<a@b> <c@d>", NULL },
	{ "Alice <a@b", NULL },
	{ "<>", NULL },
	{ "@b", NULL },
	{ "a@", NULL },
	{ "\"\"@b", NULL },
	{ "\"a@b", NULL },
	{ "<a:b@c>", NULL },
	{ "a@b, broken <", NULL },
	{ "a\\b@c", NULL },
	{ "a]@c", NULL },
	{ "a\x01@c", NULL },
	{ "\"a\x01\"@c", NULL },
	{ "a@\"b> SIZE=1\"", NULL },
	{ "<a@b c>", NULL },
	{ "a@[b> x]", NULL },
	{ "a@[]", NULL },
	{ "a@b\r\nBcc: c@d", NULL },
	{ "\"a\nb\" <a@b>", NULL },
	{ "caf\xe9@b", NULL },
};

static void describe(const struct address_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct address *a = &list->items[i];

		buf_printf(out, "%s%s|%s|%s", i ? " " : "", a->display ? a->display : "-", a->local, a->domain ? a->domain : "-");
	}
}

static void lists_are_read_as_people_write_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		CLEANUP(address_list) struct address_list list = { 0 };
		CLEANUP(buf) struct buf out = BUF_INIT;
		int r = address_parse(fields[i][0], strlen(fields[i][0]), &list);

		describe(&list, &out);
		if (r != (fields[i][1] ? 0 : -EINVAL) || strcmp(buf_str(&out), fields[i][1] ? fields[i][1] : ""))
			fail_msg("%s: %d, %s", fields[i][0], r, buf_str(&out));
	}
}

static void a_nul_is_refused_and_the_list_stays_as_it_was(void **state)
{
	CLEANUP(address_list) struct address_list list = { 0 };

	(void)state;
	assert_int_equal(address_parse("a@b, c@d, e@f", 13, &list), 0);
	assert_int_equal(address_parse("g@h, i\0@j", 9, &list), -EINVAL);
	assert_int_equal(address_parse("g@h, i j", 8, &list), -EINVAL);
	assert_int_equal(list.n, 3);
	assert_string_equal(list.items[2].local, "e");
}

static void the_first_is_found_in_a_field_that_was_cut_off(void **state)
{
	CLEANUP(address_list) struct address_list list = { 0 };
	static const char text[] = "Friends: Alice <a@b>, \"Bob";

	(void)state;
	assert_int_equal(address_parse_first(text, sizeof text - 1, &list), 0);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.items[0].display, "Alice");
}

static void a_path_quotes_what_must_be(void **state)
{
	static const struct {
		struct address a;
		const char *path;
	} cases[] = {
		{ { NULL, "alice", "example.com" }, "alice@example.com" },
		{ { NULL, "a.b+c", "example.com" }, "a.b+c@example.com" },
		{ { NULL, "john doe", "example.com" }, "\"john doe\"@example.com" },
		{ { NULL, ".a", "b" }, "\".a\"@b" },
		{ { NULL, "a..b", "b" }, "\"a..b\"@b" },
		{ { NULL, "a@b", "c" }, "\"a@b\"@c" },
		{ { NULL, "a\"b\\", "c" }, "\"a\\\"b\\\\\"@c" },
		{ { NULL, "用户", "例子.广告" }, "用户@例子.广告" },
		{ { NULL, "root", NULL }, "root" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CLEANUP(buf) struct buf out = BUF_INIT;

		assert_int_equal(address_format(&cases[i].a, &out), 0);
		assert_string_equal(out.data, cases[i].path);
	}
}

static void own_addresses_match_without_case_and_by_domain(void **state)
{
	static const char patterns[] = "Alice <Alice@Example.com>, *@example.org, root";
	static const struct {
		struct address a;
		bool matches;
	} cases[] = {
		{ { NULL, "alice", "example.com" }, true },
		{ { NULL, "ALICE", "EXAMPLE.COM" }, true },
		{ { NULL, "bob", "example.com" }, false },
		{ { NULL, "anyone", "Example.org" }, true },
		{ { NULL, "anyone", "sub.example.org" }, false },
		{ { NULL, "root", NULL }, true },
		{ { NULL, "alice", NULL }, false },
		{ { NULL, "root", "example.com" }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(address_matches(&cases[i].a, patterns), cases[i].matches);
	assert_false(address_matches(&cases[0].a, ""));
	assert_false(address_matches(&cases[0].a, "broken <"));
}

static void only_local_part_and_domain_make_it_international(void **state)
{
	(void)state;
	assert_false(address_is_international(&(struct address){ "用户", "a", "b" }));
	assert_true(address_is_international(&(struct address){ NULL, "用户", "b" }));
	assert_true(address_is_international(&(struct address){ NULL, "a", "例子" }));
	assert_false(address_is_international(&(struct address){ NULL, "a", NULL }));
}

static void a_list_of_thousands_is_read(void **state)
{
	CLEANUP(address_list) struct address_list list = { 0 };
	CLEANUP(buf) struct buf text = BUF_INIT;

	(void)state;
	for (int i = 0; i < 5000; i++)
		assert_int_equal(buf_printf(&text, "Name %d <u%d@example.com>, ", i, i), 0);
	assert_int_equal(address_parse(text.data, text.len, &list), 0);
	assert_int_equal(list.n, 5000);
	assert_string_equal(list.items[4999].local, "u4999");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read_as_people_write_them),
		cmocka_unit_test(a_nul_is_refused_and_the_list_stays_as_it_was),
		cmocka_unit_test(the_first_is_found_in_a_field_that_was_cut_off),
		cmocka_unit_test(a_path_quotes_what_must_be),
		cmocka_unit_test(own_addresses_match_without_case_and_by_domain),
		cmocka_unit_test(only_local_part_and_domain_make_it_international),
		cmocka_unit_test(a_list_of_thousands_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

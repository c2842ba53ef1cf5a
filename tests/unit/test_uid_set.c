/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "backend/uid_set.h"

static void assert_set(const struct uid_set *set, const char *expected)
{
	CLEANUP(buf) struct buf text = BUF_INIT;

	assert_int_equal(uid_set_format(set, &text), 0);
	assert_string_equal(buf_str(&text), expected);
}

static void assert_parsed(const char *text, const char *expected)
{
	CLEANUP(uid_set) struct uid_set set = { 0 };

	assert_int_equal(uid_set_parse(&set, text, strlen(text)), 0);
	assert_set(&set, expected);
}

static void what_touches_or_overlaps_is_joined(void **state)
{
	CLEANUP(uid_set) struct uid_set set = { 0 };

	(void)state;
	uid_set_add(&set, 5, 7);
	uid_set_add(&set, 1, 2);
	uid_set_add(&set, 10, 4294967295);
	assert_set(&set, "1:2,5:7,10:4294967295");
	uid_set_add(&set, 3, 3);
	assert_set(&set, "1:3,5:7,10:4294967295");
	uid_set_add(&set, 4, 20);
	assert_set(&set, "1:4294967295");
	assert_int_equal(uid_set_add(&set, 0, 3), -EINVAL);
	assert_int_equal(uid_set_add(&set, 3, 2), -EINVAL);
}

static void sets_and_search_results_are_read_in_any_order(void **state)
{
	(void)state;
	assert_parsed("1:3,5,9:7", "1:3,5,7:9");
	assert_parsed("7 3 1 2 7 100", "1:3,7,100");
	assert_parsed("", "");
	assert_parsed("4294967295", "4294967295");
}

static void what_is_no_set_is_refused(void **state)
{
	static const char *const texts[] = { "0", "1:", "1:*", "a", "1,b", "4294967296", "99999999999999999999", "1-3" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		CLEANUP(uid_set) struct uid_set set = { 0 };

		assert_int_equal(uid_set_parse(&set, texts[i], strlen(texts[i])), -EPROTO);
	}
}

static void membership_count_and_clipping(void **state)
{
	CLEANUP(uid_set) struct uid_set set = { 0 };

	(void)state;
	uid_set_parse(&set, "2:4,8,10:12", 11);
	assert_true(uid_set_has(&set, 2) && uid_set_has(&set, 4) && uid_set_has(&set, 8));
	assert_false(uid_set_has(&set, 1) || uid_set_has(&set, 5) || uid_set_has(&set, 13));
	assert_int_equal(uid_set_count(&set), 7);
	uid_set_clip(&set, 3, 10);
	assert_set(&set, "3:4,8,10");
	uid_set_clip(&set, 20, 30);
	assert_set(&set, "");
}

static void a_span_holds_so_many_members(void **state)
{
	CLEANUP(uid_set) struct uid_set set = { 0 };
	uint32_t last;

	(void)state;
	uid_set_parse(&set, "2:4,8,10:12", 11);
	assert_int_equal(uid_set_span(&set, 1, 2, &last), 2);
	assert_int_equal(last, 3);
	assert_int_equal(uid_set_span(&set, 4, 3, &last), 3);
	assert_int_equal(last, 10);
	assert_int_equal(uid_set_span(&set, 9, 100, &last), 3);
	assert_int_equal(last, 12);
	assert_int_equal(uid_set_span(&set, 13, 100, &last), 0);
}

static void a_list_is_cut_into_commands_of_a_thousand(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	uint32_t uids[2500];
	size_t at = 0;

	(void)state;
	for (uint32_t i = 0; i < 2500; i++)
		uids[i] = 4294967295 - 2499 + i;
	assert_int_equal(uid_list_format(uids, 2500, &at, &text), 0);
	assert_string_equal(buf_str(&text), "4294964796:4294965795");
	assert_int_equal(at, 1000);
	assert_int_equal(uid_list_format(uids, 2500, &at, &text), 0);
	buf_truncate(&text, 0);
	assert_int_equal(uid_list_format(uids, 2500, &at, &text), 0);
	assert_string_equal(buf_str(&text), "4294966796:4294967295");
	assert_int_equal(at, 2500);
	buf_truncate(&text, 0);
	assert_int_equal(uid_list_format(uids, 2500, &at, &text), 0);
	assert_int_equal(text.len, 0);
}

static void a_list_with_gaps_is_cut_into_short_lines(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	CLEANUP(uid_set) struct uid_set set = { 0 };
	uint32_t uids[2500];
	size_t at = 0;

	(void)state;
	for (uint32_t i = 0; i < 2500; i++)
		uids[i] = 4000000000 + i * 3;
	while (at < 2500) {
		buf_truncate(&text, 0);
		assert_int_equal(uid_list_format(uids, 2500, &at, &text), 0);
		assert_true(text.len > 0 && text.len < 925);
		assert_int_equal(uid_set_parse(&set, buf_str(&text), text.len), 0);
	}
	assert_int_equal(uid_set_count(&set), 2500);
	for (size_t i = 0; i < 2500; i++)
		assert_true(uid_set_has(&set, uids[i]));
}

static void members_come_one_by_one(void **state)
{
	CLEANUP(uid_set) struct uid_set set = { 0 };
	CLEANUP(free) uint32_t *uids = NULL, *none = NULL;
	size_t n;

	(void)state;
	assert_int_equal(uid_set_members(&set, 0, &none, &n), 0);
	assert_int_equal(n, 0);
	uid_set_add(&set, 3, 5);
	uid_set_add(&set, 4294967295, 4294967295);
	assert_int_equal(uid_set_members(&set, 3, &none, &n), -EPROTO);
	assert_int_equal(uid_set_members(&set, 4, &uids, &n), 0);
	assert_int_equal(n, 4);
	assert_memory_equal(uids, ((uint32_t[]){ 3, 4, 5, 4294967295 }), 4 * sizeof(*uids));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_touches_or_overlaps_is_joined),
		cmocka_unit_test(sets_and_search_results_are_read_in_any_order),
		cmocka_unit_test(what_is_no_set_is_refused),
		cmocka_unit_test(membership_count_and_clipping),
		cmocka_unit_test(a_span_holds_so_many_members),
		cmocka_unit_test(a_list_is_cut_into_commands_of_a_thousand),
		cmocka_unit_test(a_list_with_gaps_is_cut_into_short_lines),
		cmocka_unit_test(members_come_one_by_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

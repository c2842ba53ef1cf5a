/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/table.h"

enum { MANY = 5000 };

static void many_rows_are_found_after_others_are_removed(void **state)
{
	struct table t = TABLE_INIT;
	static int values[MANY];
	size_t i = 0, seen = 0;

	(void)state;
	for (int k = 1; k < MANY; k++)
		assert_int_equal(table_set(&t, (int64_t)k * 4096, &values[k]), 0);
	for (int k = 1; k < MANY; k += 2)
		table_remove(&t, (int64_t)k * 4096);
	for (int k = 1; k < MANY; k++)
		assert_ptr_equal(table_get(&t, (int64_t)k * 4096), k % 2 ? NULL : &values[k]);
	while (table_next(&t, &i))
		seen++;
	assert_int_equal(seen, (MANY - 1) / 2);
	table_release(&t);
}

static void an_empty_table_has_nothing(void **state)
{
	struct table t = TABLE_INIT;
	size_t i = 0;

	(void)state;
	assert_null(table_get(&t, 7));
	table_remove(&t, 7);
	assert_null(table_next(&t, &i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_rows_are_found_after_others_are_removed),
		cmocka_unit_test(an_empty_table_has_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

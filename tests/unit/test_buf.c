/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/buf.h"

static void what_is_appended_is_there_with_a_nul_behind(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(buf_append(&b, "a\0b", 3), 0);
	assert_int_equal(buf_printf(&b, "%d", 42), 0);
	assert_memory_equal(b.data, "a\0b42", 6);
	assert_int_equal(b.len, 5);
}

static void an_empty_buffer_is_an_empty_string(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	assert_null(buf_steal(&b));
}

static void consume_and_truncate_keep_the_middle(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(buf_append_str(&b, "0123456789"), 0);
	buf_consume(&b, 3);
	buf_truncate(&b, 4);
	assert_string_equal(buf_str(&b), "3456");
}

static void an_impossible_size_is_enomem_and_changes_nothing(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(buf_append_str(&b, "kept"), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
	assert_string_equal(buf_str(&b), "kept");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_appended_is_there_with_a_nul_behind),
		cmocka_unit_test(an_empty_buffer_is_an_empty_string),
		cmocka_unit_test(consume_and_truncate_keep_the_middle),
		cmocka_unit_test(an_impossible_size_is_enomem_and_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

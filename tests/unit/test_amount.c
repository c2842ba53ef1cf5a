/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "ctl/amount.h"

static const char *text(struct buf *b, int (*amount)(struct buf *out, int64_t n), int64_t n)
{
	buf_truncate(b, 0);
	assert_int_equal(amount(b, n), 0);
	return buf_str(b);
}

static void sizes_have_three_digits_at_most(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_string_equal(text(&b, amount_size, 0), "0 B");
	assert_string_equal(text(&b, amount_size, -1), "0 B");
	assert_string_equal(text(&b, amount_size, 1023), "1023 B");
	assert_string_equal(text(&b, amount_size, 1024), "1.0 KiB");
	assert_string_equal(text(&b, amount_size, 1536), "1.5 KiB");
	assert_string_equal(text(&b, amount_size, 10188), "9.9 KiB");
	assert_string_equal(text(&b, amount_size, 10190), "10 KiB");
	assert_string_equal(text(&b, amount_size, (1 << 20) - 1), "1.0 MiB");
	assert_string_equal(text(&b, amount_size, 20 << 20), "20 MiB");
	assert_string_equal(text(&b, amount_size, (int64_t)2 << 30), "2.0 GiB");
	assert_string_equal(text(&b, amount_size, INT64_MAX), "8.0 EiB");
}

static void counts_have_commas(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_string_equal(text(&b, amount_count, 0), "0");
	assert_string_equal(text(&b, amount_count, 999), "999");
	assert_string_equal(text(&b, amount_count, 1000), "1,000");
	assert_string_equal(text(&b, amount_count, 1048213), "1,048,213");
}

static void durations_have_two_units(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_string_equal(text(&b, amount_duration, -3), "0 s");
	assert_string_equal(text(&b, amount_duration, 59), "59 s");
	assert_string_equal(text(&b, amount_duration, 60), "1 min");
	assert_string_equal(text(&b, amount_duration, 130), "2 min 10 s");
	assert_string_equal(text(&b, amount_duration, 3600), "1 h");
	assert_string_equal(text(&b, amount_duration, 3 * 3600 + 5 * 60 + 59), "3 h 5 min");
	assert_string_equal(text(&b, amount_duration, 2 * 86400 + 4 * 3600), "2 d 4 h");
}

static void only_all_of_it_is_100_percent(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(amount_percent(&b, 99999, 100000), 0);
	assert_string_equal(buf_str(&b), "99 %");
	buf_truncate(&b, 0);
	assert_int_equal(amount_percent(&b, 0, 0), 0);
	assert_string_equal(buf_str(&b), "100 %");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_three_digits_at_most),
		cmocka_unit_test(counts_have_commas),
		cmocka_unit_test(durations_have_two_units),
		cmocka_unit_test(only_all_of_it_is_100_percent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

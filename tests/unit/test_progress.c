/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "ctl/progress.h"

enum { MIB = 1 << 20 };

static void nothing_is_said_of_a_rate_that_is_not_known(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct progress p = { .messages_total = 48213, .bytes_total = 100 * MIB };

	(void)state;
	progress_sample(&p, 1000);
	assert_int_equal(progress_text(&p, &b), 0);
	assert_string_equal(buf_str(&b), "0 of 48,213 messages, 0 B of 100 MiB");
}

static void rate_and_time_left_follow_the_last_samples(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct progress p = { .messages_total = 200, .bytes_total = 500 * MIB };

	(void)state;
	/* A slow start that has left the ring, then 10 MiB a second. */
	for (int i = 0; i < 5; i++)
		progress_sample(&p, i * 1000);
	for (int i = 5; i < 25; i++) {
		p.messages_done += 5;
		p.bytes_done += 10 * MIB;
		progress_sample(&p, i * 1000);
	}
	assert_int_equal(progress_rate(&p), 10 * MIB);
	assert_int_equal(progress_text(&p, &b), 0);
	assert_string_equal(buf_str(&b), "100 of 200 messages, 200 MiB of 500 MiB, 10 MiB/s, 30 s left");
}

static void the_bar_fits_its_columns(void **state)
{
	struct progress p = { .messages_total = 4, .messages_done = 2, .bytes_total = 4096, .bytes_done = 2048 };

	(void)state;
	for (unsigned columns = 1; columns < 200; columns++) {
		CLEANUP(buf) struct buf b = BUF_INIT;

		assert_int_equal(progress_bar(&p, columns, &b), 0);
		assert_true(b.len <= columns);
	}
}

static void half_is_half_a_bar(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT;
	struct progress p = { .messages_total = 4, .messages_done = 2, .bytes_total = 4096, .bytes_done = 2048 };

	(void)state;
	assert_int_equal(progress_bar(&p, 48, &b), 0);
	assert_string_equal(buf_str(&b), "[#####.....] 2 of 4 messages, 2.0 KiB of 4.0 KiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_said_of_a_rate_that_is_not_known),
		cmocka_unit_test(rate_and_time_left_follow_the_last_samples),
		cmocka_unit_test(the_bar_fits_its_columns),
		cmocka_unit_test(half_is_half_a_bar),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

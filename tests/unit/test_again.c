/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>

#include "fs/again.h"

enum { ROOT = 1, INBOX, ARCHIVE, OTHER };

static int setup(void **state)
{
	static struct again again;

	again_init(&again);
	*state = &again;
	return 0;
}

static void who_comes_by_way_of_another_directory_waits_there_and_is_told_once(void **state)
{
	struct again *a = *state;

	assert_int_equal(again_waits_for(a, 7, ARCHIVE), 0);
	assert_true(again_tell(a, 7, ARCHIVE));
	assert_int_equal(again_waits_for(a, 8, ROOT), 0);
	assert_int_equal(again_waits_for(a, 7, ROOT), ARCHIVE);
	assert_int_equal(again_waits_for(a, 7, ROOT), 0); /* nobody waits twice */
	again_has_waited(a, 7, -EHOSTUNREACH);
	assert_int_equal(again_waits_for(a, 7, INBOX), 0);
	assert_int_equal(again_failed(a, 7, OTHER), 0);
	assert_int_equal(again_failed(a, 7, ARCHIVE), -EHOSTUNREACH);
	assert_int_equal(again_failed(a, 8, ARCHIVE), 0);
}

static void who_was_told_is_not_told_again_in_the_same_call(void **state)
{
	struct again *a = *state;

	assert_true(again_tell(a, 7, ARCHIVE));
	assert_int_equal(again_waits_for(a, 7, ARCHIVE), 0); /* straight back: its source, then its target */
	assert_false(again_tell(a, 7, ARCHIVE));
	assert_false(again_tell(a, 7, OTHER));
	assert_false(again_tell(a, 7, OTHER));
	again_end(a, 7);
	assert_true(again_tell(a, 7, OTHER));
}

static void a_thread_that_is_not_known_is_not_told(void **state)
{
	assert_false(again_tell(*state, 0, ARCHIVE));
	assert_int_equal(again_waits_for(*state, 0, ROOT), 0);
}

static void when_too_many_are_told_the_next_is_not(void **state)
{
	struct again *a = *state;

	for (int i = 1; i <= AGAIN_MAX; i++)
		assert_true(again_tell(a, i, ARCHIVE));
	assert_false(again_tell(a, AGAIN_MAX + 1, ARCHIVE));
	again_end(a, 1);
	assert_true(again_tell(a, AGAIN_MAX + 1, OTHER));
	assert_int_equal(again_waits_for(a, AGAIN_MAX + 1, ROOT), OTHER);
}

static void of_those_that_were_killed_none_takes_room_for_ever(void **state)
{
	struct again *a = *state;

	for (int i = 1; i <= AGAIN_MAX; i++)
		assert_true(again_tell(a, i, ARCHIVE));
	assert_int_equal(again_waits_for(a, 1, ROOT), ARCHIVE); /* it waits, however long */
	assert_int_equal(again_waits_for(a, 2, ROOT), ARCHIVE);
	again_has_waited(a, 2, 0);
	for (int i = 0; i < AGAIN_MAX; i++)
		a->told[i].since_ms -= 60 * 1000;
	assert_int_equal(again_waits_for(a, 3, ROOT), 0);
	assert_true(again_tell(a, AGAIN_MAX + 1, ARCHIVE));
	assert_false(again_tell(a, 1, ARCHIVE));
	assert_true(again_tell(a, 2, ARCHIVE)); /* another thread of the same number, or another call of this one */
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_comes_by_way_of_another_directory_waits_there_and_is_told_once),
		TEST(who_was_told_is_not_told_again_in_the_same_call),
		TEST(a_thread_that_is_not_known_is_not_told),
		TEST(when_too_many_are_told_the_next_is_not),
		TEST(of_those_that_were_killed_none_takes_room_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

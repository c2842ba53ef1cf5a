/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>

#include "scratch.h"
#include "store/lock.h"

static void the_second_one_is_told_who_holds_it(void **state)
{
	CLEANUP(buf) struct buf holder = BUF_INIT;
	struct lock *first, *second;

	assert_int_equal(lock_take(*state, "/home/alice/mail", &first, &holder), 0);
	assert_int_equal(holder.len, 0);
	assert_int_equal(lock_take(*state, "/mnt", &second, &holder), -EBUSY);
	assert_string_equal(buf_str(&holder), "/home/alice/mail");
	lock_free(first);
	assert_int_equal(lock_take(*state, "/m", &second, &holder), 0);
	lock_free(second);
}

static void a_shorter_mountpoint_leaves_nothing_of_the_longer(void **state)
{
	CLEANUP(buf) struct buf holder = BUF_INIT;
	struct lock *l, *other;

	assert_int_equal(lock_take(*state, "/a/long/mountpoint", &l, &holder), 0);
	lock_free(l);
	assert_int_equal(lock_take(*state, "/m", &l, &holder), 0);
	assert_int_equal(lock_take(*state, "/x", &other, &holder), -EBUSY);
	assert_string_equal(buf_str(&holder), "/m");
	lock_free(l);
}

static void the_daemon_keeps_it_when_its_parent_has_gone(void **state)
{
	CLEANUP(buf) struct buf holder = BUF_INIT;
	struct lock *l, *other;
	pid_t daemon;

	assert_int_equal(lock_take(*state, "/mnt", &l, &holder), 0);
	daemon = fork();
	if (daemon == 0) {
		pause();
		_exit(0);
	}
	lock_free(l);
	assert_int_equal(lock_take(*state, "/mnt", &other, &holder), -EBUSY);
	kill(daemon, SIGKILL);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	assert_int_equal(lock_take(*state, "/mnt", &other, &holder), 0);
	lock_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(the_second_one_is_told_who_holds_it),
		scratch_test(a_shorter_mountpoint_leaves_nothing_of_the_longer),
		scratch_test(the_daemon_keeps_it_when_its_parent_has_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>

#include "fs/requester.h"

/* On a machine that makes many processes it may take a while until there is a moment without one. */
enum { TRIES = 1000 };

static bool is_childless_once(void)
{
	struct requester before, now;

	for (int i = 0; i < TRIES; i++) {
		requester_identify(getpid(), &before);
		requester_identify(getpid(), &now);
		if (requester_was_childless(&before, &now))
			return true;
	}
	return false;
}

static void nobody_was_made(void **state)
{
	(void)state;
	assert_true(is_childless_once());
}

static void a_child_is_noticed_even_when_it_has_ended(void **state)
{
	struct requester before, now;
	pid_t child;

	(void)state;
	requester_identify(getpid(), &before);
	assert_true(before.newest > 0);
	child = fork();
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	requester_identify(getpid(), &now);
	assert_false(requester_was_childless(&before, &now));
	assert_true(requester_is_alive(&before));
}

static void a_grandchild_of_a_child_that_was_there_is_noticed(void **state)
{
	struct requester before, now;
	int gate[2], done[2];
	pid_t child;
	char c;

	(void)state;
	assert_int_equal(pipe(gate) | pipe(done), 0);
	child = fork();
	if (child == 0) {
		if (read(gate[0], &c, 1) == 1 && fork() == 0)
			_exit(0);
		_exit(write(done[1], "d", 1) != 1);
	}
	requester_identify(getpid(), &before);
	assert_int_equal(write(gate[1], "g", 1), 1);
	assert_int_equal(read(done[0], &c, 1), 1);
	requester_identify(getpid(), &now);
	assert_false(requester_was_childless(&before, &now));
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void another_process_is_another(void **state)
{
	struct requester self, child;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	requester_identify(getpid(), &self);
	requester_identify(pid, &child);
	assert_false(requester_was_childless(&self, &child));
	assert_false(requester_was_childless(&(struct requester){ 0 }, &(struct requester){ 0 }));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(requester_is_alive(&child));
}

static void who_does_something_else_does_not_rename(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_false(requester_renames(pid));
	assert_false(requester_renames(0));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(requester_renames(pid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_was_made),
		cmocka_unit_test(a_child_is_noticed_even_when_it_has_ended),
		cmocka_unit_test(a_grandchild_of_a_child_that_was_there_is_noticed),
		cmocka_unit_test(another_process_is_another),
		cmocka_unit_test(who_does_something_else_does_not_rename),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

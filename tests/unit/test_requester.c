/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <pthread.h>
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

struct thread {
	pthread_t thread;
	pid_t number;
	int gate[2], done[2];
};

static void *stay(void *userdata)
{
	struct thread *t = userdata;
	char c;

	t->number = gettid();
	return write(t->done[1], "d", 1) == 1 && read(t->gate[0], &c, 1) == 0 ? NULL : t;
}

static void a_thread_belongs_to_its_process(void **state)
{
	struct requester self, thread;
	struct thread t;
	void *failed;
	char c;

	(void)state;
	assert_int_equal(pipe(t.gate) | pipe(t.done), 0);
	assert_int_equal(pthread_create(&t.thread, NULL, stay, &t), 0);
	assert_int_equal(read(t.done[0], &c, 1), 1);
	requester_identify(getpid(), &self);
	requester_identify(t.number, &thread);
	assert_int_not_equal(t.number, getpid());
	assert_int_equal(self.process, getpid());
	assert_int_equal(thread.process, getpid());
	close(t.gate[1]);
	assert_int_equal(pthread_join(t.thread, &failed), 0);
	assert_null(failed);
	requester_identify(t.number, &thread);
	assert_int_equal(thread.process, 0);
}

/* Of a process that began after the file was opened, under the number of the one that opened it. */
static void a_later_process_of_the_same_number_is_another(void **state)
{
	unsigned long long start_time;
	struct requester opener, now;

	(void)state;
	requester_identify(getpid(), &opener);
	assert_true(requester_start_time(getpid(), &start_time));
	assert_true(requester_is_alive(&opener));
	now = opener;
	assert_true(requester_was_childless(&opener, &now));
	opener.identified = now.identified = start_time - 1;
	assert_false(requester_is_alive(&opener));
	assert_false(requester_was_childless(&opener, &now));
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
		cmocka_unit_test(a_thread_belongs_to_its_process),
		cmocka_unit_test(a_later_process_of_the_same_number_is_another),
		cmocka_unit_test(who_does_something_else_does_not_rename),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

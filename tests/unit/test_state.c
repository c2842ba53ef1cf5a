/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "scratch.h"
#include "store/state.h"

static struct state *open_state(void **state)
{
	struct state *s = NULL;

	assert_int_equal(state_open(*state, &s), 0);
	return s;
}

static void a_fact_outlives_the_process(void **state)
{
	CLEANUP(buf) struct buf value = BUF_INIT;
	struct state *s = open_state(state);

	assert_int_equal(state_get(s, "zone", &value), -ENOENT);
	assert_int_equal(state_set(s, "zone", "Europe/Berlin"), 0);
	assert_int_equal(state_set(s, "zone", "UTC"), 0);
	state_close(s);
	s = open_state(state);
	assert_int_equal(state_get(s, "zone", &value), 0);
	assert_string_equal(buf_str(&value), "UTC");
	state_close(s);
}

static void what_was_set_survives_kill_9(void **state)
{
	CLEANUP(buf) struct buf value = BUF_INIT;
	struct state *s;
	pid_t child = fork();

	if (child == 0) {
		if (state_open(*state, &s) == 0 && state_set(s, "sent-by", "server") == 0 &&
		    state_sent_add(s, "ab12", 1000, 0) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	s = open_state(state);
	assert_int_equal(state_get(s, "sent-by", &value), 0);
	assert_string_equal(buf_str(&value), "server");
	assert_int_equal(state_sent_has(s, "ab12", 1000), 1);
	state_close(s);
}

static void a_digest_is_known_until_it_is_too_old(void **state)
{
	struct state *s = open_state(state);

	assert_int_equal(state_sent_has(s, "ab12", 0), 0);
	assert_int_equal(state_sent_add(s, "ab12", 1000, 0), 0);
	assert_int_equal(state_sent_has(s, "ab12", 1000), 1);
	assert_int_equal(state_sent_has(s, "ab12", 1001), 0);
	assert_int_equal(state_sent_add(s, "cd34", 5000, 2000), 0);
	assert_int_equal(state_sent_has(s, "ab12", 0), 0);
	assert_int_equal(state_sent_has(s, "cd34", 0), 1);
	state_close(s);
}

static void a_digest_sent_again_counts_from_the_later_time(void **state)
{
	struct state *s = open_state(state);

	assert_int_equal(state_sent_add(s, "ab12", 2000, 0), 0);
	assert_int_equal(state_sent_add(s, "ab12", 1000, 0), 0);
	assert_int_equal(state_sent_has(s, "ab12", 1500), 1);
	assert_int_equal(state_sent_remove(s, "ab12"), 0);
	assert_int_equal(state_sent_has(s, "ab12", 0), 0);
	state_close(s);
}

static void a_damaged_database_is_left_as_it_is(void **state)
{
	static const char rubbish[4096] = "not a database, but perhaps the only copy of something";
	char there[sizeof rubbish];
	struct state *s = NULL;
	int fd = open(scratch_path(state, "state.db"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, rubbish, sizeof rubbish), sizeof rubbish);
	assert_int_equal(state_open(*state, &s), -EUCLEAN);
	assert_null(s);
	assert_int_equal(pread(fd, there, sizeof there, 0), sizeof there);
	assert_memory_equal(there, rubbish, sizeof rubbish);
	close(fd);
}

static void it_is_readable_by_nobody_else(void **state)
{
	struct state *s = open_state(state);
	struct stat st;

	assert_int_equal(state_set(s, "k", "v"), 0);
	assert_int_equal(stat(scratch_path(state, "state.db"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(scratch_path(state, "state.db-wal"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	state_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_fact_outlives_the_process),	     scratch_test(what_was_set_survives_kill_9),
		scratch_test(a_digest_is_known_until_it_is_too_old), scratch_test(a_digest_sent_again_counts_from_the_later_time),
		scratch_test(a_damaged_database_is_left_as_it_is),   scratch_test(it_is_readable_by_nobody_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

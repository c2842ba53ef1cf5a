/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "scratch.h"
#include "store/body.h"

#include "base/cleanup.h"

static const char identity[] = "0123456789abcdef";
enum { NO_LIMIT = 1 << 30, HOUR_S = 3600, N_PUBLISHERS = 4 };

/* The test is linked so that the store's openat() comes through here: a file system without files without names. */
static bool refuse_tmpfile;
int __real_openat(int dirfd, const char *path, int flags, mode_t mode);
int __wrap_openat(int dirfd, const char *path, int flags, mode_t mode);

int __wrap_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	if (refuse_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return __real_openat(dirfd, path, flags, mode);
}

static struct bodies *open_bodies(void **state, int64_t limit_bytes, int64_t limit_age_s)
{
	struct bodies *b = NULL;

	assert_int_equal(bodies_open(*state, identity, limit_bytes, limit_age_s, &b), 0);
	return b;
}

static int begin_with(struct bodies *b, char fill, size_t size)
{
	CLEANUP(free) char *data = malloc(size);
	int fd = body_begin(b);

	assert_true(fd >= 0);
	memset(data, fill, size);
	assert_int_equal(write(fd, data, size), size);
	return fd;
}

static void publish(struct bodies *b, int64_t row, char fill, size_t size)
{
	CLEANUP(fd) int fd = begin_with(b, fill, size);

	assert_int_equal(body_publish(b, fd, row, (int64_t)size), 0);
}

static void assert_body(struct bodies *b, int64_t row, char fill, size_t size)
{
	CLEANUP(fd) int fd = body_open(b, row, (int64_t)size);
	char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, (off_t)size - 1), 1);
	assert_int_equal(c, fill);
}

static const char *body_path(void **state, int64_t row)
{
	static char name[128];

	snprintf(name, sizeof name, "bodies-%s/%02x/%lld", identity, (unsigned)(row & 0xff), (long long)row);
	return scratch_path(state, name);
}

static void used_seconds_ago(void **state, int64_t row, time_t seconds)
{
	struct timespec times[2] = { { .tv_sec = time(NULL) - seconds }, { .tv_nsec = UTIME_OMIT } };

	assert_int_equal(utimensat(AT_FDCWD, body_path(state, row), times, 0), 0);
}

static void what_is_published_is_served_also_after_a_restart(void **state)
{
	struct bodies *b = open_bodies(state, NO_LIMIT, 0);

	publish(b, 300, 'a', 1000);
	assert_body(b, 300, 'a', 1000);
	assert_int_equal(bodies_total(b), 1000);
	bodies_close(b);
	b = open_bodies(state, NO_LIMIT, 0);
	assert_body(b, 300, 'a', 1000);
	assert_true(body_is_cached(b, 300, 1000));
	assert_int_equal(bodies_total(b), 1000);
	body_remove(b, 300);
	assert_int_equal(body_open(b, 300, 1000), -ENOENT);
	assert_int_equal(bodies_total(b), 0);
	bodies_close(b);
}

static void a_half_written_body_is_never_served(void **state)
{
	struct bodies *b;
	pid_t child = fork();

	if (child == 0) {
		b = open_bodies(state, NO_LIMIT, 0);
		begin_with(b, 'a', 500);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	b = open_bodies(state, NO_LIMIT, 0);
	assert_int_equal(body_open(b, 7, 1000), -ENOENT);
	assert_int_equal(body_open(b, 7, 500), -ENOENT);
	assert_int_equal(bodies_total(b), 0);
	bodies_close(b);
}

static void a_body_of_the_wrong_size_is_not_published(void **state)
{
	struct bodies *b = open_bodies(state, NO_LIMIT, 0);
	CLEANUP(fd) int fd = begin_with(b, 'a', 500);

	assert_int_equal(body_publish(b, fd, 7, 1000), -EINVAL);
	assert_int_equal(body_open(b, 7, 1000), -ENOENT);
	bodies_close(b);
}

static void a_body_of_another_size_than_the_index_says_is_removed(void **state)
{
	struct bodies *b = open_bodies(state, NO_LIMIT, 0);
	struct stat st;

	publish(b, 7, 'a', 1000);
	assert_false(body_is_cached(b, 7, 999));
	assert_int_equal(body_open(b, 7, 999), -ENOENT);
	assert_int_equal(bodies_total(b), 0);
	assert_int_equal(stat(body_path(state, 7), &st), -1);
	bodies_close(b);
}

static void a_whole_body_published_twice_stays(void **state)
{
	struct bodies *b = open_bodies(state, NO_LIMIT, 0);

	publish(b, 7, 'a', 1000);
	publish(b, 7, 'b', 1000);
	assert_body(b, 7, 'a', 1000);
	publish(b, 7, 'c', 600);
	assert_body(b, 7, 'c', 600);
	assert_int_equal(bodies_total(b), 600);
	bodies_close(b);
}

static void a_reader_keeps_what_is_evicted(void **state)
{
	struct bodies *b = open_bodies(state, NO_LIMIT, 0);
	CLEANUP(fd) int fd = -1;
	char c;

	publish(b, 7, 'a', 1000);
	fd = body_open(b, 7, 1000);
	body_remove(b, 7);
	assert_int_equal(pread(fd, &c, 1, 999), 1);
	assert_int_equal(c, 'a');
	bodies_close(b);
}

static void a_body_of_another_index_is_not_served(void **state)
{
	struct bodies *b = open_bodies(state, NO_LIMIT, 0);
	struct stat st;

	publish(b, 7, 'a', 1000);
	bodies_close(b);
	assert_int_equal(bodies_open(*state, "another", NO_LIMIT, 0, &b), 0);
	assert_int_equal(body_open(b, 7, 1000), -ENOENT);
	assert_int_equal(bodies_total(b), 0);
	/* and is removed, by and by */
	while (stat(body_path(state, 7), &st) == 0)
		sched_yield();
	bodies_close(b);
}

static void the_least_recently_opened_go_first(void **state)
{
	struct bodies *b = open_bodies(state, 10000, 0);
	int64_t row;

	for (row = 1; row <= 10; row++) {
		publish(b, row, 'a', 1000);
		used_seconds_ago(state, row, 20 * HOUR_S - row * HOUR_S);
	}
	assert_body(b, 1, 'a', 1000); /* opened now: the last to go */
	publish(b, 11, 'a', 1000);
	assert_int_equal(bodies_total(b), 9000);
	assert_true(body_is_cached(b, 1, 1000));
	assert_false(body_is_cached(b, 2, 1000));
	assert_false(body_is_cached(b, 3, 1000));
	assert_true(body_is_cached(b, 4, 1000));
	assert_true(body_is_cached(b, 11, 1000));
	bodies_close(b);
}

static void the_last_seconds_are_evicted_only_as_far_as_needed(void **state)
{
	struct bodies *b = open_bodies(state, 10000, 0);
	int64_t row;

	for (row = 1; row <= 11; row++)
		publish(b, row, 'a', 1000);
	assert_int_equal(bodies_total(b), 10000);
	bodies_close(b);
}

struct publisher {
	pthread_t thread;
	struct bodies *bodies;
	int64_t first_row;
};

static void *publish_ten(void *userdata)
{
	struct publisher *p = userdata;
	int64_t row;

	for (row = p->first_row; row < p->first_row + 10; row++)
		publish(p->bodies, row, 'a', 1000);
	return NULL;
}

static void what_comes_while_another_evicts_is_within_the_limit_too(void **state)
{
	struct bodies *b = open_bodies(state, 10000, 0);
	struct publisher publishers[N_PUBLISHERS];
	int64_t row;
	size_t i;

	for (row = 1; row < 2000; row += 10 * N_PUBLISHERS) {
		for (i = 0; i < N_PUBLISHERS; i++) {
			publishers[i] = (struct publisher){ .bodies = b, .first_row = row + 10 * (int64_t)i };
			assert_int_equal(pthread_create(&publishers[i].thread, NULL, publish_ten, &publishers[i]), 0);
		}
		for (i = 0; i < N_PUBLISHERS; i++)
			pthread_join(publishers[i].thread, NULL);
		assert_in_range(bodies_total(b), 0, 10000);
	}
	bodies_close(b);
}

static void a_body_larger_than_the_cache_is_kept_until_the_next(void **state)
{
	struct bodies *b = open_bodies(state, 10000, 0);

	publish(b, 1, 'a', 50000);
	assert_true(body_is_cached(b, 1, 50000));
	publish(b, 2, 'b', 1000);
	assert_false(body_is_cached(b, 1, 50000));
	assert_true(body_is_cached(b, 2, 1000));
	assert_int_equal(bodies_total(b), 1000);
	bodies_close(b);
}

static void the_too_old_go_at_the_start(void **state)
{
	struct bodies *b = open_bodies(state, NO_LIMIT, 0);

	publish(b, 1, 'a', 1000);
	publish(b, 2, 'a', 1000);
	used_seconds_ago(state, 1, 2 * HOUR_S);
	bodies_close(b);
	b = open_bodies(state, NO_LIMIT, HOUR_S);
	assert_false(body_is_cached(b, 1, 1000));
	assert_true(body_is_cached(b, 2, 1000));
	assert_int_equal(bodies_total(b), 1000);
	bodies_close(b);
}

static void a_lower_limit_holds_from_the_start(void **state)
{
	struct bodies *b = open_bodies(state, NO_LIMIT, 0);
	int64_t row;

	for (row = 1; row <= 10; row++) {
		publish(b, row, 'a', 1000);
		used_seconds_ago(state, row, HOUR_S);
	}
	bodies_close(b);
	b = open_bodies(state, 5000, 0);
	assert_int_equal(bodies_total(b), 4000);
	bodies_close(b);
}

static void without_nameless_files_it_works_the_same(void **state)
{
	struct bodies *b = open_bodies(state, NO_LIMIT, 0);
	struct stat st;
	int fd;

	refuse_tmpfile = true;
	publish(b, 7, 'a', 1000);
	publish(b, 7, 'b', 1000);
	assert_body(b, 7, 'b', 1000);
	assert_int_equal(bodies_total(b), 1000);
	fd = begin_with(b, 'c', 10);
	refuse_tmpfile = false;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 1);
	bodies_close(b);
	b = open_bodies(state, NO_LIMIT, 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	close(fd);
	bodies_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(what_is_published_is_served_also_after_a_restart),
		scratch_test(a_half_written_body_is_never_served),
		scratch_test(a_body_of_the_wrong_size_is_not_published),
		scratch_test(a_body_of_another_size_than_the_index_says_is_removed),
		scratch_test(a_whole_body_published_twice_stays),
		scratch_test(a_reader_keeps_what_is_evicted),
		scratch_test(a_body_of_another_index_is_not_served),
		scratch_test(the_least_recently_opened_go_first),
		scratch_test(the_last_seconds_are_evicted_only_as_far_as_needed),
		scratch_test(what_comes_while_another_evicts_is_within_the_limit_too),
		scratch_test(a_body_larger_than_the_cache_is_kept_until_the_next),
		scratch_test(the_too_old_go_at_the_start),
		scratch_test(a_lower_limit_holds_from_the_start),
		scratch_test(without_nameless_files_it_works_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>

#include "scratch.h"
#include "store/durable.h"

static int open_scratch(void **state)
{
	int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void a_file_is_replaced_whole(void **state)
{
	CLEANUP(fd) int dirfd = open_scratch(state);
	CLEANUP(buf) struct buf content = BUF_INIT;

	assert_int_equal(durable_write(dirfd, "f", "a longer text", 13), 0);
	assert_int_equal(durable_write(dirfd, "f", "ab\0c", 4), 0);
	assert_int_equal(durable_read(dirfd, "f", 4, &content), 0);
	assert_int_equal(content.len, 4);
	assert_memory_equal(content.data, "ab\0c", 4);
}

static void a_file_is_readable_by_nobody_else_and_alone(void **state)
{
	CLEANUP(fd) int dirfd = open_scratch(state);
	struct dirent *entry;
	struct stat st;
	int n = 0;
	DIR *d;

	assert_int_equal(durable_write(dirfd, "f", "x", 1), 0);
	assert_int_equal(stat(scratch_path(state, "f"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	d = opendir(*state);
	while ((entry = readdir(d)))
		n++;
	closedir(d);
	assert_int_equal(n, 3);
}

static void a_write_that_fails_leaves_the_old_file_and_no_litter(void **state)
{
	CLEANUP(fd) int dirfd = open_scratch(state);

	assert_int_equal(mkdir(scratch_path(state, "taken"), 0700), 0);
	assert_int_equal(durable_write(dirfd, "taken", "x", 1), -EISDIR);
	assert_int_equal(rmdir(scratch_path(state, "taken")), 0);
	assert_int_equal(rmdir(*state), 0);
	assert_int_equal(mkdir(*state, 0700), 0);
}

static void a_file_over_the_limit_is_efbig_and_appends_nothing(void **state)
{
	CLEANUP(fd) int dirfd = open_scratch(state);
	CLEANUP(buf) struct buf content = BUF_INIT;

	assert_int_equal(durable_write(dirfd, "f", "12345", 5), 0);
	assert_int_equal(buf_append_str(&content, "before"), 0);
	assert_int_equal(durable_read(dirfd, "f", 4, &content), -EFBIG);
	assert_string_equal(buf_str(&content), "before");
	assert_int_equal(durable_read(dirfd, "none", 4, &content), -ENOENT);
}

static void a_file_moves_between_directories(void **state)
{
	CLEANUP(fd) int from = open_scratch(state);
	CLEANUP(fd) int to = -1;
	struct stat st;

	assert_int_equal(mkdir(scratch_path(state, "to"), 0700), 0);
	to = open(scratch_path(state, "to"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(durable_write(from, "f", "x", 1), 0);
	assert_int_equal(durable_rename(from, "f", to, "g"), 0);
	assert_int_equal(stat(scratch_path(state, "to/g"), &st), 0);
	assert_int_equal(durable_unlink(to, "g", 0), 0);
	assert_int_equal(durable_unlink(to, "g", 0), -ENOENT);
	assert_int_equal(durable_rename(from, "f", to, "g"), -ENOENT);
}

static void missing_directories_are_made_for_the_owner_alone(void **state)
{
	struct stat st;

	assert_int_equal(directory_make(scratch_path(state, "a/b//c/")), 0);
	assert_int_equal(stat(scratch_path(state, "a"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(scratch_path(state, "a/b/c"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(directory_make(scratch_path(state, "a/b/c")), 0);
}

static void a_file_in_the_way_is_enotdir(void **state)
{
	CLEANUP(fd) int dirfd = open_scratch(state);

	assert_int_equal(durable_write(dirfd, "f", "x", 1), 0);
	assert_int_equal(directory_make(scratch_path(state, "f")), -ENOTDIR);
	assert_int_equal(directory_make(scratch_path(state, "f/below")), -ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_file_is_replaced_whole),
		scratch_test(a_file_is_readable_by_nobody_else_and_alone),
		scratch_test(a_write_that_fails_leaves_the_old_file_and_no_litter),
		scratch_test(a_file_over_the_limit_is_efbig_and_appends_nothing),
		scratch_test(a_file_moves_between_directories),
		scratch_test(missing_directories_are_made_for_the_owner_alone),
		scratch_test(a_file_in_the_way_is_enotdir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

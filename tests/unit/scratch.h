/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An empty directory for one test: cmocka's setup and teardown. The test finds its path in *state.
 */
#ifndef MAILFS_TESTS_SCRATCH_H
#define MAILFS_TESTS_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int scratch_setup(void **state)
{
	char *path = strdup("/tmp/mailfs-test-XXXXXX");

	*state = path;
	return path && mkdtemp(path) ? 0 : -1;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline int scratch_teardown(void **state)
{
	int r = nftw(*state, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return r;
}

/* Static; valid until the next call. */
static inline const char *scratch_path(void **state, const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", (const char *)*state, name);
	return path;
}

#define scratch_test(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fault.h"

enum { TEMPORARY_NAME_MAX = 64 };

#define TEMPORARY_PREFIX ".mailfs-"
#define TEMPORARY_SUFFIX ".tmp"

int durable_sync_fd(int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* No two threads or processes use one, and a crash leaves none that matters: its content was never promised. */
static void temporary_name(char out[TEMPORARY_NAME_MAX])
{
	static atomic_uint counter;

	snprintf(out, TEMPORARY_NAME_MAX, TEMPORARY_PREFIX "%ld-%u" TEMPORARY_SUFFIX, (long)getpid(),
		 atomic_fetch_add(&counter, 1));
}

bool durable_is_leftover(const char *name)
{
	size_t len = strlen(name), suffix = strlen(TEMPORARY_SUFFIX);

	return !strncmp(name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) && len > suffix &&
	       !strcmp(name + len - suffix, TEMPORARY_SUFFIX);
}

static int write_new_file(int dirfd, const char *name, const void *data, size_t len)
{
	CLEANUP(fd) int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return -errno;
	fault_point("durable: empty");
	r = write_all(fd, data, len);
	fault_point("durable: written");
	return r < 0 ? r : durable_sync_fd(fd);
}

int durable_write(int dirfd, const char *name, const void *data, size_t len)
{
	char temporary[TEMPORARY_NAME_MAX];
	int r;

	temporary_name(temporary);
	r = write_new_file(dirfd, temporary, data, len);
	fault_point("durable: before the rename");
	if (r == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dirfd, temporary, 0);
		return r;
	}
	fault_point("durable: renamed");
	r = durable_sync_fd(dirfd);
	fault_point("durable: on disk");
	return r;
}

int durable_read(int dirfd, const char *name, size_t max, struct buf *out)
{
	CLEANUP(fd) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	char part[4096];
	size_t before = out->len;
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return -errno;
	while (r == 0 && (n = read(fd, part, sizeof part)) != 0) {
		if (n < 0)
			r = errno == EINTR ? 0 : -errno;
		else if (out->len - before + (size_t)n > max)
			r = -EFBIG;
		else
			r = buf_append(out, part, (size_t)n);
	}
	if (r < 0)
		buf_truncate(out, before);
	return r;
}

int durable_rename(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
	int r;

	if (renameat(from_dirfd, from, to_dirfd, to) < 0)
		return -errno;
	fault_point("durable: moved");
	/* The new place first: a power cut between the two leaves two names, never none. */
	r = durable_sync_fd(to_dirfd);
	return r < 0 || from_dirfd == to_dirfd ? r : durable_sync_fd(from_dirfd);
}

int durable_unlink(int dirfd, const char *name, int flags)
{
	if (unlinkat(dirfd, name, flags) < 0)
		return -errno;
	return durable_sync_fd(dirfd);
}

static int sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	CLEANUP(fd) int fd = -1;

	if (!slash)
		strcpy(parent, ".");
	else
		snprintf(parent, sizeof parent, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : durable_sync_fd(fd);
}

/* What is above may be read-only or not ours: all the same if it is there. */
static int make_one(const char *path)
{
	struct stat st;
	int r;

	if (mkdir(path, 0700) == 0)
		return sync_parent(path);
	r = -errno;
	return r == -EEXIST || stat(path, &st) == 0 ? 0 : r;
}

int directory_make(const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path), i;
	struct stat st;
	int r;

	if (len == 0)
		return -ENOENT;
	if (len >= sizeof part)
		return -ENAMETOOLONG;
	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	memcpy(part, path, len + 1);
	for (i = 1; i <= len; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		r = make_one(part);
		if (r < 0)
			return r;
		part[i] = path[i];
	}
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/body_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"

enum {
	TOUCH_AFTER_S = 60, /* opening a body again within this time leaves its atime as it is */

	/*
	 * After a power cut a file that was written from front to back is too short, if it is not whole. A large one may have been written
	 * in ranges: its size says nothing, so its bytes go to the disk before it gets its name.
	 */
	SYNC_FROM_BYTES = 1 << 20,
};

void body_name(int64_t row, char out[BODY_NAME_MAX])
{
	snprintf(out, BODY_NAME_MAX, "%02x/%" PRId64, (unsigned)(row & 0xff), row);
}

void bodies_account(struct bodies *b, int64_t row, int64_t bytes)
{
	b->bucket_bytes[row & 0xff] += bytes;
	atomic_fetch_add(&b->total_bytes, bytes);
}

static int make_directories(struct bodies *b, int cache_dirfd)
{
	char name[4];
	unsigned i;

	if (mkdirat(cache_dirfd, b->directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	b->dirfd = openat(cache_dirfd, b->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (b->dirfd < 0)
		return -errno;
	for (i = 0; i < BODY_BUCKETS; i++) {
		snprintf(name, sizeof name, "%02x", i);
		if (mkdirat(b->dirfd, name, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int open_directories(struct bodies *b)
{
	CLEANUP(fd) int cache_dirfd = open(b->cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (cache_dirfd < 0)
		return -errno;
	r = make_directories(b, cache_dirfd);
	return r < 0 ? r : bodies_sweep_start(b);
}

int bodies_open(const char *cache_dir, const char *identity, int64_t limit_bytes, int64_t limit_age_s, struct bodies **ret)
{
	struct bodies *b = calloc(1, sizeof *b);
	int r = 0;

	if (!b)
		return -ENOMEM;
	b->dirfd = -1;
	b->limit_bytes = limit_bytes;
	b->limit_age_s = limit_age_s;
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->evicting, NULL);
	if (snprintf(b->cache_dir, sizeof b->cache_dir, "%s", cache_dir) >= (int)sizeof b->cache_dir ||
	    snprintf(b->directory, sizeof b->directory, "bodies-%s", identity) >= (int)sizeof b->directory)
		r = -ENAMETOOLONG;
	if (r == 0)
		r = open_directories(b);
	if (r < 0) {
		bodies_close(b);
		return r;
	}
	*ret = b;
	return 0;
}

void bodies_close(struct bodies *b)
{
	if (!b)
		return;
	bodies_sweep_stop(b);
	fd_cleanup(&b->dirfd);
	pthread_mutex_destroy(&b->lock);
	pthread_mutex_destroy(&b->evicting);
	free(b);
}

int64_t bodies_total(const struct bodies *b)
{
	return atomic_load(&b->total_bytes);
}

static int stat_body(struct bodies *b, int64_t row, char name[BODY_NAME_MAX], struct stat *st)
{
	body_name(row, name);
	return fstatat(b->dirfd, name, st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* lock is held. */
static void remove_locked(struct bodies *b, int64_t row)
{
	char name[BODY_NAME_MAX];
	struct stat st;

	if (stat_body(b, row, name, &st) == 0 && unlinkat(b->dirfd, name, 0) == 0)
		bodies_account(b, row, -st.st_size);
}

void body_remove(struct bodies *b, int64_t row)
{
	pthread_mutex_lock(&b->lock);
	remove_locked(b, row);
	pthread_mutex_unlock(&b->lock);
}

/* What disagrees with the index is of no use; unless somebody has just put another in its place. */
static void remove_unless_size(struct bodies *b, int64_t row, int64_t size_bytes)
{
	char name[BODY_NAME_MAX];
	struct stat st;

	pthread_mutex_lock(&b->lock);
	if (stat_body(b, row, name, &st) == 0 && st.st_size != size_bytes)
		remove_locked(b, row);
	pthread_mutex_unlock(&b->lock);
}

static void note_use(int fd, const struct stat *st)
{
	static const struct timespec now_and_no_change[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec - st->st_atim.tv_sec > TOUCH_AFTER_S)
		futimens(fd, now_and_no_change);
}

int body_open(struct bodies *b, int64_t row, int64_t size_bytes)
{
	CLEANUP(fd) int fd = -1;
	char name[BODY_NAME_MAX];
	struct stat st;

	body_name(row, name);
	fd = openat(b->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOATIME);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != size_bytes || !S_ISREG(st.st_mode)) {
		remove_unless_size(b, row, size_bytes);
		return -ENOENT;
	}
	note_use(fd, &st);
	return steal_fd(&fd);
}

bool body_is_cached(struct bodies *b, int64_t row, int64_t size_bytes)
{
	char name[BODY_NAME_MAX];
	struct stat st;

	return stat_body(b, row, name, &st) == 0 && st.st_size == size_bytes;
}

/* Where the file system has no files without a name: one that only publishing, or the sweep at the next start, takes away. */
static int begin_named(struct bodies *b)
{
	static atomic_uint counter;
	char name[BODY_NAME_MAX];
	int fd;

	snprintf(name, sizeof name, "tmp-%u", atomic_fetch_add(&counter, 1));
	fd = openat(b->dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int body_begin(struct bodies *b)
{
	int fd = openat(b->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC | O_NOATIME, 0600);

	if (fd >= 0)
		return fd;
	return errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL ? begin_named(b) : -errno;
}

/* The name under which begin_named() made it, as the kernel still knows it. */
static int give_name(struct bodies *b, int fd, bool has_name, const char *name)
{
	char link[64], path[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (!has_name)
		return linkat(AT_FDCWD, link, b->dirfd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
	len = readlink(link, path, sizeof path - 1);
	if (len < 0)
		return -errno;
	path[len] = '\0';
	return renameat(AT_FDCWD, path, b->dirfd, name) < 0 ? -errno : 0;
}

/* lock is held. A whole body of this row that is there already comes from another fetch of the same message: it stays. */
static int publish_locked(struct bodies *b, int fd, bool has_name, int64_t row, int64_t size_bytes)
{
	char name[BODY_NAME_MAX];
	int r;

	body_name(row, name);
	if (has_name)
		remove_locked(b, row);
	r = give_name(b, fd, has_name, name);
	if (r == -EEXIST && body_is_cached(b, row, size_bytes))
		return 0;
	if (r == -EEXIST) {
		remove_locked(b, row);
		r = give_name(b, fd, false, name);
	}
	if (r == 0)
		bodies_account(b, row, size_bytes);
	return r;
}

static int copy_whole(int from, int to, int64_t size_bytes)
{
	off_t offset = 0;

	while (offset < size_bytes) {
		ssize_t n = copy_file_range(from, &offset, to, NULL, (size_t)(size_bytes - offset), 0);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

int body_adopt(struct bodies *b, int fd, int64_t row, int64_t size_bytes)
{
	CLEANUP(fd) int copy = -1;
	int r;

	pthread_mutex_lock(&b->lock);
	r = publish_locked(b, fd, false, row, size_bytes);
	pthread_mutex_unlock(&b->lock);
	if (r != -EXDEV)
		return r;
	copy = body_begin(b);
	r = copy < 0 ? copy : copy_whole(fd, copy, size_bytes);
	return r < 0 ? r : body_publish(b, copy, row, size_bytes);
}

int body_publish(struct bodies *b, int fd, int64_t row, int64_t size_bytes)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != size_bytes)
		return -EINVAL;
	if (size_bytes >= SYNC_FROM_BYTES && fdatasync(fd) < 0)
		return -errno;
	pthread_mutex_lock(&b->lock);
	r = publish_locked(b, fd, st.st_nlink > 0, row, size_bytes);
	pthread_mutex_unlock(&b->lock);
	if (r == 0)
		bodies_evict_if_needed(b, row);
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

struct lock {
	int fd; /* own; shared with the child after fork(): the last one to close it ends the lock */
};

static void read_holder(int fd, struct buf *holder)
{
	char text[PATH_MAX];
	ssize_t n = pread(fd, text, sizeof text, 0);

	if (n > 0)
		buf_append(holder, text, strnlen(text, (size_t)n));
}

static int write_holder(int fd, const char *mountpoint)
{
	size_t len = strlen(mountpoint);

	if (ftruncate(fd, 0) < 0 || pwrite(fd, mountpoint, len, 0) != (ssize_t)len)
		return -errno;
	return 0;
}

int lock_take(const char *directory, const char *mountpoint, struct lock **ret, struct buf *holder)
{
	CLEANUP(free) char *path = NULL;
	CLEANUP(fd) int fd = -1;
	struct lock *l;
	int r;

	if (asprintf(&path, "%s/lock", directory) < 0)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		read_holder(fd, holder);
		return -EBUSY;
	}
	r = write_holder(fd, mountpoint);
	if (r < 0)
		return r;
	l = malloc(sizeof *l);
	if (!l)
		return -ENOMEM;
	l->fd = steal_fd(&fd);
	*ret = l;
	return 0;
}

void lock_free(struct lock *l)
{
	if (!l)
		return;
	close(l->fd);
	free(l);
}

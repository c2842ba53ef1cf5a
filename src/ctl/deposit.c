/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/deposit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/interrupt.h"

enum { LOOK_AGAIN_MS = 50 };

static int make_names(struct deposit *d)
{
	time_t now = time(NULL);
	uint64_t random;
	struct tm tm;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random || !localtime_r(&now, &tm))
		return -EIO;
	snprintf(d->name, sizeof d->name, "%04d-%02d-%02d_%02d%02d_%016" PRIx64 ".eml", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, random);
	snprintf(d->scratch, sizeof d->scratch, ".%.62s", d->name);
	return 0;
}

int deposit_open(struct deposit *d, const char *directory)
{
	int r;

	d->dirfd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->dirfd < 0)
		return -errno;
	r = make_names(d);
	if (r < 0)
		return r;
	d->fd = openat(d->dirfd, d->scratch, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (d->fd >= 0)
		return 0;
	r = -errno;
	d->scratch[0] = '\0';
	return r;
}

int deposit_write(struct deposit *d, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(d->fd, p, len);

		if (n < 0 && errno == EINTR && !interrupted())
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int deposit_set_recipients(struct deposit *d, const char *addresses)
{
	return fsetxattr(d->fd, "user.mail.rcpt", addresses, strlen(addresses), 0) < 0 ? -errno : 0;
}

static int read_attribute(const struct deposit *d, const char *name, struct buf *out)
{
	char value[4096];
	ssize_t n = fgetxattr(d->fd, name, value, sizeof value);

	return n < 0 ? -errno : buf_append(out, value, (size_t)n);
}

/* From here on a descriptor for reading stands for the file, wherever it is moved. */
static int finish_writing(struct deposit *d)
{
	int r = close(d->fd) < 0 ? -errno : 0;

	d->fd = -1;
	if (r < 0)
		return r;
	d->fd = openat(d->dirfd, d->scratch, O_RDONLY | O_CLOEXEC);
	return d->fd < 0 ? -errno : 0;
}

int deposit_commit(struct deposit *d, struct buf *why)
{
	int r = finish_writing(d);

	if (r < 0)
		return r;
	if (renameat2(d->dirfd, d->scratch, d->dirfd, d->name, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r == 0 || r == -ECONNABORTED || read_attribute(d, "user.mail.error", why) == 0)
		d->scratch[0] = '\0';
	return r;
}

/* 1: not yet known. */
static int look(struct deposit *d, struct buf *why)
{
	CLEANUP(buf) struct buf state = BUF_INIT;

	/* One that was sent is not there any more. */
	if (read_attribute(d, "user.mail.state", &state) < 0)
		return 0;
	if (!strcmp(buf_str(&state), "failed") || !strcmp(buf_str(&state), "uncertain")) {
		read_attribute(d, "user.mail.error", why);
		return -EREMOTEIO;
	}
	return !strcmp(buf_str(&state), "held") || !strcmp(buf_str(&state), "queued") || !strcmp(buf_str(&state), "sending");
}

int deposit_wait(struct deposit *d, int64_t wait_s, struct buf *why)
{
	const struct timespec pause = { .tv_nsec = LOOK_AGAIN_MS * 1000000L };
	int64_t until_ms = clock_monotonic_ms() + wait_s * 1000;

	while (!interrupted() && clock_monotonic_ms() < until_ms) {
		int r = look(d, why);

		if (r <= 0)
			return r;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void remove_partial(const struct deposit *d)
{
	char name[sizeof d->name + sizeof ".partial"];

	snprintf(name, sizeof name, "%s.partial", d->name);
	unlinkat(d->dirfd, name, 0);
}

void deposit_release(struct deposit *d)
{
	if (d->fd >= 0)
		close(d->fd);
	/* A rename that found no room on the disk has left it under the other name. */
	if (d->scratch[0]) {
		unlinkat(d->dirfd, d->scratch, 0);
		remove_partial(d);
	}
	if (d->dirfd >= 0)
		close(d->dirfd);
	*d = DEPOSIT_INIT;
}

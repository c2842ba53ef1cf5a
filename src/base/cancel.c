/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/cancel.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

int cancel_init(struct cancel *c)
{
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	atomic_init(&c->is_set, false);
	return c->fd < 0 ? -errno : 0;
}

void cancel_release(struct cancel *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void cancel_set(struct cancel *c)
{
	atomic_store(&c->is_set, true);
	eventfd_write(c->fd, 1);
}

bool cancel_is_set(const struct cancel *c)
{
	return c && atomic_load(&c->is_set);
}

static int time_left_ms(int64_t until_ms)
{
	int64_t left_ms = until_ms - clock_monotonic_ms();

	if (until_ms < 0)
		return -1;
	if (left_ms < 0)
		return 0;
	return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

int cancel_poll(const struct cancel *c, struct pollfd *fds, size_t n, int64_t until_ms)
{
	struct pollfd all[CANCEL_POLL_MAX + 1];
	int ready;

	memcpy(all, fds, n * sizeof *fds);
	/* poll() leaves out what is negative. */
	all[n] = (struct pollfd){ .fd = c ? c->fd : -1, .events = POLLIN };
	do
		ready = poll(all, n + 1, time_left_ms(until_ms));
	while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return -errno;
	if (all[n].revents)
		return -ECANCELED;
	memcpy(fds, all, n * sizeof *fds);
	return ready;
}

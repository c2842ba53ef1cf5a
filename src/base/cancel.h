/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "Give up", said by one thread to all that wait for a server on its behalf. Said once, never taken back.
 *
 * Whoever waits borrows it, through the options of what it waits in. Any thread; only init and release are for the owner alone.
 */
#ifndef MAILFS_CANCEL_H
#define MAILFS_CANCEL_H

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel {
	int fd; /* own; readable once it was said, for other loops than cancel_poll() */
	atomic_bool is_set;
};

/* 0 or -errno; may be released after either. */
int cancel_init(struct cancel *c);
void cancel_release(struct cancel *c);

void cancel_set(struct cancel *c);

/* `c` NULL: nobody will say it. */
bool cancel_is_set(const struct cancel *c);

enum { CANCEL_POLL_MAX = 16 };

/* poll(2) of at most CANCEL_POLL_MAX descriptors until `until_ms` of clock_monotonic_ms() (negative: for ever), signals seen to.
 * How many are ready, 0 when the time is over, -ECANCELED once `c` (may be NULL) is set, -errno. */
int cancel_poll(const struct cancel *c, struct pollfd *fds, size_t n, int64_t until_ms);

#endif

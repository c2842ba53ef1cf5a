/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Somebody who waits for an answer without a thread of its own: a kernel request, or a thread through a condition.
 *
 * Embedded in the caller's memory. A function that takes a waiter and returns -EINPROGRESS has kept it and will call done() exactly once,
 * from a thread of its own, holding no lock; with any other return it has not kept it.
 */
#ifndef MAILFS_WAITER_H
#define MAILFS_WAITER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct waiter {
	void (*done)(struct waiter *w, int result); /* 0 or -errno; w is the caller's again */
	/* The keeper's: */
	struct waiter *next;
	int result;
	int64_t from, until, since_ms;
};

/* Blocks the calling thread until an answer: pass &s.waiter, and on -EINPROGRESS let waiter_sync_wait() return the result. */
struct waiter_sync {
	struct waiter waiter;
	pthread_mutex_t lock; /* protects the rest */
	pthread_cond_t answered;
	bool is_answered;
	int result;
};

void waiter_sync_init(struct waiter_sync *s);
int waiter_sync_wait(struct waiter_sync *s);
void waiter_sync_release(struct waiter_sync *s);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel request that waits for an answer without a thread: a waiter, the request, and what becomes of both when its process
 * is interrupted.
 *
 * wait_start() before the call that may keep the waiter; when that returns -EINPROGRESS, answered() replies later, from the
 * keeper's thread; with any other return wait_end() and reply. The kernel sends one INTERRUPT a request, whatever the signal, and
 * from then on not even SIGKILL reaches us: so an interrupted wait is looked at again, every WAIT_LOOK_MS, by the main thread.
 */
#ifndef MAILFS_WAIT_H
#define MAILFS_WAIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/waiter.h"

struct fs;
struct fuse_req;
struct wait;

#define WAIT_LOOK_MS 100

struct wait {
	struct waiter waiter; /* first */
	struct fs *fs;
	struct fuse_req *req;
	/* Replies once and frees the wait's owner. */
	void (*answered)(struct wait *w, int result);
	/* NULL: the wait itself is ended, with -EINTR. Else asked, in the waits' lock, when the process gives up: true when the
	 * request may be answered *ret_result now while the work goes on; answered() is then called with `req` NULL. */
	bool (*may_leave)(struct wait *w, int *ret_result);
	const void *owner; /* of waits_end_of(), or NULL */
	atomic_bool is_interrupted;
	struct wait *next, *previous; /* the waits' */
};

struct waits {
	pthread_mutex_t lock; /* protects the list, and each wait in it from being freed */
	struct wait head;
	atomic_int unanswered; /* those that can be ended and whose answered() has not returned */
};

void waits_init(struct waits *waits);

/* `may_leave` and `owner` are set by the caller, or NULL. */
void wait_start(struct wait *w, struct fs *fs, struct fuse_req *req, void (*answered)(struct wait *w, int result));
/* The waiter was not kept. */
void wait_end(struct wait *w);

/* The main thread's: ends the waits whose process gives up. True while there are interrupted ones to look at again. */
bool waits_look(struct fs *fs);
/* Ends the waits of one owner. */
void waits_end_of(struct fs *fs, const void *owner);
bool waits_has(struct fs *fs, const void *owner);
/* Ends every wait that can be ended; true while some of them are not answered. */
bool waits_end_all(struct fs *fs);

#endif

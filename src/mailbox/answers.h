/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that answers waiters for those who must not do it themselves: kernel threads that learn at once that a wait is over, and
 * interrupts, which come under a request's own lock.
 */
#ifndef MAILFS_ANSWERS_H
#define MAILFS_ANSWERS_H

#include "base/waiter.h"

struct answers;

int answers_new(struct answers **ret);
/* Gives what is queued and joins. */
void answers_free(struct answers *a);
/* done(w, result) soon, from the thread. Never blocks, never fails: `w` itself is the queue's node. */
void answers_give(struct answers *a, struct waiter *w, int result);

/* A list of waiters that belongs to whoever holds its lock. */
void waiters_push(struct waiter **list, struct waiter *w);
/* True when `w` was in the list, and is not any more. */
bool waiters_remove(struct waiter **list, struct waiter *w);
/* Answers every one on the calling thread; hold no lock. */
void waiters_answer(struct waiter *list, int result);

#endif

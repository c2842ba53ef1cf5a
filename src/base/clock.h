/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What time it is, as one place that a test can replace. Any thread.
 */
#ifndef MAILFS_CLOCK_H
#define MAILFS_CLOCK_H

#include <pthread.h>
#include <stdint.h>

/* Milliseconds that never go back; of use for differences only. */
int64_t clock_monotonic_ms(void);

/* Seconds since 1970, UTC. */
int64_t clock_realtime_s(void);

/* pthread_cond_wait() for `ms` milliseconds at most, by the clock that is never set. 0, or -ETIMEDOUT. Always the real one. */
int clock_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t ms);

/* Tests only: both clocks answer from here on with what these return; NULL restores the real ones. */
void clock_replace(int64_t (*monotonic_ms)(void), int64_t (*realtime_s)(void));

#endif

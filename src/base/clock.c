/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t (*replaced_monotonic_ms)(void);
static int64_t (*replaced_realtime_s)(void);

int64_t clock_monotonic_ms(void)
{
	struct timespec now;

	if (replaced_monotonic_ms)
		return replaced_monotonic_ms();
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_realtime_s(void)
{
	return replaced_realtime_s ? replaced_realtime_s() : (int64_t)time(NULL);
}

int clock_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t ms)
{
	struct timespec until;

	if (ms < 0)
		ms = 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return -pthread_cond_clockwait(condition, lock, CLOCK_MONOTONIC, &until);
}

void clock_replace(int64_t (*monotonic_ms)(void), int64_t (*realtime_s)(void))
{
	replaced_monotonic_ms = monotonic_ms;
	replaced_realtime_s = realtime_s;
}

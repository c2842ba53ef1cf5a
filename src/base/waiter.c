/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/waiter.h"

#include <stddef.h>

static void answer(struct waiter *w, int result)
{
	struct waiter_sync *s = (struct waiter_sync *)((char *)w - offsetof(struct waiter_sync, waiter));

	pthread_mutex_lock(&s->lock);
	s->result = result;
	s->is_answered = true;
	pthread_cond_signal(&s->answered);
	pthread_mutex_unlock(&s->lock);
}

void waiter_sync_init(struct waiter_sync *s)
{
	*s = (struct waiter_sync){ .waiter = { .done = answer } };
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->answered, NULL);
}

int waiter_sync_wait(struct waiter_sync *s)
{
	int result;

	pthread_mutex_lock(&s->lock);
	while (!s->is_answered)
		pthread_cond_wait(&s->answered, &s->lock);
	result = s->result;
	s->is_answered = false;
	pthread_mutex_unlock(&s->lock);
	return result;
}

void waiter_sync_release(struct waiter_sync *s)
{
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->answered);
}

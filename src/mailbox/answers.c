/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/answers.h"

#include <errno.h>
#include <stdlib.h>

struct answers {
	pthread_t thread;
	pthread_mutex_t lock; /* protects the rest */
	pthread_cond_t wake;
	struct waiter *given;
	bool stopping;
};

void waiters_push(struct waiter **list, struct waiter *w)
{
	w->next = *list;
	*list = w;
}

bool waiters_remove(struct waiter **list, struct waiter *w)
{
	for (; *list; list = &(*list)->next)
		if (*list == w) {
			*list = w->next;
			return true;
		}
	return false;
}

void waiters_answer(struct waiter *list, int result)
{
	while (list) {
		struct waiter *next = list->next;

		list->done(list, result);
		list = next;
	}
}

static void answer_each_its_own(struct waiter *list)
{
	while (list) {
		struct waiter *next = list->next;

		list->done(list, list->result);
		list = next;
	}
}

static void *answer(void *argument)
{
	struct answers *a = argument;

	pthread_mutex_lock(&a->lock);
	while (true) {
		if (a->given) {
			struct waiter *given = a->given;

			a->given = NULL;
			pthread_mutex_unlock(&a->lock);
			answer_each_its_own(given);
			pthread_mutex_lock(&a->lock);
		} else if (a->stopping) {
			break;
		} else {
			pthread_cond_wait(&a->wake, &a->lock);
		}
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

int answers_new(struct answers **ret)
{
	struct answers *a = calloc(1, sizeof *a);
	int r;

	if (!a)
		return -ENOMEM;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->wake, NULL);
	r = -pthread_create(&a->thread, NULL, answer, a);
	if (r < 0) {
		free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void answers_free(struct answers *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stopping = true;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->wake);
	free(a);
}

void answers_give(struct answers *a, struct waiter *w, int result)
{
	w->result = result;
	pthread_mutex_lock(&a->lock);
	waiters_push(&a->given, w);
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
}

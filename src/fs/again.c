/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/again.h"

#include <string.h>

#include "base/clock.h"

/* The kernel goes on within microseconds; what is older belongs to a call that has ended without a RENAME. */
enum { OLD_MS = 10 * 1000 };

void again_init(struct again *a)
{
	memset(a->told, 0, sizeof(a->told));
	pthread_mutex_init(&a->lock, NULL);
	a->n = 0;
}

/* Lock held. `thread` 0: one that is free. NULL: none. */
static struct again_told *find(struct again *a, pid_t thread)
{
	for (int i = 0; i < AGAIN_MAX && (a->n > 0 || !thread); i++)
		if (a->told[i].thread == thread)
			return &a->told[i];
	return NULL;
}

static bool is_old(const struct again_told *t)
{
	return t->state != AGAIN_WAITING && clock_monotonic_ms() - t->since_ms > OLD_MS;
}

/* Lock held. */
static void drop(struct again *a, struct again_told *t)
{
	t->thread = 0;
	a->n--;
}

/* Lock held. */
static void drop_old(struct again *a)
{
	for (int i = 0; i < AGAIN_MAX; i++)
		if (a->told[i].thread && is_old(&a->told[i]))
			drop(a, &a->told[i]);
}

/* Lock held. Of the call that this thread is in; NULL: it was told nothing. */
static struct again_told *find_told(struct again *a, pid_t thread)
{
	struct again_told *t = thread > 0 ? find(a, thread) : NULL;

	if (!t || !is_old(t))
		return t;
	drop(a, t);
	return NULL;
}

bool again_tell(struct again *a, pid_t thread, uint64_t folder)
{
	struct again_told *t = NULL;

	if (thread <= 0)
		return false;
	pthread_mutex_lock(&a->lock);
	if (!find_told(a, thread)) {
		if (a->n == AGAIN_MAX)
			drop_old(a);
		t = find(a, 0);
	}
	if (t) {
		*t = (struct again_told){ .thread = thread, .folder = folder, .since_ms = clock_monotonic_ms() };
		a->n++;
	}
	pthread_mutex_unlock(&a->lock);
	return t;
}

uint64_t again_waits_for(struct again *a, pid_t thread, uint64_t parent)
{
	struct again_told *t;
	uint64_t folder = 0;

	pthread_mutex_lock(&a->lock);
	t = find_told(a, thread);
	if (t && t->state == AGAIN_TOLD && t->folder != parent) {
		t->state = AGAIN_WAITING;
		folder = t->folder;
	}
	pthread_mutex_unlock(&a->lock);
	return folder;
}

void again_has_waited(struct again *a, pid_t thread, int result)
{
	struct again_told *t;

	pthread_mutex_lock(&a->lock);
	t = find_told(a, thread);
	if (t) {
		t->state = AGAIN_WAITED;
		t->result = result;
		t->since_ms = clock_monotonic_ms();
	}
	pthread_mutex_unlock(&a->lock);
}

int again_failed(struct again *a, pid_t thread, uint64_t folder)
{
	struct again_told *t;
	int result;

	pthread_mutex_lock(&a->lock);
	t = find_told(a, thread);
	result = t && t->folder == folder && t->state == AGAIN_WAITED ? t->result : 0;
	pthread_mutex_unlock(&a->lock);
	return result < 0 ? result : 0;
}

void again_end(struct again *a, pid_t thread)
{
	struct again_told *t;

	pthread_mutex_lock(&a->lock);
	t = thread > 0 ? find(a, thread) : NULL;
	if (t)
		drop(a, t);
	pthread_mutex_unlock(&a->lock);
}

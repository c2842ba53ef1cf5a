/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes what is due, in order of arrival. Where each step is done: session.c, attempt.c, verdict.c, sent.c.
 */
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "outbox/sender.h"

enum {
	SESSION_LINGER_S = 2, /* a connection is kept for the next message of a burst */
	LONGEST_WAIT_S = 60,  /* the clock may be set meanwhile */
	UNSAVED_WAIT_S = 60,  /* the disk is full */
};

bool sender_waits(const struct entry *e)
{
	return e->record.state == OUTBOX_HELD || e->record.state == OUTBOX_QUEUED || e->record.state == OUTBOX_RETRY;
}

/* When something is to be done for it; INT64_MAX: nothing is. */
static int64_t due_s(const struct outbox *o, const struct entry *e)
{
	int64_t due = e->record.next_s;

	if (e->claim != CLAIM_NONE)
		return INT64_MAX;
	if (e->is_unsaved || e->record.state == OUTBOX_SENT)
		return due;
	if (!sender_waits(e))
		return INT64_MAX;
	return due > o->sender.not_before_s ? due : o->sender.not_before_s;
}

static struct entry *claim_due(struct outbox *o, int64_t now_s)
{
	struct entry *e;

	pthread_mutex_lock(&o->lock);
	for (e = o->first; e && due_s(o, e) > now_s; e = e->next)
		;
	if (e && o->is_stopping)
		e = NULL;
	if (e) {
		e->claim = CLAIM_SEND;
		e->is_sending = sender_waits(e);
	}
	pthread_mutex_unlock(&o->lock);
	return e;
}

static void work_on(struct outbox *o, struct entry *e)
{
	bool is_gone = false;

	queue_announce(o, e);
	if (e->is_unsaved && queue_save(o, e) < 0)
		e->record.next_s = clock_realtime_s() + UNSAVED_WAIT_S;
	else if (e->record.state == OUTBOX_SENT)
		is_gone = sent_finish(o, e);
	else if (sender_waits(e))
		attempt_send(o, e);
	if (is_gone)
		return;
	queue_set_state(o, e, e->record.state);
	queue_announce(o, e);
	queue_release(o, e);
}

static int64_t seconds_until_due(struct outbox *o)
{
	int64_t first = INT64_MAX, now_s = clock_realtime_s();

	pthread_mutex_lock(&o->lock);
	for (const struct entry *e = o->first; e; e = e->next)
		if (due_s(o, e) < first)
			first = due_s(o, e);
	pthread_mutex_unlock(&o->lock);
	if (first == INT64_MAX)
		return -1;
	return first > now_s ? first - now_s : 0;
}

int64_t sender_run_due(struct outbox *o)
{
	struct entry *e;

	while ((e = claim_due(o, clock_realtime_s())))
		work_on(o, e);
	return seconds_until_due(o);
}

/* Under the lock. */
static void wait_for_work(struct outbox *o, int64_t seconds)
{
	struct timespec until;

	if (o->sender.session && (seconds < 0 || seconds > SESSION_LINGER_S))
		seconds = SESSION_LINGER_S;
	if (seconds < 0 || seconds > LONGEST_WAIT_S)
		seconds = LONGEST_WAIT_S;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	if (pthread_cond_timedwait(&o->work, &o->lock, &until) != ETIMEDOUT || !o->sender.session)
		return;
	pthread_mutex_unlock(&o->lock);
	session_close(o);
	pthread_mutex_lock(&o->lock);
}

static void *run(void *userdata)
{
	struct outbox *o = userdata;

	pthread_mutex_lock(&o->lock);
	while (!o->is_stopping) {
		int64_t seconds;

		o->has_work = false;
		pthread_mutex_unlock(&o->lock);
		seconds = sender_run_due(o);
		pthread_mutex_lock(&o->lock);
		if (seconds != 0 && !o->has_work && !o->is_stopping)
			wait_for_work(o, seconds);
	}
	pthread_mutex_unlock(&o->lock);
	session_close(o);
	return NULL;
}

int sender_start(struct outbox *o)
{
	return -pthread_create(&o->submitter, NULL, run, o);
}

void sender_stop(struct outbox *o)
{
	cancel_set(&o->cancel);
	pthread_mutex_lock(&o->lock);
	pthread_cond_signal(&o->work);
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->submitter, NULL);
}

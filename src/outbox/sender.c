/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes what is due, in order of arrival. Where each step is done: session.c, attempt.c, verdict.c, sent.c.
 */
#include <errno.h>
#include <limits.h>

#include "base/clock.h"
#include "outbox/bounce.h"
#include "outbox/sender.h"
#include "outbox/uncertain.h"
#include "outbox/verdict.h"

enum {
	LONG_QUEUE = 4, /* messages that wait for each submitter that is at work, before another one helps */
	MINUTE_MS = 60 * 1000,
	SESSION_LINGER_S = 2, /* a connection is kept for the next message of a burst */
	LONGEST_WAIT_S = 60,  /* the clock may be set meanwhile */
	UNSAVED_WAIT_S = 60,  /* the disk is full */
};

bool sender_waits(const struct entry *e)
{
	return e->record.state == OUTBOX_HELD || e->record.state == OUTBOX_QUEUED || e->record.state == OUTBOX_RETRY;
}

/* Seconds until `rate-limit` allows one message more. */
static int64_t rate_wait_s(const struct outbox *o)
{
	int64_t begun_ms = o->sender.started_ms ? o->sender.started_ms[o->sender.oldest] : 0;
	int64_t left_ms = begun_ms ? begun_ms + MINUTE_MS - clock_monotonic_ms() : 0;

	return left_ms > 0 ? (left_ms + 999) / 1000 : 0;
}

static void note_start(struct outbox *o)
{
	if (!o->sender.started_ms)
		return;
	o->sender.started_ms[o->sender.oldest] = clock_monotonic_ms();
	o->sender.oldest = (o->sender.oldest + 1) % (size_t)o->options.configuration->rate_limit;
}

/* What it was renamed over is still there: once it were sent and gone, nothing would say any more that the other is not to be sent. */
static bool must_wait_for_other(const struct outbox *o, const struct entry *e)
{
	return e->record.replaces && queue_find(o, e->record.replaces);
}

/* When something is to be done for it; INT64_MAX: nothing is. No message is begun before `from_s`. A time that no rule gives was taken from a clock that was
 * set back since. */
static int64_t due_s(const struct outbox *o, const struct entry *e, int64_t from_s)
{
	int64_t most_s = clock_realtime_s() + o->options.configuration->outbox_hold_s + verdict_wait_s(INT_MAX);
	int64_t due = e->record.next_s > most_s ? 0 : e->record.next_s;

	if (e->claim != CLAIM_NONE)
		return INT64_MAX;
	if (e->is_unsaved || e->record.state == OUTBOX_SENT || bounce_is_due(e) || uncertain_is_due(e))
		return due;
	if (!sender_waits(e) || must_wait_for_other(o, e))
		return INT64_MAX;
	return due > from_s ? due : from_s;
}

/* Under the lock. */
static int64_t sending_from_s(const struct outbox *o, int64_t now_s)
{
	int64_t wait_s = rate_wait_s(o);

	return wait_s && now_s + wait_s > o->sender.not_before_s ? now_s + wait_s : o->sender.not_before_s;
}

static struct entry *first_due(const struct outbox *o, int64_t now_s, size_t *ret_n)
{
	int64_t from_s = sending_from_s(o, now_s);
	struct entry *first = NULL;

	*ret_n = 0;
	for (struct entry *e = o->first; e; e = e->next)
		if (due_s(o, e, from_s) <= now_s) {
			first = first ? first : e;
			++*ret_n;
		}
	return first;
}

/* Whether it is this submitter's turn when so many are due. */
static bool is_needed(const struct submitter *s, size_t n_due, int64_t now_s)
{
	size_t number = (size_t)(s - s->o->submitters);

	return number == 0 || (s->o->sender.is_proven && s->rests_until_s <= now_s && n_due > number * LONG_QUEUE);
}

static struct entry *claim_due(struct submitter *s, int64_t now_s)
{
	struct outbox *o = s->o;
	struct entry *e;
	size_t n_due;

	pthread_mutex_lock(&o->lock);
	e = first_due(o, now_s, &n_due);
	if (o->is_stopping || !is_needed(s, n_due, now_s))
		e = NULL;
	if (e) {
		/* A notice is made in a moment: who moves its message, or removes it, waits for that. */
		e->claim = !e->is_unsaved && bounce_is_due(e) ? CLAIM_CHANGE : CLAIM_SEND;
		e->is_sending = sender_waits(e);
	}
	if (e && e->is_sending)
		note_start(o);
	pthread_mutex_unlock(&o->lock);
	return e;
}

static void work_on(struct submitter *s, struct entry *e)
{
	struct outbox *o = s->o;
	bool is_gone = false;

	if (!e->is_unsaved && bounce_is_due(e)) {
		bounce_file(o, e);
		return;
	}
	queue_announce(o, e);
	if (e->is_unsaved && queue_save(o, e) < 0)
		e->record.next_s = clock_realtime_s() + UNSAVED_WAIT_S;
	else if (e->record.state == OUTBOX_SENT)
		is_gone = sent_finish(o, e);
	else if (sender_waits(e))
		attempt_send(s, e);
	else if (uncertain_is_due(e))
		uncertain_settle(o, e);
	if (is_gone)
		return;
	queue_set_state(o, e, e->record.state);
	queue_announce(o, e);
	queue_release(o, e);
}

/* -1: nothing is, or others see to it. */
static int64_t seconds_until_due(const struct submitter *s)
{
	int64_t first = INT64_MAX, now_s = clock_realtime_s(), from_s;
	struct outbox *o = s->o;

	if (s != o->submitters)
		return -1;
	pthread_mutex_lock(&o->lock);
	from_s = sending_from_s(o, now_s);
	for (const struct entry *e = o->first; e; e = e->next)
		if (due_s(o, e, from_s) < first)
			first = due_s(o, e, from_s);
	pthread_mutex_unlock(&o->lock);
	if (first == INT64_MAX)
		return -1;
	return first > now_s ? first - now_s : 0;
}

static int64_t run_due(struct submitter *s)
{
	struct entry *e;

	while ((e = claim_due(s, clock_realtime_s())))
		work_on(s, e);
	return seconds_until_due(s);
}

int64_t sender_run_due(struct outbox *o)
{
	return run_due(o->submitters);
}

/* Under the lock. */
static void wait_for_work(struct submitter *s, int64_t seconds)
{
	struct outbox *o = s->o;

	if (s->session && (seconds < 0 || seconds > SESSION_LINGER_S))
		seconds = SESSION_LINGER_S;
	if (seconds < 0 || seconds > LONGEST_WAIT_S)
		seconds = LONGEST_WAIT_S;
	if (clock_wait(&o->work, &o->lock, seconds * 1000) != -ETIMEDOUT || !s->session)
		return;
	pthread_mutex_unlock(&o->lock);
	session_close(s);
	pthread_mutex_lock(&o->lock);
}

static void *run(void *userdata)
{
	struct submitter *s = userdata;
	struct outbox *o = s->o;

	pthread_mutex_lock(&o->lock);
	while (!o->is_stopping) {
		unsigned wakes = o->sender.wakes;
		int64_t seconds;

		pthread_mutex_unlock(&o->lock);
		seconds = run_due(s);
		pthread_mutex_lock(&o->lock);
		if (seconds != 0 && wakes == o->sender.wakes && !o->is_stopping)
			wait_for_work(s, seconds);
	}
	pthread_mutex_unlock(&o->lock);
	session_close(s);
	return NULL;
}

/* What could not be started is done by those that could; without the first one it is an error. */
int sender_start(struct outbox *o)
{
	size_t n;

	for (n = 0; n < o->n_submitters; n++)
		if (pthread_create(&o->submitters[n].thread, NULL, run, &o->submitters[n]) != 0)
			break;
	if (n == 0)
		return -EAGAIN;
	o->n_submitters = n;
	return 0;
}

void sender_stop(struct outbox *o)
{
	cancel_set(&o->cancel);
	pthread_mutex_lock(&o->lock);
	pthread_cond_broadcast(&o->work);
	pthread_mutex_unlock(&o->lock);
	for (size_t i = 0; i < o->n_submitters; i++)
		pthread_join(o->submitters[i].thread, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/replay_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	GATHER_MS = 20,	       /* a burst of changes goes in few commands */
	PAUSE_FIRST_MS = 1000, /* after a failure that may pass */
	PAUSE_LAST_MS = 60 * 1000,
	LATE_MS = 1000, /* what a broken connection brought to a server may still be done by it */
	BUSY_MS = 100,	/* a server that says "later" is asked again soon, while somebody waits … */
	IDLE_MS = 1000, /* … and while nobody does */
	LOST_MAX = 3,	/* connections in a row, with nothing done on them */
};

int replay_sync(struct mailbox *mb)
{
	int r = 0;

	pthread_mutex_lock(&mb->syncing); /* whoever comes second must not be told before the first is done */
	if (atomic_exchange(&mb->has_unsynced, false))
		r = local_files_sync(mb->files);
	if (r < 0)
		atomic_store(&mb->has_unsynced, true);
	pthread_mutex_unlock(&mb->syncing);
	return r < 0 ? r : journal_sync(mb->index);
}

struct later *replay_later(struct replay *r)
{
	return &r->later;
}

void replay_note_silent(struct replay *r, const struct backend *session)
{
	struct backend **sends_on = r->sends_on;

	if (sends_on && session == *sends_on)
		replay_answer_out_of_reach(r);
}

/* After a server that took its time: who waits from now on waits for its word again. */
static void note_answered(struct replay *r)
{
	pthread_mutex_lock(&r->mb->lock);
	r->is_out_of_reach = false;
	pthread_mutex_unlock(&r->mb->lock);
}

static bool is_stopping(struct replay *r)
{
	bool stopping;

	pthread_mutex_lock(&r->mb->lock);
	stopping = r->stopping;
	pthread_mutex_unlock(&r->mb->lock);
	return stopping;
}

int replay_let_late_pass(struct replay *r)
{
	int64_t end = clock_monotonic_ms() + LATE_MS, left;
	bool stopping;

	if (r->is_late_over)
		return 0;
	pthread_mutex_lock(&r->mb->lock);
	while (!r->stopping && (left = end - clock_monotonic_ms()) > 0)
		clock_wait(&r->wake, &r->mb->lock, left);
	stopping = r->stopping;
	pthread_mutex_unlock(&r->mb->lock);
	r->is_late_over = !stopping;
	return stopping ? -ECANCELED : 1;
}

/* Lock held. A moment for more to come, unless somebody waits already. */
static void gather(struct replay *r)
{
	int64_t end = clock_monotonic_ms() + GATHER_MS, left;

	while (!r->stopping && !r->is_awaited && (left = end - clock_monotonic_ms()) > 0)
		clock_wait(&r->wake, &r->mb->lock, left);
	r->has_work = r->is_awaited = false;
}

/* While changes keep coming, the next command waits for its share of them. */
static void gather_more(struct replay *r, size_t n)
{
	pthread_mutex_lock(&r->mb->lock);
	if (n < REPLAY_BATCH_MAX && clock_monotonic_ms() - r->woken_ms < GATHER_MS)
		gather(r);
	pthread_mutex_unlock(&r->mb->lock);
}

/* That one connection broke does not say that the server is away. One that is silent has cost a timeout already. */
static bool is_lost(const struct backend *session, int error)
{
	return session->broken && (error == -ENOTCONN || error == -ECONNRESET || error == -ECONNABORTED || error == -EPIPE);
}

/* Until the journal is empty, all that is left has to wait, or something goes wrong. Who waits hears nothing of connections that broke when the next one works. */
static int send_all(struct replay *r, struct replay_batch *batch, struct backend **session)
{
	int n = 0, lost = 0;

	r->is_late_over = false;
	while (n >= 0 && !is_stopping(r) && (n = replay_next_batch(r->mb, batch)) > 0) {
		int64_t first = batch->entries[0].seq;
		size_t sent = batch->n;

		n = replay_send(batch, session);
		replay_batch_release(batch);
		r->is_late_over &= !(*session)->broken;
		lost = !is_lost(*session, n) ? 0 : replay_first_left(r->mb) > first ? 1 : lost + 1;
		if (lost && lost < LOST_MAX)
			n = 0;
		if (n == 0 && !lost)
			note_answered(r);
		replay_answer_settled(r);
		if (batch->passed_over)
			replay_answer_apart(r);
		gather_more(r, sent);
	}
	if (n == 0 && !is_stopping(r) && !batch->passed_over)
		later_release(&r->later);
	r->is_other_left = n == 0 && batch->is_other_left;
	r->passed_over = n == 0 ? batch->passed_over : 0;
	return n;
}

/* On a worker. */
static int drain(void *userdata, struct backend **session)
{
	struct replay *r = userdata;
	struct replay_batch *batch = calloc(1, sizeof *batch);
	int n;

	if (!batch)
		return -ENOMEM;
	r->sends_on = session;
	n = send_all(r, batch, session);
	r->sends_on = NULL;
	free(batch);
	return n;
}

/* Lock held. Pauses after a failure, cut short when the server is back. */
static void pause_after(struct replay *r)
{
	r->pause_ms = r->pause_ms ? r->pause_ms * 2 : PAUSE_FIRST_MS;
	if (r->pause_ms > PAUSE_LAST_MS)
		r->pause_ms = PAUSE_LAST_MS;
	if (!r->stopping && !r->has_work)
		clock_wait(&r->wake, &r->mb->lock, r->pause_ms);
	r->has_work = true;
}

/* The server is there and says "later", e.g. because a message goes at this moment: who waits goes on waiting for its word, for a while. */
static bool is_busy(struct replay *r, int error)
{
	int64_t now_ms = clock_monotonic_ms();

	if ((error ? error : r->passed_over) != -EAGAIN)
		later_forget_busy(&r->later);
	if (error != -EAGAIN)
		r->busy_since_ms = 0;
	else if (!r->busy_since_ms)
		r->busy_since_ms = now_ms;
	return error == -EAGAIN && now_ms - r->busy_since_ms < r->mb->configuration->timeout_s * 1000;
}

static void *run(void *argument)
{
	struct replay *r = argument;
	struct mailbox *mb = r->mb;
	bool is_later;
	int error;

	pthread_mutex_lock(&mb->lock);
	while (!r->stopping) {
		if (!r->has_work) {
			pthread_cond_wait(&r->wake, &mb->lock);
			continue;
		}
		gather(r);
		pthread_mutex_unlock(&mb->lock);
		error = journal_is_empty(mb->index) ? 0 : replay_sync(mb);
		if (error == 0 && !journal_is_empty(mb->index))
			error = mailbox_run(mb, JOB_INTERACTIVE, drain, r);
		is_later = is_busy(r, error);
		if (error < 0 && !is_later)
			replay_answer_out_of_reach(r);
		else
			replay_answer_settled(r);
		is_later |= replay_answer_passed_over(r, error);
		pthread_mutex_lock(&mb->lock);
		r->rounds++;
		r->is_out_of_reach = error < 0 && !is_later;
		if (is_later && !r->stopping && !r->has_work)
			clock_wait(&r->wake, &r->mb->lock, r->waiters ? BUSY_MS : IDLE_MS);
		else if (error < 0 && !is_later)
			pause_after(r);
		else
			r->pause_ms = 0;
		r->has_work |= is_later;
	}
	pthread_mutex_unlock(&mb->lock);
	return NULL;
}

int replay_new(struct mailbox *mb, struct replay **ret)
{
	struct replay *r = calloc(1, sizeof *r);
	int error;

	if (!r)
		return -ENOMEM;
	r->mb = mb;
	pthread_cond_init(&r->wake, NULL);
	error = -pthread_create(&r->thread, NULL, run, r);
	if (error < 0) {
		free(r);
		return error;
	}
	*ret = r;
	return 0;
}

void replay_stop(struct replay *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->mb->lock);
	r->stopping = true;
	pthread_cond_broadcast(&r->wake);
	pthread_mutex_unlock(&r->mb->lock);
	pthread_join(r->thread, NULL);
	replay_answer_out_of_reach(r);
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	later_release(&r->later);
	replay_forget_refused(r);
	pthread_cond_destroy(&r->wake);
	free(r);
}

void replay_finish(struct replay *r, int64_t timeout_ms)
{
	int64_t end = clock_monotonic_ms() + timeout_ms, left;
	unsigned first;

	pthread_mutex_lock(&r->mb->lock);
	first = r->rounds;
	while (!journal_is_empty(r->mb->index) && !r->is_out_of_reach && (left = end - clock_monotonic_ms()) > 0) {
		bool is_tried = r->rounds - first > 1; /* by a round that began later than this */

		if (is_tried && r->passed_over == -EINPROGRESS && !r->is_other_left)
			break;
		if (!is_tried) {
			r->has_work = r->is_awaited = true;
			pthread_cond_broadcast(&r->wake);
		}
		clock_wait(&r->wake, &r->mb->lock, left < GATHER_MS ? left : GATHER_MS);
	}
	pthread_mutex_unlock(&r->mb->lock);
}

void replay_wake(struct replay *r)
{
	pthread_mutex_lock(&r->mb->lock);
	if (!r->has_work) /* else it is awake, or gathers: a burst does not wake it for each */
		pthread_cond_broadcast(&r->wake);
	r->has_work = true;
	r->woken_ms = clock_monotonic_ms();
	pthread_mutex_unlock(&r->mb->lock);
}

void replay_is_back(struct replay *r)
{
	pthread_mutex_lock(&r->mb->lock);
	r->is_out_of_reach = false;
	pthread_mutex_unlock(&r->mb->lock);
	replay_wake(r);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/replay.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "mailbox/replay_later.h"

enum {
	GATHER_MS = 20,	       /* a burst of changes goes in few commands */
	PAUSE_FIRST_MS = 1000, /* after a failure that may pass */
	PAUSE_LAST_MS = 60 * 1000,
	REFUSED_KEPT = 256,
	LATE_MS = 1000, /* what a broken connection brought to a server may still be done by it */
	BUSY_MS = 100,	/* a server that says "later" is asked again soon, while somebody waits … */
	IDLE_MS = 1000, /* … and while nobody does */
	LOST_MAX = 3,	/* connections in a row, with nothing done on them */
};

struct replay {
	struct mailbox *mb; /* borrowed */
	pthread_t thread;
	bool has_thread;
	pthread_cond_t wake;
	/* The mailbox's lock: */
	bool has_work, is_awaited, stopping, is_out_of_reach;
	int64_t woken_ms;	/* when something came last */
	struct waiter *waiters; /* from: a message's row or 0; until: the entry; result: so far */
	struct {
		int64_t seq, row; /* row 0: somebody was told */
		int error;
	} refused[REFUSED_KEPT]; /* the last ones: who asks for one may come a moment late */
	size_t n_refused;
	int64_t pause_ms;
	struct later later;	   /* the worker's, and the thread's while no worker runs */
	int passed_over;	   /* likewise; -errno: all that is left has to wait, for that reason */
	struct backend **sends_on; /* the worker's: its session, which may be another after it was lost; NULL: it does not send */
	bool is_late_over;	   /* the worker's; since the last connection broke it was waited for */
	int64_t busy_since_ms;	   /* the thread's; 0: it is not */
};

int replay_sync(struct mailbox *mb)
{
	int r = atomic_exchange(&mb->has_unsynced, false) ? local_files_sync(mb->files) : 0;

	return r < 0 ? r : journal_sync(mb->index);
}

/* Answered outside of the lock. */
/* Lock held. Those that is_one() says. */
static struct waiter *take(struct replay *r, bool (*is_one)(const struct waiter *w, const void *userdata), const void *userdata)
{
	struct waiter *taken = NULL, **at = &r->waiters, *w;

	while ((w = *at)) {
		if (!is_one(w, userdata)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		waiters_push(&taken, w);
	}
	return taken;
}

static bool is_settled(const struct waiter *w, const void *settled)
{
	return w->until <= *(const int64_t *)settled;
}

static struct waiter *take_settled(struct replay *r, int64_t settled)
{
	return take(r, is_settled, &settled);
}

static void answer_each(struct waiter *list)
{
	while (list) {
		struct waiter *next = list->next;

		list->done(list, list->result);
		list = next;
	}
}

/* The first entry that is left. */
static int note_first(void *userdata, const struct journal_entry *e)
{
	*(int64_t *)userdata = e->seq;
	return 1;
}

static int64_t first_left(struct mailbox *mb)
{
	int64_t seq = INT64_MAX;

	if (journal_is_empty(mb->index))
		return seq;
	if (index_begin(mb->index) < 0)
		return 0;
	if (journal_each_after(mb->index, 0, note_first, &seq) < 0)
		seq = 0;
	index_rollback(mb->index);
	return seq;
}

static void answer_settled(struct replay *r)
{
	struct waiter *taken;
	int64_t first;

	first = first_left(r->mb);
	pthread_mutex_lock(&r->mb->lock);
	taken = take_settled(r, first == INT64_MAX ? first : first - 1);
	pthread_mutex_unlock(&r->mb->lock);
	answer_each(taken);
}

/* Who waits for one message, of which nothing is left while changes of others are passed over; or for which the server cannot be had. */
struct apart {
	size_t n;
	struct {
		int64_t row, until;
		bool is_done;
	} of[64];
};

static bool is_apart(const struct waiter *w, const void *userdata)
{
	const struct apart *a = userdata;

	for (size_t i = 0; i < a->n; i++)
		if (a->of[i].is_done && a->of[i].row == w->from && a->of[i].until == w->until)
			return true;
	return false;
}

static bool is_done(struct replay *r, int64_t row, int64_t until)
{
	int64_t first = INT64_MAX;
	int error = journal_each_of(r->mb->index, row, note_first, &first);

	if (error < 0 || first > until)
		return error >= 0;
	error = later_passes_over(&r->later, first);
	return error < 0 && error != -EAGAIN;
}

static void find_done(struct replay *r, struct apart *a)
{
	if (index_begin(r->mb->index) < 0)
		return;
	for (size_t i = 0; i < a->n; i++)
		a->of[i].is_done = is_done(r, a->of[i].row, a->of[i].until);
	index_rollback(r->mb->index);
}

static void answer_apart(struct replay *r)
{
	struct apart a = { .n = 0 };
	struct waiter *taken;

	pthread_mutex_lock(&r->mb->lock);
	for (struct waiter *w = r->waiters; w && a.n < sizeof a.of / sizeof *a.of; w = w->next)
		if (w->from) {
			a.of[a.n].row = w->from;
			a.of[a.n++].until = w->until;
		}
	pthread_mutex_unlock(&r->mb->lock);
	if (!a.n)
		return;
	find_done(r, &a);
	pthread_mutex_lock(&r->mb->lock);
	taken = take(r, is_apart, &a);
	pthread_mutex_unlock(&r->mb->lock);
	answer_each(taken);
}

static bool is_late(const struct waiter *w, const void *since_ms)
{
	return w->since_ms <= *(const int64_t *)since_ms;
}

/* Who waits for what is passed over is told after `timeout` that the change is safe here. */
static void answer_late(struct replay *r)
{
	int64_t since_ms = clock_monotonic_ms() - r->mb->configuration->timeout_s * 1000;
	struct waiter *taken;
	int error;

	pthread_mutex_lock(&r->mb->lock);
	taken = take(r, is_late, &since_ms);
	pthread_mutex_unlock(&r->mb->lock);
	error = taken ? replay_sync(r->mb) : 0;
	for (struct waiter *w = taken; w; w = w->next)
		if (!w->result)
			w->result = error;
	answer_each(taken);
}

void replay_note_refused(struct replay *r, int64_t row, int64_t seq, int error)
{
	bool is_told = false;

	pthread_mutex_lock(&r->mb->lock);
	for (struct waiter *w = r->waiters; w; w = w->next)
		if (seq <= w->until && (!w->from || w->from == row)) {
			w->result = error;
			is_told |= w->from == row;
		}
	r->refused[r->n_refused % REFUSED_KEPT].seq = seq;
	r->refused[r->n_refused % REFUSED_KEPT].row = is_told ? 0 : row;
	r->refused[r->n_refused++ % REFUSED_KEPT].error = error;
	pthread_mutex_unlock(&r->mb->lock);
}

/* Lock held. */
static int refused_error(struct replay *r, int64_t seq)
{
	for (size_t i = 0; i < REFUSED_KEPT && i < r->n_refused; i++)
		if (r->refused[i].seq == seq) {
			r->refused[i].row = 0;
			return r->refused[i].error;
		}
	return 0;
}

struct later *replay_later(struct replay *r)
{
	return &r->later;
}

int replay_take_refused(struct replay *r, int64_t row)
{
	int error = 0;

	pthread_mutex_lock(&r->mb->lock);
	for (size_t i = 0; i < REFUSED_KEPT && i < r->n_refused; i++)
		if (r->refused[i].row == row) {
			r->refused[i].row = 0;
			error = r->refused[i].error;
		}
	pthread_mutex_unlock(&r->mb->lock);
	return error;
}

/* Out of reach: who waits is told that the change is safe here. */
static void answer_out_of_reach(struct replay *r)
{
	int error = replay_sync(r->mb);
	struct waiter *taken;

	pthread_mutex_lock(&r->mb->lock);
	r->is_out_of_reach = true;
	for (struct waiter *w = r->waiters; w; w = w->next)
		if (!w->result)
			w->result = error;
	taken = take_settled(r, INT64_MAX);
	pthread_mutex_unlock(&r->mb->lock);
	answer_each(taken);
}

void replay_note_silent(struct replay *r, const struct backend *session)
{
	if (r->sends_on && session == *r->sends_on)
		answer_out_of_reach(r);
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
		lost = !is_lost(*session, n) ? 0 : first_left(r->mb) > first ? 1 : lost + 1;
		if (lost && lost < LOST_MAX)
			n = 0;
		if (n == 0 && !lost)
			note_answered(r);
		answer_settled(r);
		if (batch->passed_over)
			answer_apart(r);
		index_checkpoint(r->mb->index);
		gather_more(r, sent);
	}
	if (n == 0 && !is_stopping(r) && !batch->passed_over)
		later_release(&r->later);
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

	if (error != -EAGAIN) {
		r->busy_since_ms = 0;
		later_forget_busy(&r->later);
	} else if (!r->busy_since_ms) {
		r->busy_since_ms = now_ms;
	}
	return error == -EAGAIN && now_ms - r->busy_since_ms < r->mb->configuration->timeout_s * 1000;
}

/* Those whose changes have to wait; who waits for other changes goes on. Whether there are any. */
static bool answer_passed_over(struct replay *r, int error)
{
	if (error < 0 || !r->passed_over)
		return false;
	answer_apart(r);
	answer_late(r);
	return true;
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
			answer_out_of_reach(r);
		else
			answer_settled(r);
		is_later |= answer_passed_over(r, error);
		index_checkpoint(mb->index);
		pthread_mutex_lock(&mb->lock);
		r->is_out_of_reach = error < 0 && !is_later;
		if (is_later && !r->stopping && !r->has_work)
			clock_wait(&r->wake, &r->mb->lock, r->waiters ? BUSY_MS : IDLE_MS);
		else if (error < 0)
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

void replay_free(struct replay *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->mb->lock);
	r->stopping = true;
	pthread_cond_broadcast(&r->wake);
	pthread_mutex_unlock(&r->mb->lock);
	pthread_join(r->thread, NULL);
	answer_out_of_reach(r);
	later_release(&r->later);
	pthread_cond_destroy(&r->wake);
	free(r);
}

void replay_finish(struct replay *r, int64_t timeout_ms)
{
	int64_t end = clock_monotonic_ms() + timeout_ms, left;

	pthread_mutex_lock(&r->mb->lock);
	r->has_work = r->is_awaited = true;
	pthread_cond_broadcast(&r->wake);
	while (!journal_is_empty(r->mb->index) && !r->is_out_of_reach && (left = end - clock_monotonic_ms()) > 0)
		clock_wait(&r->wake, &r->mb->lock, left < GATHER_MS ? left : GATHER_MS);
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

int replay_wait(struct replay *r, int64_t row, int64_t seq, struct waiter *w)
{
	bool out_of_reach;

	w->from = row;
	w->until = seq;
	w->since_ms = clock_monotonic_ms();
	pthread_mutex_lock(&r->mb->lock);
	w->result = refused_error(r, seq);
	out_of_reach = r->is_out_of_reach || r->stopping;
	if (!out_of_reach) {
		waiters_push(&r->waiters, w);
		r->has_work = r->is_awaited = true;
		pthread_cond_broadcast(&r->wake);
	}
	pthread_mutex_unlock(&r->mb->lock);
	return out_of_reach ? replay_sync(r->mb) : -EINPROGRESS;
}

bool replay_interrupt(struct replay *r, struct waiter *w)
{
	return waiters_remove(&r->waiters, w);
}

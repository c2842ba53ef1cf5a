/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who waits for the server's word about changes, and what they are told: close(2), fsync(2). Answered outside of the lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mailbox/replay_private.h"

enum { REFUSED_TOLD_MS = 10 * 1000 }; /* for so long the next fsync(2) of a folder tells of what was refused in it before */

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

/* What is not done is on the disk at least. */
static void answer_safe(struct replay *r, struct waiter *taken)
{
	int error = taken ? replay_sync(r->mb) : 0;

	for (struct waiter *w = taken; w; w = w->next)
		if (!w->result)
			w->result = error;
	answer_each(taken);
}

/* The first entry that is left. */
static int note_first(void *userdata, const struct journal_entry *e)
{
	*(int64_t *)userdata = e->seq;
	return 1;
}

int64_t replay_first_left(struct mailbox *mb)
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

void replay_answer_settled(struct replay *r)
{
	struct waiter *taken;
	int64_t first;

	first = replay_first_left(r->mb);
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

void replay_answer_apart(struct replay *r)
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
	answer_safe(r, taken);
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

	pthread_mutex_lock(&r->mb->lock);
	taken = take(r, is_late, &since_ms);
	pthread_mutex_unlock(&r->mb->lock);
	answer_safe(r, taken);
}

static void forget_folders(struct refused *refused)
{
	free(refused->folder);
	free(refused->source);
	refused->folder = refused->source = NULL;
}

void replay_forget_refused(struct replay *r)
{
	for (size_t i = 0; i < REPLAY_REFUSED_KEPT; i++)
		forget_folders(&r->refused[i]);
}

/* Without memory no fsync(2) of a folder tells of it later. */
static struct refused make_refused(const struct journal_entry *e, const struct journal_place *place, int error)
{
	return (struct refused){ .seq = e->seq,
				 .row = e->row,
				 .error = error,
				 .when_ms = clock_monotonic_ms(),
				 .folder = strdup(e->folder ? e->folder : ""),
				 .source = place && place->wire ? strdup(place->wire) : NULL };
}

void replay_note_refused(struct replay *r, const struct journal_entry *e, const struct journal_place *place, int error)
{
	struct refused refused = make_refused(e, place, error), *kept;

	pthread_mutex_lock(&r->mb->lock);
	for (struct waiter *w = r->waiters; w; w = w->next) {
		if (e->seq > w->until || (w->from && w->from != e->row))
			continue;
		w->result = error;
		refused.row = w->from ? 0 : refused.row;
		forget_folders(&refused);
	}
	kept = &r->refused[r->n_refused++ % REPLAY_REFUSED_KEPT];
	forget_folders(kept);
	*kept = refused;
	pthread_mutex_unlock(&r->mb->lock);
}

static bool is_within(const char *wire, const char *folder, char delimiter)
{
	size_t len = strlen(folder);

	return wire && *wire && !strncmp(wire, folder, len) && (!len || !wire[len] || (delimiter && wire[len] == delimiter));
}

int replay_take_refused_in(struct replay *r, const char *folder, char delimiter)
{
	int64_t since_ms = clock_monotonic_ms() - REFUSED_TOLD_MS;
	int error = 0;

	pthread_mutex_lock(&r->mb->lock);
	for (size_t i = 0; i < REPLAY_REFUSED_KEPT && i < r->n_refused; i++) {
		struct refused *refused = &r->refused[i];

		if (refused->when_ms < since_ms ||
		    (!is_within(refused->folder, folder, delimiter) && !is_within(refused->source, folder, delimiter)))
			continue;
		error = refused->error;
		forget_folders(refused);
	}
	pthread_mutex_unlock(&r->mb->lock);
	return error;
}

/* Lock held. */
static int refused_error(struct replay *r, int64_t seq)
{
	for (size_t i = 0; i < REPLAY_REFUSED_KEPT && i < r->n_refused; i++)
		if (r->refused[i].seq == seq) {
			r->refused[i].row = 0;
			forget_folders(&r->refused[i]);
			return r->refused[i].error;
		}
	return 0;
}

int replay_take_refused(struct replay *r, int64_t row)
{
	int error = 0;

	pthread_mutex_lock(&r->mb->lock);
	for (size_t i = 0; i < REPLAY_REFUSED_KEPT && i < r->n_refused; i++)
		if (r->refused[i].row == row) {
			r->refused[i].row = 0;
			forget_folders(&r->refused[i]);
			error = r->refused[i].error;
		}
	pthread_mutex_unlock(&r->mb->lock);
	return error;
}

void replay_answer_out_of_reach(struct replay *r)
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

bool replay_answer_passed_over(struct replay *r, int error)
{
	if (error < 0 || !r->passed_over)
		return false;
	replay_answer_apart(r);
	answer_late(r);
	return true;
}

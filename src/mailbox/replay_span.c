/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/replay_span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mailbox/replay_later.h"

enum {
	BUSY_MAX = 3,
	ARRIVES_S = 5 * 60, /* what was not answered may still arrive for so long */
};

int span_confirm(const struct span *s, uint32_t uidvalidity, const uint32_t *uids)
{
	CLEANUP(free) struct replay_outcome *outcomes = calloc(s->n, sizeof *outcomes);

	if (!outcomes)
		return -ENOMEM;
	for (size_t i = 0; i < s->n && uids; i++)
		outcomes[i] = (struct replay_outcome){ .uidvalidity = uidvalidity, .uid = uids[i] };
	return replay_confirm_each(s->batch, s->from, s->n, outcomes);
}

/* ------------------------------------------------------------ failures */

static bool has_broken(const struct span *s)
{
	return (*s->session)->broken && !(*s->session)->refused;
}

/* The change as such is not at fault: it stays in the journal. */
static bool may_pass(const struct span *s, int error)
{
	return has_broken(s) || error == -EAGAIN || error == -ENOMEM || error == -ENOTCONN || error == -ECANCELED ||
	       error == -ETIMEDOUT || error == -EHOSTUNREACH;
}

/* Once may be chance. From then on others go before it. */
static int note_broken(struct later *l, const struct span *s, size_t i, int error)
{
	int64_t seq = span_entry(s, i)->seq;
	int r = later_note_broken(l, seq, s->n, (*s->session)->used);

	return r == 0 && s->n == 1 && later_times_broken(l, seq) > 1 ? later_pass_over(l, seq, error) : r;
}

bool span_may_arrive(const struct span *s, size_t i)
{
	int64_t unanswered_s = span_entry(s, i)->unanswered_s, age_s = clock_realtime_s() - unanswered_s;

	/* A clock that was set back a little takes nothing away; one that was far ahead tells nothing. */
	return unanswered_s && age_s > -ARRIVES_S && age_s < ARRIVES_S;
}

/* Of each entry, in the journal, since who unmounts now may mount again at once. */
static void note_each(const struct span *s, int (*note)(struct index *ix, const struct journal_entry *e, int64_t when_s),
		      int64_t when_s)
{
	struct index *ix = s->batch->mb->index;
	int r = index_begin(ix);

	if (r == 0) {
		for (size_t i = 0; i < s->n && r == 0; i++)
			r = note(ix, span_entry(s, i), when_s);
		r = index_end(ix, r);
	}
	if (r < 0)
		log_warning("what the server did not answer, or did, could not be noted: %s", strerror(-r));
}

static int note_unanswered(struct index *ix, const struct journal_entry *e, int64_t when_s)
{
	return journal_note_unanswered(ix, e->seq, when_s);
}

/* Unless there was no answer to it once before. */
static int forget_sent(struct index *ix, const struct journal_entry *e, int64_t when_s)
{
	(void)when_s;
	return e->is_repeated ? 0 : journal_forget_sent(ix, e->seq);
}

void span_forget_sent(const struct span *s)
{
	if (!has_broken(s))
		note_each(s, forget_sent, 0);
}

static void note_all_sent(void *userdata)
{
	struct span *s = userdata;

	s->is_all_sent = true;
	note_each(s, note_unanswered, clock_realtime_s());
}

void span_watch(struct span *s)
{
	s->is_all_sent = false;
	(*s->session)->all_sent = note_all_sent;
	(*s->session)->all_sent_userdata = s;
}

static bool is_unanswered(const struct span *s, int error)
{
	return has_broken(s) && (*s->session)->unanswered && (error == -ETIMEDOUT || error == -EHOSTUNREACH || error == -ECANCELED);
}

void span_end_watch(struct span *s, int error)
{
	(*s->session)->all_sent = NULL;
	if (error == 0) /* nothing stays in the journal */
		return;
	if (!s->is_all_sent && span_entry(s, 0)->kind == JOURNAL_MOVE)
		note_each(s, forget_sent, 0);
	else if (s->is_all_sent && !is_unanswered(s, error)) /* the server said no, or hung up */
		note_each(s, note_unanswered, 0);
}

/* What is known of its entries when it is their turn again. */
static int note_failure(const struct span *s, int error)
{
	bool is_broken_off = has_broken(s) && (error == -ENOTCONN || error == -ECONNRESET || error == -EPIPE);
	struct later *l = replay_later(s->batch->mb->replay);
	int r = 0;

	if (is_unanswered(s, error))
		note_each(s, note_unanswered, clock_realtime_s());
	for (size_t i = 0; i < s->n && r == 0 && is_broken_off; i++)
		r = note_broken(l, s, i, error);
	return error;
}

/* The server says "later": some of many it may take now, and one waits while others pass. 1: nobody need wait for that any more; -EAGAIN: it says so to all. */
static int wait_for_room(const struct span *s)
{
	struct later *l = replay_later(s->batch->mb->replay);
	int r;

	if (s->n > 1 || later_is_refused(l, span_entry(s, 0)->seq))
		return 1;
	r = later_pass_over(l, span_entry(s, 0)->seq, -EAGAIN);
	return r < 0 ? r : ++s->batch->busy < BUSY_MAX ? 0 : -EAGAIN;
}

/* What a program is told that waits in fsync(2) or close(2): a folder that went, or another in its place, is one that is not there. */
static int told_error(int error)
{
	static const struct {
		int from, to;
	} table[] = {
		{ -ENXIO, -ENOENT },
		{ -ENOLINK, -ENOENT },
		{ -ESTALE, -ENOENT },
		{ -EPROTO, -EIO },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (error == table[i].from)
			return table[i].to;
	return error;
}

static int send_halves(const struct span *s)
{
	struct span half = *s;
	int r;

	half.n = s->n / 2;
	r = span_send(&half);
	if (r < 0)
		return r;
	half.from = s->from + half.n;
	half.n = s->n - half.n;
	return span_send(&half);
}

int span_refused(struct span *s, int error)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	int told = told_error(error), r;

	if (error == -EAGAIN && !has_broken(s)) {
		r = wait_for_room(s);
		if (r <= 0)
			return r;
	} else if (may_pass(s, error)) {
		return note_failure(s, error);
	}
	span_unmark(s);
	if (s->n > 1)
		return send_halves(s);
	buf_append_str(&why, *backend_why(*s->session) ? backend_why(*s->session) : strerror(-told));
	return replay_refuse(s->batch, s->from, told, buf_str(&why));
}

/* ------------------------------------------------------------ UIDs */

int span_compare_uids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

uint32_t *span_uids(const struct span *s)
{
	uint32_t *uids = calloc(s->n, sizeof *uids);

	for (size_t i = 0; uids && i < s->n; i++)
		uids[i] = span_place(s, i)->uid;
	if (uids)
		qsort(uids, s->n, sizeof *uids, span_compare_uids);
	return uids;
}

/* ------------------------------------------------------------ marking */

int span_mark_sent(struct span *s)
{
	struct index *ix = s->batch->mb->index;
	struct backend_status status = { 0 };
	int r = backend_status(s->session, span_entry(s, 0)->folder, &status);

	if (r < 0)
		return r;
	r = index_begin(ix);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n && r == 0; i++) {
		struct journal_entry *e = &s->batch->entries[s->from + i];

		e->uidnext = status.uidnext;
		e->uidvalidity = status.uidvalidity;
		r = journal_mark_sent(ix, e->seq, e->uidvalidity, e->uidnext);
	}
	r = index_end(ix, r);
	return r < 0 ? r : journal_sync(ix);
}

void span_unmark(struct span *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct journal_entry *e = &s->batch->entries[s->from + i];

		e->was_sent = false;
		if (!e->is_repeated)
			e->uidnext = 0;
	}
}

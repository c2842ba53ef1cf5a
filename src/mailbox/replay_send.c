/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One batch of the journal, sent: which command carries it, and what is done where the server lacks one.
 *
 * What cannot be repeated blindly (APPEND, COPY) is marked on disk before it goes out. Marked entries come back by themselves, and are looked for among the UIDs that the folder has given since.
 */
#include "mailbox/replay_span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mailbox/changing_private.h"
#include "mailbox/replay_find.h"
#include "mailbox/replay_later.h"

enum { BREAKS_MAX = 5 };

/* ------------------------------------------------------------ flags */

/* A bare NO to a keyword is about the keyword. */
static int store_error(int error, const char *add)
{
	return (error == -EPERM || error == -EIO) && changing_has_keyword(add) ? -ENOTSUP : error;
}

static int store(struct span *s, const char *add, const char *remove)
{
	CLEANUP(free) uint32_t *uids = span_uids(s);
	const struct journal_place *p = span_place(s, 0);
	int r = uids ? backend_store(s->session, p->wire, p->uidvalidity, uids, s->n, add, remove) : -ENOMEM;

	return r < 0 ? span_refused(s, (*s->session)->broken ? r : store_error(r, add)) : span_confirm(s, 0, NULL);
}

static int send_flags(struct span *s)
{
	const char *detail = span_entry(s, 0)->detail, *newline = strchr(detail, '\n');
	CLEANUP(free) char *add = strndup(detail, newline ? (size_t)(newline - detail) : strlen(detail));

	return add ? store(s, add, newline ? newline + 1 : "") : -ENOMEM;
}

int span_send_mark(struct span *s)
{
	return store(s, "\\Deleted", "");
}

/* ------------------------------------------------------------ all of them */

static int send_folder(struct span *s)
{
	const char *why;
	int r = replay_send_folder(s->batch->mb, s->session, span_entry(s, 0), &why);

	if (r < 0 && why)
		return replay_refuse(s->batch, s->from, r, why);
	return r < 0 ? span_refused(s, r) : span_confirm(s, 0, NULL);
}

/* Those that were not found, in runs of at most `most`. */
static int with_unfound(const struct span *s, const uint32_t *found, size_t most, int (*send)(struct span *run))
{
	struct span run = *s;
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i += run.n ? run.n : 1) {
		for (run.n = 0; i + run.n < s->n && run.n < most && !found[i + run.n];)
			run.n++;
		run.from = s->from + i;
		if (run.n)
			r = send(&run);
	}
	return r;
}

static int send_anew(struct span *s)
{
	span_unmark(s);
	return span_send(s);
}

/* Those that the server did not answer may still arrive: they wait. 1: some are left. */
static int pass_over_unanswered(const struct span *s, uint32_t *found)
{
	struct later *l = replay_later(s->batch->mb->replay);
	bool is_any_left = false;
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++) {
		int64_t seq = span_entry(s, i)->seq;

		if (!found[i] && span_may_arrive(s, i)) {
			r = later_pass_over(l, seq, -EINPROGRESS);
			found[i] = UINT32_MAX;
		}
		is_any_left |= !found[i];
	}
	return r < 0 ? r : is_any_left;
}

static int verify(struct span *s)
{
	CLEANUP(free) uint32_t *found = calloc(s->n, sizeof *found);
	int r = found ? find_sent(s->session, s->batch, s->from, s->n, found) : -ENOMEM;

	if (r == 1)
		r = pass_over_unanswered(s, found);
	/* A server may still be at what a connection that broke had brought to it. */
	if (r == 1)
		r = replay_let_late_pass(s->batch->mb->replay);
	if (r == 1)
		r = find_sent(s->session, s->batch, s->from, s->n, found);
	/* What cannot be known now is no refusal. */
	if (r < 0 && s->n == 1)
		return span_refused(s, (*s->session)->broken || r == -ENXIO || r == -ESTALE || r == -EACCES ? r : -EAGAIN);
	if (r < 0 && found && !(*s->session)->broken) /* each for itself: nothing goes out unverified */
		return with_unfound(s, found, 1, verify);
	return r < 0 ? r : with_unfound(s, found, s->n, send_anew);
}

/* It has gone from the server, never came there, or the server did not tell where it went. What never came is removed all the same. */
static int settle_without_place(struct span *s)
{
	bool removes = span_entry(s, 0)->kind == JOURNAL_REMOVE || span_entry(s, 0)->kind == JOURNAL_MARK;
	int r = 0;

	if (removes && !span_place(s, 0)->wire)
		return span_confirm(s, 0, NULL);
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = replay_refuse(s->batch, s->from + i, -ENOENT, "nobody knows where the server has it");
	return r;
}

/* Of those that an unanswered move was to take away some may still stand there. */
static int pass_over_moves(struct span *s, const uint32_t *there, size_t n)
{
	struct later *l = replay_later(s->batch->mb->replay);
	int n_passed = 0, r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++) {
		int64_t seq = span_entry(s, i)->seq;

		if (!span_may_arrive(s, i) || !bsearch(&span_place(s, i)->uid, there, n, sizeof *there, span_compare_uids))
			continue;
		r = later_pass_over(l, seq, -EINPROGRESS);
		n_passed++;
	}
	return r < 0 ? r : n_passed;
}

/* A server that did not answer may still be at a move, and would do it twice were it said again. 0: it may be said; the number of those that wait. */
static int wait_for_moves(struct span *s)
{
	const struct journal_place *p = span_place(s, 0);
	CLEANUP(free) uint32_t *there = NULL, *uids = NULL;
	size_t n = 0, i = 0;
	int r;

	while (i < s->n && !span_may_arrive(s, i))
		i++;
	if (i == s->n)
		return 0;
	uids = span_uids(s);
	r = uids ? backend_uids_from(s->session, p->wire, p->uidvalidity, uids[0], &there, &n) : -ENOMEM;
	if (r == -ENXIO || r == -ESTALE)
		return 0;
	return r < 0 ? r : pass_over_moves(s, there, n);
}

/* The server has broken off the connection at it. Where it is there for anything else, that is due to this one, which is given up in the end. 1: it may be sent. */
static int check_broken(struct span *s)
{
	struct later *l = replay_later(s->batch->mb->replay);
	struct backend_status status;
	int r = backend_status(s->session, "INBOX", &status);

	if (r < 0 && (*s->session)->broken)
		return r;
	return later_times_broken(l, span_entry(s, 0)->seq) < BREAKS_MAX
		       ? 1
		       : replay_refuse(s->batch, s->from, -EIO, "the server breaks off the connection each time");
}

int span_send(struct span *s)
{
	static int (*const sends[])(struct span * s) = {
		[JOURNAL_FLAGS] = send_flags,	 [JOURNAL_MOVE] = span_send_move,     [JOURNAL_REMOVE] = span_send_removal,
		[JOURNAL_MARK] = span_send_mark, [JOURNAL_APPEND] = span_send_append, [JOURNAL_COPY] = span_send_copy,
		[JOURNAL_CREATE] = send_folder,	 [JOURNAL_DELETE] = send_folder,      [JOURNAL_RENAME] = send_folder,
	};
	const struct journal_entry *first = span_entry(s, 0);
	bool needs_place = first->kind != JOURNAL_APPEND && first->kind < JOURNAL_CREATE;
	int r;

	if (first->was_sent)
		return verify(s);
	if (needs_place && !span_place(s, 0)->uid)
		return settle_without_place(s);
	if (s->n == 1 && later_has_broken(replay_later(s->batch->mb->replay), first->seq)) {
		r = check_broken(s);
		if (r <= 0)
			return r;
	}
	r = first->kind == JOURNAL_MOVE ? wait_for_moves(s) : 0;
	if (r)
		return r < 0 ? span_refused(s, r) : 0;
	return sends[first->kind](s);
}

int replay_send(struct replay_batch *batch, struct backend **session)
{
	struct span all = { .batch = batch, .session = session, .n = batch->n };
	bool is_folder = batch->entries[0].kind >= JOURNAL_CREATE;
	int r = span_send(&all);

	if (r == 0 && is_folder)
		look_at_folder_list(batch->mb, true, NULL);
	return r;
}

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

/* ------------------------------------------------------------ flags and removal */

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

static int send_mark(struct span *s)
{
	return store(s, "\\Deleted", "");
}

/* Without UID EXPUNGE nothing is expunged: other clients' \Deleted messages would go as well. */
static int send_removal(struct span *s)
{
	CLEANUP(free) uint32_t *uids = NULL;
	const struct journal_place *p = span_place(s, 0);
	int r;

	if (!(backend_abilities(*s->session) & BACKEND_EXPUNGE_UID)) {
		for (size_t i = 0; i < s->n; i++)
			s->batch->entries[s->from + i].kind = JOURNAL_MARK;
		return send_mark(s);
	}
	uids = span_uids(s);
	r = uids ? backend_expunge(s->session, p->wire, p->uidvalidity, uids, s->n) : -ENOMEM;
	return r < 0 ? span_refused(s, r) : span_confirm(s, 0, NULL);
}

/* ------------------------------------------------------------ all of them */

static int send_folder(struct span *s)
{
	int r = replay_send_folder(s->batch->mb, s->session, span_entry(s, 0));

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

static int verify(struct span *s)
{
	CLEANUP(free) uint32_t *found = calloc(s->n, sizeof *found);
	int r = found ? find_sent(s->session, s->batch, s->from, s->n, found) : -ENOMEM;

	/* A server may still be at what a connection that broke had brought to it. */
	if (r == 1)
		r = replay_let_late_pass(s->batch->mb->replay);
	if (r == 1)
		r = find_sent(s->session, s->batch, s->from, s->n, found);
	if (r < 0 && s->n == 1)
		return span_refused(s, r);
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

int span_send(struct span *s)
{
	static int (*const sends[])(struct span * s) = {
		[JOURNAL_FLAGS] = send_flags,	[JOURNAL_MOVE] = span_send_move,     [JOURNAL_REMOVE] = send_removal,
		[JOURNAL_MARK] = send_mark,	[JOURNAL_APPEND] = span_send_append, [JOURNAL_COPY] = span_send_copy,
		[JOURNAL_CREATE] = send_folder, [JOURNAL_DELETE] = send_folder,	     [JOURNAL_RENAME] = send_folder,
	};
	const struct journal_entry *first = span_entry(s, 0);
	bool needs_place = first->kind != JOURNAL_APPEND && first->kind < JOURNAL_CREATE;

	if (first->was_sent)
		return verify(s);
	if (needs_place && !span_place(s, 0)->uid)
		return settle_without_place(s);
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

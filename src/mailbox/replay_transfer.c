/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages moved and copied: where they stand afterwards, as the server tells or as it is found out.
 */
#include "mailbox/replay_span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mailbox/replay_find.h"

struct sorted {
	struct journal_entry entry;
	struct journal_place place;
};

static int compare_places(const void *a, const void *b)
{
	return span_compare_uids(&((const struct sorted *)a)->place.uid, &((const struct sorted *)b)->place.uid);
}

/* Then what is done of a set of UIDs is done of the first entries. */
static int sort_by_uid(struct span *s)
{
	CLEANUP(free) struct sorted *sorted = calloc(s->n, sizeof *sorted);

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		sorted[i] = (struct sorted){ *span_entry(s, i), *span_place(s, i) };
	qsort(sorted, s->n, sizeof *sorted, compare_places);
	for (size_t i = 0; i < s->n; i++) {
		s->batch->entries[s->from + i] = sorted[i].entry;
		s->batch->places[s->from + i] = sorted[i].place;
	}
	return 0;
}

/* The new UID of an old one; 0: not told. */
static uint32_t new_uid(const struct backend_copied *copied, const uint32_t *uids, size_t n, uint32_t uid)
{
	const uint32_t *at = bsearch(&uid, uids, n, sizeof *uids, span_compare_uids);

	return at && copied->uids ? copied->uids[at - uids] : 0;
}

/* What MOVE and COPY have in common. */
struct transfer {
	struct span *span;
	uint32_t *uids; /* own; ascending, as the span's entries are */
	struct find find;
	struct backend_copied copied;
	bool tells_uids; /* as was known before */
	bool is_move;	 /* by MOVE: nothing stays behind, and it may be said again */
	int explained;	 /* all that has come there since was told of: 1, or -1; 0: not asked yet */
};

static void transfer_cleanup(struct transfer *t)
{
	free(t->uids);
	find_release(&t->find);
	backend_copied_release(&t->copied);
}

/* From a server that tells no new UIDs: what the messages say of themselves is noted while they still stand where they are known to be. */
static int prepare(struct transfer *t)
{
	struct span *s = t->span;
	int r = sort_by_uid(s);

	if (r < 0)
		return r;
	t->uids = span_uids(s);
	if (!t->uids)
		return -ENOMEM;
	t->tells_uids = atomic_load(&s->batch->mb->tells_uids) == 1;
	return t->tells_uids ? 0 : find_prepare(&t->find, s->session, s->batch, s->from, s->n);
}

/* Each with the UID that the server told, or that is found by what the message says of itself. */
static struct replay_outcome outcome_of(const struct transfer *t, size_t i)
{
	const struct span *s = t->span;
	struct replay_outcome o = { t->copied.uidvalidity, new_uid(&t->copied, t->uids, s->n, span_place(s, i)->uid), !t->is_move };

	if (!o.uid && t->find.n)
		o.uid = find_uid(&t->find, s->batch, s->from + i, &o.uidvalidity);
	return o;
}

/*
 * Why an entry is refused although the server said OK; 0: it is done. It says so to a copy of what has gone, too; and nothing leaves its place for a copy that nobody has seen.
 */
static int judge(const struct transfer *t, size_t i, struct replay_outcome *o)
{
	const struct span *s = t->span;
	int gone;

	if (o->uid || t->is_move)
		return 0;
	gone = find_has_gone(s->session, s->batch, s->from + i);
	if (gone != 1)
		return gone < 0 ? gone : -EIO;
	o->is_copied = false; /* nothing is left where it was */
	return span_entry(s, i)->kind == JOURNAL_COPY ? -ENOENT : 0;
}

static bool is_trash(struct mailbox *mb, const char *wire)
{
	CLEANUP(index_folder) struct index_folder trash = { 0 };

	return folder_list_find(mb, USE_TRASH, &trash) == 0 && !strcmp(trash.wire ? trash.wire : "", wire);
}

static bool was_told(const struct transfer *t, uint32_t uid)
{
	for (size_t i = 0; i < t->span->n && t->copied.uids; i++)
		if (t->copied.uids[i] == uid)
			return true;
	return false;
}

/* Whether nothing has come to the folder but what the server told of: there are folders of which it tells nothing. */
static bool is_explained(struct transfer *t)
{
	const struct journal_entry *e = span_entry(t->span, 0);
	CLEANUP(free) uint32_t *uids = NULL;
	struct backend_status status = { 0 };
	size_t n = 0;
	int r;

	if (t->explained || (*t->span->session)->broken || e->uidnext == UINT32_MAX)
		return t->explained == 1;
	r = backend_status(t->span->session, e->folder, &status);
	if (r == 0)
		r = backend_uids_from(t->span->session, e->folder, status.uidvalidity, e->uidnext, &uids, &n);
	t->explained = r == 0 ? 1 : -1;
	for (size_t i = 0; i < n; i++)
		if (!was_told(t, uids[i]))
			t->explained = -1;
	return t->explained == 1;
}

/* Another client was quicker: the server did a first move of nothing, and said OK. Whoever wanted it to go has what he wanted. */
static bool had_gone(struct transfer *t, size_t i, const struct replay_outcome *o)
{
	const struct journal_entry *e = span_entry(t->span, i);

	if (!t->is_move || o->uid || e->is_repeated || is_trash(t->span->batch->mb, e->folder))
		return false;
	return t->tells_uids ? is_explained(t) : t->find.wanted && !t->find.wanted[i].bytes;
}

static int refuse(const struct transfer *t, size_t i, int error)
{
	const struct span *s = t->span;

	if ((*s->session)->broken)
		return error;
	return replay_refuse(s->batch, s->from + i, error,
			     error == -ENOENT ? "the message has gone" : "the server told of no copy, and none is found");
}

static int confirm(struct transfer *t, size_t from, size_t to)
{
	CLEANUP(free) struct replay_outcome *outcomes = calloc(t->span->n, sizeof *outcomes);
	struct span *s = t->span;
	size_t settled = from;
	int r = outcomes ? 0 : -ENOMEM, error;

	for (size_t i = from; i < to && r == 0; i++) {
		outcomes[i] = outcome_of(t, i);
		error = judge(t, i, &outcomes[i]);
		if (had_gone(t, i, &outcomes[i]))
			replay_say_gone(s->batch, s->from + i);
		if (error == 0)
			continue;
		r = replay_confirm_each(s->batch, s->from + settled, i - settled, outcomes + settled);
		if (r == 0)
			r = refuse(t, i, error);
		settled = i + 1;
	}
	return r < 0 ? r : replay_confirm_each(s->batch, s->from + settled, to - settled, outcomes + settled);
}

/* Of what had gone before, no server tells any. One that told them once, and now tells none, is asked to show it anew. */
static void learn_of_uids(const struct transfer *t)
{
	bool any = false;

	for (size_t i = 0; i < t->find.n; i++)
		any |= t->find.wanted[i].bytes != NULL;
	if (t->copied.uidvalidity || any || !t->find.n)
		atomic_store(&t->span->batch->mb->tells_uids, t->copied.uidvalidity ? 1 : any ? -1 : 0);
}

/* How many were done. What a connection that stands did not tell it can be asked for; without one, a UID told is the proof. */
static size_t count_done(const struct transfer *t, int error)
{
	size_t n = (*t->span->session)->broken ? 0 : t->copied.done, may_be = t->is_move ? t->span->n : t->copied.done;

	if (error == 0)
		return t->span->n;
	while (n < may_be && t->copied.uids && t->copied.uids[n])
		n++;
	return n;
}

static bool is_all_told(const struct transfer *t, size_t done)
{
	for (size_t i = 0; i < done; i++)
		if (!t->copied.uids || !t->copied.uids[i])
			return false;
	return true;
}

/* Where the others are, as long as there is a connection to ask. */
static int find_untold(struct transfer *t, size_t done)
{
	struct span *s = t->span;
	int r = 0;

	if ((*s->session)->broken || is_all_told(t, done))
		return 0;
	if (t->find.n)
		r = find_new(&t->find, s->session, span_entry(s, 0)->folder);
	else if (!t->is_move)
		r = find_marked(&t->find, s->session, s->batch, s->from, done, t->copied.uids);
	find_leave_out(&t->find, t->copied.uids, done);
	if (r == 0 && t->is_move)
		r = find_moved(&t->find, s->session, s->batch, s->from, done, t->copied.uids);
	return (*s->session)->broken ? r : 0; /* what was done was done */
}

static bool is_done(const struct transfer *t, size_t i, size_t done)
{
	return i < done || (t->copied.uids && t->copied.uids[i]);
}

/* Entries [from, to) that were not done. A MOVE of which anything was done may have done more than was told: it is looked for when it is said again. */
static int settle_rest(const struct transfer *t, size_t from, size_t to, bool is_any_done, int error)
{
	struct span rest = { .batch = t->span->batch, .session = t->span->session, .from = t->span->from + from, .n = to - from };

	for (size_t i = 0; t->is_move && is_any_done && i < rest.n; i++)
		rest.batch->entries[rest.from + i].is_repeated = true;
	span_forget_sent(&rest); /* of what is not repeated */
	return span_refused(&rest, error);
}

static bool is_any_done(const struct transfer *t, size_t done)
{
	for (size_t i = 0; i < t->span->n; i++)
		if (is_done(t, i, done))
			return true;
	return false;
}

/* Run by run: of what was done, or of what was not. */
static int settle_runs(struct transfer *t, size_t done, bool of_done, int error)
{
	bool any = is_any_done(t, done);
	size_t n = t->span->n;
	int r = 0;

	for (size_t from = 0, to; from < n && r == 0; from = to) {
		bool is = is_done(t, from, done);

		for (to = from + 1; to < n && is_done(t, to, done) == is;)
			to++;
		if (is == of_done)
			r = is ? confirm(t, from, to) : settle_rest(t, from, to, any, error);
	}
	return r;
}

/* Several commands may carry it, of which some were done: those are confirmed first, and the failure concerns the others. */
static int settle(struct transfer *t, int error)
{
	size_t done = count_done(t, error);
	int r;

	if (error == 0)
		learn_of_uids(t);
	r = find_untold(t, done);
	if (r == 0)
		r = settle_runs(t, done, true, error);
	return r < 0 || error == 0 ? r : settle_runs(t, done, false, error);
}

/* Said again, a move of what is there no more may be refused: it was done the first time. Of another folder in the source's place nothing is known. */
static bool was_done_before(const struct span *s, int error)
{
	if (error == 0 || error == -ESTALE || error == -ENXIO || (*s->session)->broken)
		return false;
	return s->n == 1 && span_entry(s, 0)->is_repeated && find_has_gone(s->session, s->batch, s->from) == 1;
}

static int move(struct span *s)
{
	CLEANUP(transfer) struct transfer t = { .span = s, .is_move = true };
	const struct journal_place *p = span_place(s, 0);
	int r = prepare(&t);

	if (r == 0)
		r = find_note_bound(s->session, s->batch, s->from, s->n);
	if (r < 0)
		return span_refused(s, r);
	span_watch(s);
	r = backend_move(s->session, p->wire, p->uidvalidity, t.uids, s->n, span_entry(s, 0)->folder, &t.copied);
	span_end_watch(s, r);
	return settle(&t, was_done_before(s, r) ? 0 : r);
}

static int copy(struct span *s)
{
	CLEANUP(transfer) struct transfer t = { .span = s };
	const struct journal_place *p = span_place(s, 0);
	int r = prepare(&t);

	if (r == 0)
		r = span_mark_sent(s);
	if (r < 0)
		return span_refused(s, r);
	span_watch(s);
	r = backend_copy(s->session, p->wire, p->uidvalidity, t.uids, s->n, span_entry(s, 0)->folder, &t.copied);
	span_end_watch(s, r);
	return settle(&t, r);
}

/* One by one, until it is known whether the server tells new UIDs. */
static int learn_first(struct span *s, int (*send)(struct span *s))
{
	struct span one = *s, rest = *s;
	int r = 0;

	for (one.n = 1; r == 0 && rest.n > 1 && !atomic_load(&s->batch->mb->tells_uids); rest.n--) {
		r = send(&one);
		one.from = ++rest.from;
	}
	return r < 0 ? r : send(&rest);
}

int span_send_move(struct span *s)
{
	return learn_first(s, backend_abilities(*s->session) & BACKEND_MOVE ? move : copy);
}

int span_send_copy(struct span *s)
{
	return learn_first(s, copy);
}

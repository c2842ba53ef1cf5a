/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/replay_span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* The change as such is not at fault: it stays in the journal. */
static bool may_pass(const struct span *s, int error)
{
	const struct backend *session = *s->session;
	bool broken = session->broken && !session->refused;

	if (error == -EAGAIN && !broken)
		return replay_may_try_again(s->batch->mb->replay, s->batch->entries[s->from].seq);
	return broken || error == -EAGAIN || error == -ENOMEM || error == -ENOTCONN || error == -ECANCELED || error == -ETIMEDOUT ||
	       error == -EHOSTUNREACH;
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

int span_refused(struct span *s, int error)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct span half = *s;
	int r;

	if (may_pass(s, error))
		return error;
	span_unmark(s);
	if (s->n == 1) {
		int told = told_error(error);

		buf_append_str(&why, *backend_why(*s->session) ? backend_why(*s->session) : strerror(-told));
		return replay_refuse(s->batch, s->from, told, buf_str(&why));
	}
	half.n = s->n / 2;
	r = span_send(&half);
	if (r < 0)
		return r;
	half.from = s->from + half.n;
	half.n = s->n - half.n;
	return span_send(&half);
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
	for (size_t i = 0; i < s->n; i++)
		s->batch->entries[s->from + i].was_sent = false;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A run of a batch's entries that one command carries, and what becomes of it: shared by replay_span.c, replay_send.c, replay_remove.c, replay_transfer.c and replay_append.c. Nobody else
 * includes it. On a worker.
 */
#ifndef MAILFS_REPLAY_SPAN_H
#define MAILFS_REPLAY_SPAN_H

#include "mailbox/replay.h"

struct span {
	struct replay_batch *batch;
	struct backend **session;
	size_t from, n;
	bool is_all_sent; /* between span_watch() and span_end_watch() */
};

static inline const struct journal_entry *span_entry(const struct span *s, size_t i)
{
	return &s->batch->entries[s->from + i];
}

static inline const struct journal_place *span_place(const struct span *s, size_t i)
{
	return &s->batch->places[s->from + i];
}

/* All are done; `uids`: as these, or NULL. */
int span_confirm(const struct span *s, uint32_t uidvalidity, const uint32_t *uids);

/* One that is refused must not take others with it: the halves are tried, down to the one. Returns `error` when that may pass and the change as such
 * is not at fault: it stays in the journal. */
int span_refused(struct span *s, int error);

/* Before the first byte goes out it is on disk that it may have. */
int span_mark_sent(struct span *s);
/* It did not reach the server after all, or was refused there: the next try needs no search. */
void span_unmark(struct span *s);

/*
 * Around a call that sends what must not go twice. That all of it went out is in the journal before the last of it does: who mounts after a kill -9 knows
 * that the server may be at it still.
 */
void span_watch(struct span *s);
void span_end_watch(struct span *s, int error);
/* The server said no, and nothing of these was done: nothing is looked for, or somebody else's message would be taken for it. */
void span_forget_sent(const struct span *s);

/* The server did not answer to it, and may be at it for a while, also after a restart. */
bool span_may_arrive(const struct span *s, size_t i);

/* For qsort() and bsearch(). */
int span_compare_uids(const void *a, const void *b);
/* The UIDs of the span's messages, ascending; own. NULL: no memory. */
uint32_t *span_uids(const struct span *s);

/* replay_send.c: by whichever command carries it. */
int span_send(struct span *s);
int span_send_mark(struct span *s);
/* replay_remove.c */
int span_send_removal(struct span *s);
/* replay_transfer.c */
int span_send_move(struct span *s);
int span_send_copy(struct span *s);
/* replay_append.c */
int span_send_append(struct span *s);

#endif

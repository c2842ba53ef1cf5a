/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of the journal goes into one command.
 */
#include "mailbox/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mailbox/replay_later.h"

enum { APPEND_BATCH_MAX = 100, VERIFY_BATCH_MAX = 100, SCAN_MAX = 5000 };
static const int64_t APPEND_BATCH_BYTES = 8 << 20;

void replay_batch_release(struct replay_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		journal_entry_release(&batch->entries[i]);
		journal_place_release(&batch->places[i]);
	}
	batch->n = 0;
}

struct gathering {
	struct replay_batch *batch;
	struct table skipped; /* rows whose changes wait for a later batch: what follows of them waits, too */
	struct table skipped_entries;
	size_t scanned;
	int64_t bytes;
	int error;
};

static int take_entry(struct replay_batch *batch, const struct journal_entry *e, struct journal_place *place)
{
	struct journal_entry *copy = &batch->entries[batch->n];

	*copy = *e;
	copy->folder = strdup(e->folder);
	copy->detail = strdup(e->detail);
	batch->places[batch->n] = *place;
	*place = (struct journal_place){ 0 };
	batch->n++;
	return copy->folder && copy->detail ? 0 : -ENOMEM;
}

/* Where the message stands that an entry is about. */
static int find_place(struct mailbox *mb, const struct journal_entry *e, struct journal_place *ret)
{
	int64_t row = e->kind == JOURNAL_COPY ? e->source : e->row;
	int r = row && e->kind != JOURNAL_APPEND ? journal_place_get(mb->index, row, ret) : -ENOENT;

	return r == -ENOENT ? 0 : r;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* What may have been sent before is verified together, as it was sent. */
static bool was_sent_alike(const struct journal_entry *a, const struct journal_entry *b)
{
	return a->was_sent == b->was_sent && (!a->was_sent || (a->uidnext == b->uidnext && a->uidvalidity == b->uidvalidity));
}

/* Whether one command can carry both. */
static bool goes_with(const struct replay_batch *batch, const struct journal_entry *e, const struct journal_place *place)
{
	const struct journal_entry *first = &batch->entries[0];

	if (e->kind != first->kind || e->kind >= JOURNAL_CREATE || !was_sent_alike(e, first) || e->depends || first->depends)
		return false;
	if (!same_text(e->folder, first->folder) || (e->kind == JOURNAL_FLAGS && !same_text(e->detail, first->detail)))
		return false;
	return same_text(place->wire, batch->places[0].wire) && place->uidvalidity == batch->places[0].uidvalidity &&
	       !place->uid == !batch->places[0].uid;
}

static int64_t size_of(struct mailbox *mb, int64_t row)
{
	struct index_message m;

	return index_message_get(mb->index, row, &m) == 0 ? m.size_bytes : 0;
}

static bool is_full(struct gathering *g, const struct journal_entry *e)
{
	const struct later *l = replay_later(g->batch->mb->replay);
	size_t most = e->was_sent ? VERIFY_BATCH_MAX : REPLAY_BATCH_MAX;

	if (g->batch->n == most || g->batch->n >= later_together(l, g->batch->entries[0].seq) ||
	    g->batch->n >= later_together(l, e->seq))
		return true;
	if (e->kind != JOURNAL_APPEND)
		return false;
	g->bytes += size_of(g->batch->mb, e->row);
	return g->batch->n >= APPEND_BATCH_MAX || g->bytes > APPEND_BATCH_BYTES;
}

static int skip(struct gathering *g, const struct journal_entry *e)
{
	int r = e->row ? table_set(&g->skipped, e->row, g) : 0;

	if (r == 0 && e->source)
		r = table_set(&g->skipped, e->source, g);
	return r == 0 ? table_set(&g->skipped_entries, e->seq, g) : r;
}

/* What it needs has not been done. */
static bool is_held_up(const struct gathering *g, const struct journal_entry *e)
{
	return table_get(&g->skipped, e->row) || (e->source && table_get(&g->skipped, e->source)) ||
	       (e->depends && table_get(&g->skipped_entries, e->depends));
}

static int pass_over(struct gathering *g, const struct journal_entry *e, int error)
{
	struct replay_batch *batch = g->batch;

	batch->is_other_left |= error != -EINPROGRESS;
	if (!batch->passed_over || batch->passed_over == -EAGAIN)
		batch->passed_over = error;
	return skip(g, e);
}

static int gather(void *userdata, const struct journal_entry *e)
{
	CLEANUP(journal_place) struct journal_place place = { 0 };
	struct gathering *g = userdata;
	struct replay_batch *batch = g->batch;
	int r;

	if (++g->scanned > SCAN_MAX)
		return 1;
	r = later_passes_over(replay_later(batch->mb->replay), e->seq);
	if (r < 0) {
		r = pass_over(g, e, r);
		return r < 0 ? r : e->kind >= JOURNAL_CREATE; /* what comes behind may need that folder */
	}
	if (e->source && batch->n && table_get(&g->skipped, -e->source)) /* one command copies a message once */
		return table_set(&g->skipped, e->row, g);
	if (e->source && table_set(&g->skipped, -e->source, g) < 0)
		return -ENOMEM;
	if ((batch->n || batch->passed_over) && e->kind >= JOURNAL_CREATE) /* what comes behind may need that folder */
		return 1;
	r = find_place(batch->mb, e, &place);
	if (r < 0)
		return r;
	if (is_held_up(g, e) || (batch->n && !goes_with(batch, e, &place)))
		return skip(g, e);
	if (batch->n && is_full(g, e))
		return 1;
	return take_entry(batch, e, &place);
}

/* In a transaction that changes nothing. */
static int walk(struct mailbox *mb, journal_each *each, void *userdata)
{
	int r;

	if (journal_is_empty(mb->index))
		return 0;
	r = index_begin(mb->index);
	if (r < 0)
		return r;
	r = journal_each_after(mb->index, 0, each, userdata);
	index_rollback(mb->index);
	return r;
}

int replay_next_batch(struct mailbox *mb, struct replay_batch *batch)
{
	struct gathering g = { .batch = batch };
	int r;

	*batch = (struct replay_batch){ .mb = mb };
	r = walk(mb, gather, &g);
	table_release(&g.skipped);
	table_release(&g.skipped_entries);
	if (r < 0)
		replay_batch_release(batch);
	return r < 0 ? r : batch->n > 0;
}

static int note_folder_change(void *userdata, const struct journal_entry *e)
{
	*(bool *)userdata = e->kind >= JOURNAL_CREATE;
	return *(bool *)userdata;
}

int replay_changes_folders(struct mailbox *mb)
{
	bool found = false;
	int r = walk(mb, note_folder_change, &found);

	return r < 0 ? r : found;
}

int replay_changes_folders_within(struct mailbox *mb)
{
	bool found = false;
	int r = journal_each_after(mb->index, 0, note_folder_change, &found);

	return r < 0 ? r : found;
}

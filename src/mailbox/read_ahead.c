/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fetching ahead of somebody who reads a folder's messages in listing order (grep, rsync, tar): the next ones come many to a command, also
 * such as are read by ranges otherwise, unless one of them would take more than half of what may be fetched ahead.
 *
 * Rows ascend in listing order, so opens that come shortly behind one another are such a reader, also when several processes share the work.
 */
#include "mailbox/mailbox_private.h"

#include <stdlib.h>

enum {
	STREAK_MIN = 2, /* opens in a row that make a sequential reader */
	NEAR = 32,	/* rows that two neighbours in listing order are apart at most */
	BATCH_MESSAGES = 256,
	SCAN_MESSAGES = 512, /* looked at in one go when many are cached */
	SCAN_MARGIN = 64,
	BATCH_FIRST_BYTES = 256 * 1024,
	BATCH_LAST_BYTES = 2 * 1024 * 1024,
};

static void forget_plan(struct reader *r)
{
	r->first = r->n = 0;
	r->planned_bytes = 0;
}

/* Those planned up to `row` were read, or passed over. */
static void strike_off(struct reader *r, int64_t row)
{
	while (r->n && r->plan[r->first].row <= row) {
		r->planned_bytes -= r->plan[r->first].size_bytes;
		r->first = (r->first + 1) % PLAN_MAX;
		r->n--;
	}
}

static void remember(struct reader *r, int64_t row, int64_t size)
{
	size_t i = (r->first + r->n) % PLAN_MAX;

	r->plan[i].row = row;
	r->plan[i].size_bytes = size;
	r->planned_bytes += size;
	r->n++;
}

/* Whether the message opened continues a sequence. Lock held. */
static bool follows(struct reader *r, const struct index_message *m)
{
	int64_t step = m->row - r->row;

	if (m->folder == r->folder && step < 0 && step >= -NEAR)
		return r->streak >= STREAK_MIN; /* a slower one of several processes */
	if (m->folder != r->folder || step < 0 || step > NEAR) {
		r->folder = m->folder;
		r->streak = 0;
		r->ahead = 0;
		r->batch_bytes = BATCH_FIRST_BYTES;
		forget_plan(r);
	}
	if (step)
		r->streak++;
	r->row = m->row;
	strike_off(r, m->row);
	return r->streak >= STREAK_MIN;
}

struct gathering {
	struct mailbox *mb;
	struct index_message *items; /* own */
	size_t n, scanned;
	int64_t bytes, limit_bytes;
	int64_t last_row;
};

/* One command asks one folder by UIDs: what is on its way to there stands elsewhere yet, and another message may have its UID here. */
static bool stands_here(const struct index_message *m)
{
	return !m->is_local && m->uid && !m->server_folder;
}

static int gather(void *userdata, const struct index_message *m)
{
	struct gathering *g = userdata;

	g->last_row = m->row;
	if (stands_here(m) && m->size_bytes <= g->mb->configuration->read_ahead_bytes / 2 &&
	    !body_is_cached(g->mb->bodies, m->row, m->size_bytes)) {
		g->items[g->n++] = *m;
		g->bytes += m->size_bytes;
	}
	return ++g->scanned >= SCAN_MESSAGES || g->n >= BATCH_MESSAGES || g->bytes >= g->limit_bytes;
}

static int gather_behind(struct gathering *g, int64_t folder, int64_t row)
{
	struct index_message m;
	int r = index_message_get(g->mb->index, row, &m);

	return r < 0 ? r : index_message_each(g->mb->index, folder, index_message_position(&m), gather, g);
}

/* Lock held. */
static void start_batch(struct mailbox *mb, const struct gathering *g)
{
	struct body *bodies[BATCH_MESSAGES];
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		const struct index_message *m = &g->items[i];
		struct body *b = body_get(mb, m);

		if (b && b->folder == m->folder && b->uid == m->uid && !b->fetch && !b->waits_for_place && !b->is_complete &&
		    !b->blocks)
			bodies[n++] = b;
		else if (b)
			body_put(mb, b);
	}
	if (n && fetch_start_ahead(mb, bodies, n) == 0)
		for (size_t i = 0; i < n && mb->reader.n < PLAN_MAX; i++)
			remember(&mb->reader, bodies[i]->row, bodies[i]->size);
	for (size_t i = 0; i < n; i++)
		body_put(mb, bodies[i]);
}

/* Lock held. */
static bool wants_more(const struct mailbox *mb)
{
	const struct reader *r = &mb->reader;

	if (r->planned_bytes > mb->configuration->read_ahead_bytes / 2 || r->n + BATCH_MESSAGES > PLAN_MAX)
		return false;
	return r->n || r->ahead < r->row + SCAN_MARGIN;
}

void read_ahead_note(struct mailbox *mb, const struct index_message *opened)
{
	struct reader *r = &mb->reader;
	struct gathering g = { .mb = mb };
	int64_t after;
	bool plan;

	if (!mb->configuration->read_ahead_bytes)
		return;
	pthread_mutex_lock(&mb->lock);
	plan = follows(r, opened) && wants_more(mb);
	after = r->ahead > r->row ? r->ahead : r->row;
	g.limit_bytes = r->batch_bytes;
	pthread_mutex_unlock(&mb->lock);
	if (!plan)
		return;
	g.items = calloc(BATCH_MESSAGES, sizeof *g.items);
	if (!g.items)
		return;
	if (gather_behind(&g, opened->folder, after) >= 0 && g.scanned) {
		pthread_mutex_lock(&mb->lock);
		if (r->folder == opened->folder && r->ahead < g.last_row) {
			r->ahead = g.last_row;
			start_batch(mb, &g);
			r->batch_bytes = r->batch_bytes * 2 < BATCH_LAST_BYTES ? r->batch_bytes * 2 : BATCH_LAST_BYTES;
		}
		pthread_mutex_unlock(&mb->lock);
	}
	free(g.items);
}

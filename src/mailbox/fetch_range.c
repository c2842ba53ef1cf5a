/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A large message by ranges: what is read comes, and a sequential reader gets ever more at once.
 */
#include "mailbox/fetch.h"

#include <errno.h>
#include <stdlib.h>

static int count_begin(void *userdata, uint32_t uid, int64_t size)
{
	(void)uid;
	*(int64_t *)userdata = size;
	return 0;
}

static int count_data(void *userdata, const void *data, size_t len)
{
	(void)userdata, (void)data, (void)len;
	return 0;
}

static int count_end(void *userdata, uint32_t uid)
{
	(void)userdata, (void)uid;
	return 0;
}

/* Asked for two bytes from the last one on, the server gives exactly one when the size is what it claimed. */
static int prove_large(struct fetch *f, struct backend **session)
{
	struct body *b = f->bodies[0];
	int64_t n = -1;
	struct backend_fetch_sink sink = { .userdata = &n, .begin = count_begin, .data = count_data, .end = count_end };
	struct backend_fetch what = { .uids = &b->uid, .n = 1, .offset = b->size - 1, .length = 2 };
	int r = backend_fetch(session, f->folder.wire, f->folder.uidvalidity, &what, &sink);

	if (r < 0)
		return r;
	if (n < 0)
		return -ENOENT;
	return n == 1 ? fetch_settle_size(f->mb, b, b->size) : -ERANGE;
}

static int range_begin(void *userdata, uint32_t uid, int64_t size)
{
	struct fetch *f = userdata;

	(void)uid;
	if (size != f->announced)
		return -EPROTO;
	f->written = 0;
	return 0;
}

static int range_end(void *userdata, uint32_t uid)
{
	struct fetch *f = userdata;

	(void)uid;
	return f->written == f->announced ? 0 : -EPROTO;
}

/* Lock held. The lowest block that somebody waits for, since the kernel asks for the parts of one read in any order; else one that a sequential
 * reader will come to; -1: none. */
static int64_t next_block(const struct body *b)
{
	int64_t lowest = -1, end = (b->size + BODY_BLOCK - 1) / BODY_BLOCK, i;

	for (const struct waiter *w = b->readers; w; w = w->next) {
		for (i = w->from / BODY_BLOCK; i * BODY_BLOCK < w->until && b->blocks[i]; i++)
			;
		if (i * BODY_BLOCK < w->until && (lowest < 0 || i < lowest))
			lowest = i;
	}
	if (lowest >= 0 || b->wanted < 0)
		return lowest;
	i = b->wanted / BODY_BLOCK;
	return i < end && !b->blocks[i] ? i : -1;
}

/* Lock held. Sets the range to fetch next; a reader who goes on behind what is there gets twice as much as the time before. False: nobody wants
 * any. */
static bool plan_range(struct fetch *f)
{
	struct body *b = f->bodies[0];
	int64_t block = next_block(b), from = block * BODY_BLOCK, until;

	if (block < 0)
		return false;
	if (block && b->blocks[block - 1])
		b->window = b->window * 2 < BODY_WINDOW_MAX ? b->window * 2 : BODY_WINDOW_MAX;
	else
		b->window = BODY_BLOCK;
	until = from;
	while (until < b->size && until < from + b->window && !b->blocks[until / BODY_BLOCK])
		until += BODY_BLOCK;
	if (until > b->size)
		until = b->size;
	b->wanted = -1;
	b->from = b->until = from;
	f->body = b;
	f->fd = b->fd;
	f->offset = from;
	f->announced = until - from;
	return true;
}

/* Lock held. True when no block is missing any more. */
static bool mark_blocks(struct fetch *f)
{
	struct body *b = f->bodies[0];
	int64_t n = (b->size + BODY_BLOCK - 1) / BODY_BLOCK;

	b->until = f->offset + f->announced;
	for (int64_t i = f->offset / BODY_BLOCK; i * BODY_BLOCK < b->until; i++)
		b->blocks[i] = 1;
	for (int64_t i = 0; i < n; i++)
		if (!b->blocks[i])
			return false;
	return true;
}

static int fetch_range(struct fetch *f, struct backend **session)
{
	struct backend_fetch_sink sink = { .userdata = f, .begin = range_begin, .data = fetch_on_data, .end = range_end };
	struct body *b = f->bodies[0];
	struct backend_fetch what = { .uids = &b->uid, .n = 1, .offset = f->offset, .length = f->announced };
	struct waiter *satisfied;
	bool is_whole;
	int r;

	f->written = -1;
	r = backend_fetch(session, f->folder.wire, f->folder.uidvalidity, &what, &sink);
	if (r == 0 && f->written < 0)
		r = -ENOENT;
	if (r < 0)
		return r;
	pthread_mutex_lock(&f->mb->lock);
	is_whole = mark_blocks(f);
	satisfied = body_take_satisfied(b);
	pthread_mutex_unlock(&f->mb->lock);
	waiters_answer(satisfied, 0);
	if (is_whole)
		fetch_publish(f->mb, b);
	return 0;
}

/* A large message whose size is not what the server said: read in one piece, whose literal tells. */
static int fetch_unproven(struct fetch *f, struct backend **session)
{
	pthread_mutex_lock(&f->mb->lock);
	free(f->bodies[0]->blocks);
	f->bodies[0]->blocks = NULL;
	pthread_mutex_unlock(&f->mb->lock);
	return fetch_whole(f, session);
}

int fetch_ranges(struct fetch *f, struct backend **session)
{
	struct body *b = f->bodies[0];
	bool more;
	int fd = b->fd, r = 0;

	if (!b->is_proven)
		r = prove_large(f, session);
	if (r == -ERANGE)
		return fetch_unproven(f, session);
	if (r == 0 && fd < 0)
		r = fetch_give_file(f->mb, b, &fd);
	while (r == 0) {
		pthread_mutex_lock(&f->mb->lock);
		more = !b->is_complete && plan_range(f);
		if (!more)
			b->fetch = NULL; /* in one step with the decision, so that no reader waits for nobody */
		pthread_mutex_unlock(&f->mb->lock);
		if (!more)
			break;
		r = fetch_range(f, session);
	}
	return r;
}

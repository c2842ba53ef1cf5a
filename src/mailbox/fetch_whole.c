/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole messages: one for those who wait for it, or many with one command for a reader who will come to them.
 */
#include "mailbox/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static struct body *find_body(const struct fetch *f, uint32_t uid)
{
	size_t low = 0, high = f->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (f->bodies[middle]->uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->n && f->bodies[low]->uid == uid ? f->bodies[low] : NULL;
}

static int whole_begin(void *userdata, uint32_t uid, int64_t size)
{
	struct fetch *f = userdata;
	int r;

	f->body = f->n == 1 ? f->bodies[0] : uid ? find_body(f, uid) : NULL;
	f->offset = 0;
	f->announced = size;
	f->written = 0;
	f->fd = f->body ? f->body->fd : -1;
	if (!f->body) {
		f->fd = body_begin(f->mb->bodies);
		return f->fd < 0 ? f->fd : 0;
	}
	r = f->fd >= 0 ? 0 : fetch_give_file(f->mb, f->body, &f->fd);
	return r < 0 ? r : fetch_settle_size(f->mb, f->body, size);
}

static int whole_end(void *userdata, uint32_t uid)
{
	struct fetch *f = userdata;
	struct body *b = f->body;
	int r = 0;

	if (f->written != f->announced)
		return -EPROTO;
	if (!b) {
		b = find_body(f, uid);
		if (!b || b->fd >= 0) { /* not asked for, or told twice */
			close(steal_fd(&f->fd));
			return 0;
		}
		r = fetch_give_file(f->mb, b, &f->fd);
		f->fd = -1;
		if (r == 0)
			r = fetch_settle_size(f->mb, b, f->announced);
	}
	if (r == 0 && !b->is_complete)
		fetch_publish(f->mb, b);
	f->body = NULL;
	f->fd = -1;
	return r;
}

int fetch_whole(struct fetch *f, struct backend **session)
{
	struct backend_fetch_sink sink = { .userdata = f, .begin = whole_begin, .data = fetch_on_data, .end = whole_end };
	CLEANUP(free) uint32_t *uids = calloc(f->n, sizeof *uids);
	struct backend_fetch what = { .uids = uids, .n = f->n };

	if (!uids)
		return -ENOMEM;
	for (size_t i = 0; i < f->n; i++)
		uids[i] = f->bodies[i]->uid;
	return backend_fetch(session, f->folder.wire, f->folder.uidvalidity, &what, &sink);
}

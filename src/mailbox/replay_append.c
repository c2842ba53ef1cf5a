/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New messages: local files stored on the server, many with one command where it takes that.
 */
#include "mailbox/replay_span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "mailbox/changing_private.h"
#include "mailbox/local_bytes.h"
#include "mailbox/replay_find.h"

struct appending {
	struct backend_append *messages; /* own; descriptors own */
	size_t n;
};

static void appending_cleanup(struct appending *a)
{
	for (size_t i = 0; i < a->n; i++)
		close(a->messages[i].fd);
	free(a->messages);
}

/* An index that was made anew, or is older than the journal, may not know what the list of local files tells. */
static int find_message(struct mailbox *mb, int64_t row, int64_t size_bytes, struct index_message *ret)
{
	CLEANUP(local_entry) struct local_entry e = { 0 };
	int r = index_message_get(mb->index, row, ret);

	if ((r == 0 && ret->size_bytes == size_bytes) || (r < 0 && r != -ENOENT))
		return r;
	r = index_begin(mb->index);
	if (r < 0)
		return r;
	r = local_get(mb->index, row, &e);
	index_rollback(mb->index);
	if (r < 0)
		return r;
	*ret = (struct index_message){
		.row = row,
		.size_bytes = e.size_bytes,
		.internaldate_s = e.mtime_ns ? e.mtime_ns / 1000000000 : clock_realtime_s(),
	};
	return 0;
}

static int open_message(struct mailbox *mb, const struct journal_entry *e, struct backend_append *ret)
{
	struct index_message m;
	struct stat st;
	CLEANUP(fd) int fd = -1;
	int r = local_file_open(mb->files, e->row, O_RDONLY, &fd);

	if (r == 0)
		r = fstat(fd, &st) < 0 ? -errno : find_message(mb, e->row, st.st_size, &m);
	if (r < 0)
		return r;
	if (st.st_size != m.size_bytes) /* than was judged: what a power cut left of it */
		return -EIO;
	*ret = (struct backend_append){
		.size_bytes = st.st_size,
		.flags = e->detail,
		.internaldate_s = m.internaldate_s,
		.binary = local_bytes_hold_nul(fd),
	};
	ret->fd = steal_fd(&fd);
	return 0;
}

static int open_messages(struct span *s, struct appending *a)
{
	int r = 0;

	a->messages = calloc(s->n, sizeof *a->messages);
	if (!a->messages)
		return -ENOMEM;
	for (size_t i = 0; i < s->n && r == 0; i++) {
		r = open_message(s->batch->mb, span_entry(s, i), &a->messages[i]);
		if (r == 0)
			a->n++;
	}
	return r;
}

static int append(struct span *s)
{
	CLEANUP(appending) struct appending a = { 0 };
	CLEANUP(free) uint32_t *uids = calloc(s->n, sizeof *uids);
	uint32_t uidvalidity = 0;
	int r = uids ? open_messages(s, &a) : -ENOMEM;

	if (r == 0)
		r = span_mark_sent(s);
	if (r < 0)
		return span_refused(s, r);
	span_watch(s);
	if (s->n > 1)
		r = backend_append_many(s->session, span_entry(s, 0)->folder, a.messages, s->n, &uidvalidity, uids);
	else
		r = backend_append(s->session, span_entry(s, 0)->folder, &a.messages[0], &uidvalidity, &uids[0]);
	span_end_watch(s, r);
	if (r < 0)
		return span_refused(s, r);
	if (!uids[0])
		return find_appended(s->session, s->batch, s->from, s->n);
	return span_confirm(s, uidvalidity, uids);
}

int span_send_append(struct span *s)
{
	if (s->n > 1 && !(backend_abilities(*s->session) & BACKEND_APPEND_MANY)) {
		struct span one = *s;
		int r = 0;

		one.n = 1;
		for (; one.from < s->from + s->n && r == 0; one.from++)
			r = append(&one);
		return r;
	}
	return append(s);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open messages: who reads which bytes, and what is there already.
 */
#include "mailbox/mailbox_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "mailbox/replay.h"

struct body *body_get(struct mailbox *mb, const struct index_message *m)
{
	struct body *b = table_get(&mb->opened, m->row);

	if (b) {
		b->refs++;
		return b;
	}
	b = calloc(1, sizeof *b);
	if (!b)
		return NULL;
	*b = (struct body){
		.row = m->row,
		.folder = m->server_folder ? m->server_folder : m->folder,
		.uid = m->server_folder ? m->server_uid : m->uid,
		.refs = 1,
		.fd = -1,
		.size = m->size_bytes,
		.is_proven = m->size_proven,
		/* Proven by an earlier reader, or ahead of this one, perhaps a moment ago: the kernel may not have heard yet. */
		.was_wrong = m->size_proven && atomic_load(&mb->sizes_lie),
		.window = BODY_BLOCK,
		.wanted = -1,
	};
	if (table_set(&mb->opened, m->row, b) < 0) {
		free(b);
		return NULL;
	}
	return b;
}

static void body_free(struct body *b)
{
	if (b->fd >= 0)
		close(b->fd);
	free(b->blocks);
	free(b);
}

void body_put(struct mailbox *mb, struct body *b)
{
	if (--b->refs > 0)
		return;
	if (b->row > 0)
		table_remove(&mb->opened, b->row);
	body_free(b);
}

void body_forget(struct mailbox *mb, int64_t row)
{
	struct body *b = table_get(&mb->opened, row);

	if (!b)
		return;
	table_remove(&mb->opened, row);
	b->row = -row;
}

void body_release_all(struct mailbox *mb)
{
	struct body *b;
	size_t i = 0;

	while ((b = table_next(&mb->opened, &i)))
		body_free(b);
	table_release(&mb->opened);
}

bool body_has(const struct body *b, int64_t from, int64_t until)
{
	if (b->is_complete || from >= until)
		return true;
	if (from >= b->from && until <= b->until)
		return true;
	if (!b->blocks)
		return false;
	for (int64_t i = from / BODY_BLOCK; i <= (until - 1) / BODY_BLOCK; i++)
		if (!b->blocks[i])
			return false;
	return true;
}

struct waiter *body_take_satisfied(struct body *b)
{
	struct waiter *taken = NULL, **w = &b->readers;

	if (b->is_proven) {
		taken = b->openers;
		b->openers = NULL;
	}
	while (*w) {
		struct waiter *next = (*w)->next;

		if (body_has(b, (*w)->from, (*w)->until)) {
			waiters_push(&taken, *w);
			*w = next;
		} else {
			w = &(*w)->next;
		}
	}
	return taken;
}

struct waiter *body_take_all(struct body *b)
{
	struct waiter *taken = b->openers, **end = &taken;

	while (*end)
		end = &(*end)->next;
	*end = b->readers;
	b->openers = b->readers = NULL;
	return taken;
}

bool body_interrupt(struct mailbox *mb, struct waiter *w)
{
	struct body *b;
	size_t i = 0;

	while ((b = table_next(&mb->opened, &i)))
		if (waiters_remove(&b->openers, w) || waiters_remove(&b->readers, w))
			return true;
	return false;
}

static bool has_failed(const struct body *b)
{
	return b->error && clock_monotonic_ms() < b->error_until_ms;
}

/* Lock held. Waits until the fetch has told what `list` waits for. */
static int wait_in(struct mailbox *mb, struct body *b, struct waiter **list, struct waiter *w)
{
	int r = 0;

	if (has_failed(b))
		return b->error;
	waiters_push(list, w);
	if (!b->fetch && !b->waits_for_place)
		r = fetch_start(mb, b);
	if (r == 0)
		return -EINPROGRESS;
	waiters_remove(list, w);
	return r;
}

/* Lock held. `cached` is a descriptor on the whole body or -1; taken over. */
static int open_locked(struct mailbox *mb, const struct index_message *m, int *cached, struct waiter *w, struct body **ret)
{
	struct body *b = body_get(mb, m);
	int r;

	if (!b)
		return -ENOMEM;
	if (*cached >= 0 && b->fd < 0 && !b->fetch) {
		b->fd = steal_fd(cached);
		b->is_complete = b->is_proven = true;
	}
	r = b->is_proven ? 0 : wait_in(mb, b, &b->openers, w);
	if (r < 0 && r != -EINPROGRESS)
		body_put(mb, b);
	else
		*ret = b;
	return r;
}

static int note_source(void *userdata, const struct journal_entry *e)
{
	*(int64_t *)userdata = e->kind == JOURNAL_COPY ? e->source : 0;
	return e->kind == JOURNAL_COPY;
}

/* What a copy that the server has not made yet is a copy of. */
static int find_source(struct mailbox *mb, int64_t row, int64_t *ret)
{
	int r = index_begin(mb->index);

	if (r < 0)
		return r;
	*ret = 0;
	r = journal_each_of(mb->index, row, note_source, ret);
	index_rollback(mb->index);
	return r < 0 ? r : *ret ? 0 : -ENOENT;
}

static int open_local(struct mailbox *mb, struct index_message *m)
{
	struct stat st;
	int fd, r = local_file_open(mb->files, m->row, O_RDONLY, &fd);

	if (r < 0)
		return r;
	if (fstat(fd, &st) == 0)
		m->size_bytes = st.st_size;
	return fd;
}

int mailbox_open(struct mailbox *mb, int64_t row, struct waiter *w, struct body **ret)
{
	CLEANUP(fd) int cached = -1;
	struct index_message m;
	int64_t source;
	int r = index_message_get(mb->index, row, &m);

	if (r < 0)
		return r;
	if (!m.folder)
		return -ENOENT;
	if (!m.uid && !m.server_folder && !m.is_local) {
		r = find_source(mb, row, &source);
		return r < 0 ? r : mailbox_open(mb, source, w, ret);
	}
	cached = m.is_local ? open_local(mb, &m) : body_open(mb->bodies, row, m.size_bytes);
	pthread_mutex_lock(&mb->lock);
	r = open_locked(mb, &m, &cached, w, ret);
	pthread_mutex_unlock(&mb->lock);
	if (r == 0 || r == -EINPROGRESS)
		read_ahead_note(mb, &m);
	return r;
}

void mailbox_close(struct mailbox *mb, struct body *b)
{
	pthread_mutex_lock(&mb->lock);
	body_put(mb, b);
	pthread_mutex_unlock(&mb->lock);
}

int64_t body_size(const struct body *b)
{
	return b->size;
}

bool body_size_was_wrong(const struct body *b)
{
	return b->was_wrong;
}

bool body_is_whole(struct mailbox *mb, const struct body *b)
{
	bool is_whole;

	pthread_mutex_lock(&mb->lock);
	is_whole = b->is_complete;
	pthread_mutex_unlock(&mb->lock);
	return is_whole;
}

int body_fd(const struct body *b)
{
	return b->fd;
}

/* Lock held. A reader of a large message who is past the middle of what is there will soon want more. */
static void keep_ahead(struct mailbox *mb, struct body *b, int64_t until)
{
	if (b->is_complete || !b->blocks || b->fetch || b->waits_for_place || until + b->window / 2 < b->until ||
	    b->until >= b->size)
		return;
	if (until < b->from || until > b->until)
		return;
	b->wanted = b->until;
	fetch_start(mb, b);
}

ssize_t body_read(struct mailbox *mb, struct body *b, int64_t offset, size_t len, struct waiter *w)
{
	int64_t until = offset + (int64_t)len;
	ssize_t r;

	pthread_mutex_lock(&mb->lock);
	if (until > b->size)
		until = b->size;
	w->from = offset;
	w->until = until;
	if (offset >= b->size) {
		r = 0;
	} else if (body_has(b, offset, until)) {
		r = (ssize_t)(until - offset);
		keep_ahead(mb, b, until);
	} else {
		r = wait_in(mb, b, &b->readers, w);
	}
	pthread_mutex_unlock(&mb->lock);
	return r;
}

void mailbox_interrupt(struct mailbox *mb, struct waiter *w)
{
	bool was_waiting;

	pthread_mutex_lock(&mb->lock);
	was_waiting = look_interrupt(mb, w) || body_interrupt(mb, w) || gmail_interrupt(mb, w) ||
		      (mb->replay && replay_interrupt(mb->replay, w));
	if (was_waiting)
		answers_give(mb->answers, w, -EINTR);
	pthread_mutex_unlock(&mb->lock);
}

bool mailbox_is_cached(struct mailbox *mb, int64_t row)
{
	struct index_message m;

	return index_message_get(mb->index, row, &m) == 0 && body_is_cached(mb->bodies, row, m.size_bytes);
}

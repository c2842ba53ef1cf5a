/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/replay_find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message/header.h"

enum { HEAD_BYTES = 64 * 1024, BODY_BYTES = 32 * 1024 };

/* ------------------------------------------------------------ what a message says of itself */

/* The Message-ID, else all of the header; and how the body begins, for versions of a draft share the rest. NULL: no memory. */
static char *identity_of(const char *head, size_t len)
{
	CLEANUP(buf) struct buf id = BUF_INIT;
	const char *end = memmem(head, len, "\r\n\r\n", 4);
	size_t header_len = end ? (size_t)(end - head) : len, body_len = len - header_len;
	int r = header_text(head, header_len, "Message-ID", &id);

	if (r < 0 || !id.len)
		r = buf_append(&id, head, header_len);
	if (r == 0)
		r = buf_append(&id, head + header_len, body_len < BODY_BYTES ? body_len : BODY_BYTES);
	return r < 0 ? NULL : buf_steal(&id);
}

struct head {
	struct buf bytes;
	bool begun;
};

static int head_begin(void *userdata, uint32_t uid, int64_t size)
{
	(void)uid, (void)size;
	((struct head *)userdata)->begun = true;
	return 0;
}

static int head_data(void *userdata, const void *data, size_t len)
{
	return buf_append(&((struct head *)userdata)->bytes, data, len);
}

static int head_end(void *userdata, uint32_t uid)
{
	(void)userdata, (void)uid;
	return 0;
}

/* *ret own; NULL when there is no such message. */
static int ask_identity(struct backend **session, const char *folder, uint32_t uidvalidity, uint32_t uid, char **ret)
{
	struct head head = { .bytes = BUF_INIT };
	struct backend_fetch_sink sink = { &head, head_begin, head_data, head_end };
	struct backend_fetch what = { .uids = &uid, .n = 1, .length = HEAD_BYTES };
	int r = backend_fetch(session, folder, uidvalidity, &what, &sink);

	if (r == 0 && head.begun) {
		*ret = identity_of(buf_str(&head.bytes), head.bytes.len);
		r = *ret ? 0 : -ENOMEM;
	}
	buf_release(&head.bytes);
	return r;
}

static int read_identity(int fd, char **ret)
{
	CLEANUP(free) char *head = malloc(HEAD_BYTES);
	ssize_t n = head ? pread(fd, head, HEAD_BYTES, 0) : -1;

	if (n < 0)
		return head ? -errno : -ENOMEM;
	*ret = identity_of(head, (size_t)n);
	return *ret ? 0 : -ENOMEM;
}

/* Of the message that an entry moves, copies or stores. */
static int entry_identity(struct backend **session, struct replay_batch *batch, size_t i, char **ret)
{
	const struct journal_entry *e = &batch->entries[i];
	const struct journal_place *p = &batch->places[i];
	CLEANUP(fd) int fd = -1;

	if (e->kind == JOURNAL_APPEND) {
		int r = local_file_open(batch->mb->files, e->row, O_RDONLY, &fd);

		return r < 0 ? r : read_identity(fd, ret);
	}
	return p->uid ? ask_identity(session, p->wire, p->uidvalidity, p->uid, ret) : 0;
}

int find_has_gone(struct backend **session, struct replay_batch *batch, size_t i)
{
	CLEANUP(free) char *identity = NULL;
	int r = entry_identity(session, batch, i, &identity);

	if (r == -ENXIO || r == -ESTALE) /* with its folder */
		return 1;
	return r < 0 ? r : !identity;
}

/* ------------------------------------------------------------ among the new ones */

void find_release(struct find *f)
{
	for (size_t i = 0; i < f->n && f->wanted; i++)
		free(f->wanted[i]);
	for (size_t i = 0; i < f->n_found; i++)
		free(f->found[i].identity);
	free(f->wanted);
	free(f->found);
	free(f->moved);
	*f = (struct find){ 0 };
}

/* What the messages say of themselves. */
static int note_wanted(struct find *f, struct backend **session, struct replay_batch *batch, size_t from, size_t n)
{
	int r = 0;

	f->wanted = calloc(n, sizeof *f->wanted);
	if (!f->wanted)
		return -ENOMEM;
	f->from = from;
	f->n = n;
	for (size_t i = 0; i < n && r == 0; i++)
		r = entry_identity(session, batch, from + i, &f->wanted[i]);
	return r;
}

int find_prepare(struct find *f, struct backend **session, struct replay_batch *batch, size_t from, size_t n)
{
	struct backend_status status = { 0 };
	int r = backend_status(session, batch->entries[from].folder, &status);

	if (r < 0)
		return r;
	f->bound = status.uidnext ? status.uidnext : 1;
	f->bound_uidvalidity = status.uidvalidity;
	return note_wanted(f, session, batch, from, n);
}

/* The same for entries that were marked as sent, whatever came of it. */
static int find_marked(struct find *f, struct backend **session, struct replay_batch *batch, size_t from, size_t n)
{
	const struct journal_entry *e = &batch->entries[from];
	int r = note_wanted(f, session, batch, from, n);

	f->bound = e->uidnext;
	f->bound_uidvalidity = e->uidvalidity;
	return r < 0 ? r : find_new(f, session, e->folder);
}

int find_new(struct find *f, struct backend **session, const char *folder)
{
	CLEANUP(free) uint32_t *uids = NULL;
	struct backend_status status = { 0 };
	size_t n = 0;
	int r = backend_status(session, folder, &status);
	bool is_bound = f->bound && (!f->bound_uidvalidity || f->bound_uidvalidity == status.uidvalidity);

	if (r == 0)
		r = backend_uids_from(session, folder, status.uidvalidity, is_bound ? f->bound : 1, &uids, &n);
	if (r < 0)
		return r;
	f->uidvalidity = status.uidvalidity;
	f->found = calloc(n ? n : 1, sizeof *f->found);
	if (!f->found)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++, f->n_found++) {
		f->found[i].uid = uids[i];
		r = ask_identity(session, folder, status.uidvalidity, uids[i], &f->found[i].identity);
	}
	return r;
}

bool find_is_taken(struct mailbox *mb, const char *folder, uint32_t uidvalidity, uint32_t uid)
{
	struct journal_kept kept = { 0 };
	int r = index_begin(mb->index);

	if (r < 0)
		return true;
	r = journal_kept_get(mb->index, folder, uidvalidity, uid, &kept);
	index_rollback(mb->index);
	return r == 0 && *kept.name;
}

/* Unless what another one says of itself has taken it. */
static bool take(const struct find *f, uint32_t uid)
{
	for (size_t k = 0; k < f->n_found; k++)
		if (f->found[k].uid == uid) {
			f->found[k].uid = 0;
			return uid != 0;
		}
	return uid && !f->n_found;
}

/* A date and a size tell which name to show, and are no proof of the bytes: those are asked for again. */
static void distrust_bytes(struct mailbox *mb, int64_t row)
{
	pthread_mutex_lock(&mb->lock);
	body_forget(mb, row);
	pthread_mutex_unlock(&mb->lock);
	body_remove(mb->bodies, row);
}

uint32_t find_uid(const struct find *f, const struct replay_batch *batch, size_t i, uint32_t *ret_uidvalidity)
{
	const char *wanted = f->wanted && i >= f->from && i < f->from + f->n ? f->wanted[i - f->from] : NULL;
	const struct journal_entry *e = &batch->entries[i];

	for (size_t k = 0; wanted && k < f->n_found; k++) {
		struct found *found = &f->found[k];
		uint32_t uid = found->uid;

		if (!uid || !found->identity || strcmp(found->identity, wanted) ||
		    find_is_taken(batch->mb, e->folder, f->uidvalidity, uid))
			continue;
		found->uid = 0;
		*ret_uidvalidity = f->uidvalidity;
		return uid;
	}
	if (!f->moved || i < f->from || i >= f->from + f->n || !take(f, f->moved[i - f->from]))
		return 0;
	distrust_bytes(batch->mb, e->row);
	*ret_uidvalidity = f->uidvalidity;
	return f->moved[i - f->from];
}

int find_sent(struct backend **session, struct replay_batch *batch, size_t i, uint32_t *ret_uidvalidity, uint32_t *ret_uid)
{
	CLEANUP(find) struct find f = { 0 };
	int r = find_marked(&f, session, batch, i, 1);

	if (r == 0)
		*ret_uid = find_uid(&f, batch, i, ret_uidvalidity);
	return r;
}

int find_appended(struct backend **session, struct replay_batch *batch, size_t from, size_t n)
{
	CLEANUP(find) struct find f = { 0 };
	int r = find_marked(&f, session, batch, from, n);

	for (size_t i = 0; i < n && r == 0; i++) {
		uint32_t uidvalidity = 0, uid = find_uid(&f, batch, from + i, &uidvalidity);

		r = replay_confirm(batch, from + i, &(struct replay_outcome){ uidvalidity, uid, false });
	}
	return r;
}

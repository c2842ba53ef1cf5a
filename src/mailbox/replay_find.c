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

void find_forget_identity(struct identity *id)
{
	free(id->bytes);
	free(id->fields);
	*id = (struct identity){ 0 };
}

/* The fields that versions of a draft differ in; without a Message-ID all of the header. */
static int describe(const char *header, size_t len, struct buf *out)
{
	static const char *const names[] = { "Message-ID", "Date", "From", "To", "Cc", "Subject" };
	int r = 0;

	for (size_t i = 0; i < sizeof names / sizeof *names && r == 0; i++) {
		r = header_text(header, len, names[i], out);
		if (r == -ENOENT)
			r = i ? 0 : buf_append(out, header, len);
		if (r == 0)
			r = buf_append_str(out, "\n");
	}
	return r;
}

static int identify(const char *head, size_t len, struct identity *ret)
{
	const char *end = memmem(head, len, "\r\n\r\n", 4);
	size_t header_len = end ? (size_t)(end - head) : len;
	CLEANUP(buf) struct buf fields = BUF_INIT;
	int r = describe(head, header_len, &fields);

	ret->bytes = r == 0 ? malloc(len + 1) : NULL;
	if (!ret->bytes)
		return r < 0 ? r : -ENOMEM;
	memcpy(ret->bytes, head, len);
	ret->len = len;
	ret->header_len = header_len;
	ret->fields = buf_steal(&fields);
	return 0;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
	return a->bytes && b->bytes && a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

static size_t body_len(const struct identity *id)
{
	return id->len - id->header_len < BODY_BYTES ? id->len - id->header_len : BODY_BYTES;
}

/* As far as a server leaves alone what is stored. */
static bool is_likely(const struct identity *a, const struct identity *b)
{
	return a->bytes && b->bytes && !strcmp(a->fields, b->fields) && body_len(a) == body_len(b) &&
	       !memcmp(a->bytes + a->header_len, b->bytes + b->header_len, body_len(a));
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

/* *ret own; empty when there is no such message. */
static int ask_identity(struct backend **session, const char *folder, uint32_t uidvalidity, uint32_t uid, struct identity *ret)
{
	struct head head = { .bytes = BUF_INIT };
	struct backend_fetch_sink sink = { &head, head_begin, head_data, head_end };
	struct backend_fetch what = { .uids = &uid, .n = 1, .length = HEAD_BYTES };
	int r = backend_fetch(session, folder, uidvalidity, &what, &sink);

	if (r == 0 && head.begun)
		r = identify(buf_str(&head.bytes), head.bytes.len, ret);
	buf_release(&head.bytes);
	return r;
}

static int read_identity(int fd, struct identity *ret)
{
	CLEANUP(free) char *head = malloc(HEAD_BYTES);
	ssize_t n = head ? pread(fd, head, HEAD_BYTES, 0) : -1;

	if (n < 0)
		return head ? -errno : -ENOMEM;
	return identify(head, (size_t)n, ret);
}

/* Of the message that an entry moves, copies or stores. */
static int entry_identity(struct backend **session, struct replay_batch *batch, size_t i, struct identity *ret)
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
	CLEANUP(find_forget_identity) struct identity identity = { 0 };
	int r = entry_identity(session, batch, i, &identity);

	if (r == -ENXIO || r == -ESTALE) /* with its folder */
		return 1;
	return r < 0 ? r : !identity.bytes;
}

/* ------------------------------------------------------------ among the new ones */

void find_release(struct find *f)
{
	for (size_t i = 0; i < f->n && f->wanted; i++)
		find_forget_identity(&f->wanted[i]);
	for (size_t i = 0; i < f->n_found; i++)
		find_forget_identity(&f->found[i].identity);
	free(f->wanted);
	free(f->found);
	free(f->moved);
	*f = (struct find){ 0 };
}

/* What the messages say of themselves. `told`: the new UID of each, 0: not told; NULL: of none. */
static int note_wanted(struct find *f, struct backend **session, struct replay_batch *batch, size_t from, size_t n,
		       const uint32_t *told)
{
	int r = 0;

	f->wanted = calloc(n, sizeof *f->wanted);
	if (!f->wanted)
		return -ENOMEM;
	f->from = from;
	f->n = n;
	for (size_t i = 0; i < n && r == 0; i++)
		if (!told || !told[i])
			r = entry_identity(session, batch, from + i, &f->wanted[i]);
	return r;
}

int find_prepare(struct find *f, struct backend **session, struct replay_batch *batch, size_t from, size_t n)
{
	struct backend_status status = { 0 };
	int r = backend_status(session, batch->entries[from].folder, &status);

	if (r < 0)
		return r;
	f->bound = status.uidnext;
	f->bound_uidvalidity = status.uidvalidity;
	return note_wanted(f, session, batch, from, n, NULL);
}

int find_marked(struct find *f, struct backend **session, struct replay_batch *batch, size_t from, size_t n, const uint32_t *told)
{
	const struct journal_entry *e = &batch->entries[from];
	int r = note_wanted(f, session, batch, from, n, told);

	f->bound = e->uidnext;
	f->bound_uidvalidity = e->uidvalidity;
	return r < 0 ? r : find_new(f, session, e->folder);
}

/* Of those that are none of the wanted it is enough to know the UIDs. */
static bool is_wanted(const struct find *f, const struct identity *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (is_likely(&f->wanted[i], id) || is_same(&f->wanted[i], id))
			return true;
	return false;
}

int find_new(struct find *f, struct backend **session, const char *folder)
{
	CLEANUP(free) uint32_t *uids = NULL;
	struct backend_status status = { 0 };
	size_t n = 0;
	int r = backend_status(session, folder, &status);

	f->is_bound = f->bound && (!f->bound_uidvalidity || f->bound_uidvalidity == status.uidvalidity);
	if (r == 0)
		r = backend_uids_from(session, folder, status.uidvalidity, f->is_bound ? f->bound : 1, &uids, &n);
	if (r < 0)
		return r;
	f->uidvalidity = status.uidvalidity;
	f->found = calloc(n ? n : 1, sizeof *f->found);
	if (!f->found)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++, f->n_found++) {
		f->found[i].uid = uids[i];
		r = ask_identity(session, folder, status.uidvalidity, uids[i], &f->found[i].identity);
		if (r < 0 && !(*session)->broken) { /* one that cannot be read keeps nobody from finding the others */
			f->error = r;
			r = 0;
		}
		if (!is_wanted(f, &f->found[i].identity))
			find_forget_identity(&f->found[i].identity);
	}
	return r;
}

void find_leave_out(struct find *f, const uint32_t *told, size_t n)
{
	for (size_t k = 0; k < f->n_found; k++)
		for (size_t i = 0; told && i < n; i++)
			if (told[i] == f->found[k].uid)
				f->found[k].uid = 0;
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

static bool is_another_s(const struct find *f, const struct identity *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (is_same(&f->wanted[i], id))
			return true;
	return false;
}

/*
 * A message that came since may be told by what says most of it. Among older ones, which may be an earlier version of a draft, and the one that is to go for this one, all of its bytes
 * must be the same.
 */
static bool is_it(const struct find *f, const struct identity *wanted, const struct identity *id, bool exactly)
{
	if (exactly)
		return is_same(wanted, id) && (f->is_bound || id->len < HEAD_BYTES);
	return f->is_bound && is_likely(wanted, id) && !is_another_s(f, id);
}

static uint32_t find_by_identity(const struct find *f, const struct replay_batch *batch, size_t i, bool exactly)
{
	for (size_t k = 0; k < f->n_found; k++) {
		struct found *found = &f->found[k];
		uint32_t uid = found->uid;

		if (!uid || !is_it(f, &f->wanted[i - f->from], &found->identity, exactly) ||
		    find_is_taken(batch->mb, batch->entries[i].folder, f->uidvalidity, uid))
			continue;
		found->uid = 0;
		return uid;
	}
	return 0;
}

uint32_t find_uid(const struct find *f, const struct replay_batch *batch, size_t i, uint32_t *ret_uidvalidity)
{
	uint32_t uid = 0;

	if (i < f->from || i >= f->from + f->n)
		return 0;
	if (f->wanted)
		uid = find_by_identity(f, batch, i, true);
	if (f->wanted && !uid)
		uid = find_by_identity(f, batch, i, false);
	if (!uid && f->moved && take(f, f->moved[i - f->from])) {
		distrust_bytes(batch->mb, batch->entries[i].row);
		uid = f->moved[i - f->from];
	}
	if (uid)
		*ret_uidvalidity = f->uidvalidity;
	return uid;
}

int find_sent(struct backend **session, struct replay_batch *batch, size_t from, size_t n, uint32_t *found)
{
	CLEANUP(find) struct find f = { 0 };
	int r = find_marked(&f, session, batch, from, n, found);
	bool is_any_left = false;

	for (size_t i = 0; i < n && r == 0; i++) {
		uint32_t uidvalidity = 0;

		if (!found[i])
			found[i] = find_uid(&f, batch, from + i, &uidvalidity);
		if (uidvalidity)
			r = replay_confirm(batch, from + i, &(struct replay_outcome){ uidvalidity, found[i], true });
		is_any_left |= !found[i];
	}
	return r < 0 ? r : is_any_left ? (f.error ? f.error : 1) : 0;
}

int find_appended(struct backend **session, struct replay_batch *batch, size_t from, size_t n)
{
	CLEANUP(find) struct find f = { 0 };
	int r = find_marked(&f, session, batch, from, n, NULL);

	if (r < 0 && !(*session)->broken) /* they are there all the same */
		r = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		uint32_t uidvalidity = 0, uid = find_uid(&f, batch, from + i, &uidvalidity);

		r = replay_confirm(batch, from + i, &(struct replay_outcome){ uidvalidity, uid, false });
	}
	return r;
}

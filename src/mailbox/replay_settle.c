/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the server did: entries leave the journal, the tree shows what came of them.
 */
#include "mailbox/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mailbox/changing_private.h"

int64_t replay_folder_row(struct mailbox *mb, const char *wire)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };

	return index_folder_by_wire(mb->index, wire, &f) == 0 ? f.row : 0;
}

static int forget_kept(struct mailbox *mb, const struct journal_place *place)
{
	return place->wire && place->uid ? journal_kept_remove(mb->index, place->wire, place->uidvalidity, place->uid) : 0;
}

/* The next one need not wait to learn whether the folder takes any. */
static void note_keyword(struct mailbox *mb, const struct journal_entry *e)
{
	CLEANUP(free) char *add = strndup(e->detail, strcspn(e->detail, "\n"));
	struct index_message m;

	if (!add || !changing_has_keyword(add) || index_message_get(mb->index, e->row, &m) < 0 || !m.folder)
		return;
	pthread_mutex_lock(&mb->lock);
	table_set(&mb->keywords, m.folder, &mb->keywords);
	pthread_mutex_unlock(&mb->lock);
}

static int confirm_flags(struct mailbox *mb, const struct journal_entry *e)
{
	CLEANUP(buf) struct buf server = BUF_INIT, now = BUF_INIT;
	int r = index_message_server_flags(mb->index, e->row, &server);

	note_keyword(mb, e);
	if (r < 0 || !server.data)
		return r == -ENOENT ? 0 : r;
	r = apply_flags_words(buf_str(&server), e->detail, &now);
	if (r == 0)
		r = apply_server_flags(mb, e->row, buf_str(&now));
	return r < 0 ? r : 0;
}

static int confirm_removed(struct mailbox *mb, const struct journal_entry *e, const struct journal_place *place)
{
	int r = forget_kept(mb, place);

	if (r == 0)
		r = index_message_delete(mb->index, e->row);
	return r == -ENOENT ? 0 : r;
}

/* It stands in the folder, \Deleted, and is shown nowhere for as long as it does. */
static int confirm_marked(struct mailbox *mb, const struct journal_entry *e, const struct journal_place *place)
{
	struct journal_kept kept = { .is_marked = true };
	struct index_message m;
	int r = place->wire ? journal_kept_put(mb->index, place->wire, place->uidvalidity, place->uid, &kept) : 0;

	if (r == 0)
		r = index_message_get(mb->index, e->row, &m);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	m.is_marked = true;
	return index_message_put(mb->index, &m);
}

static int confirm_placed(struct mailbox *mb, const struct journal_entry *e, uint32_t uidvalidity, uint32_t uid, struct news *news)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message m;
	int r = index_message_get(mb->index, e->row, &m);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = apply_folder_of(mb, e, &f);
	if (r < 0 && r != -ENOENT)
		return r;
	/* By now it may be called something else here. */
	return apply_place(mb, e->row, r == 0 ? f.row : INDEX_ROOT, r == 0 ? e->folder : NULL, uidvalidity, r == 0 ? uid : 0,
			   (r == 0 && m.folder == f.row) || e->kind == JOURNAL_APPEND || !*e->detail ? m.name : e->detail, news);
}

static int confirm_renamed(struct mailbox *mb, const struct journal_entry *e)
{
	CLEANUP(free) char *to = strndup(e->detail, strcspn(e->detail, "\n"));
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = to ? index_folder_by_wire(mb->index, to, &f) : -ENOMEM;

	return r < 0 ? (r == -ENOENT ? 0 : r) : journal_rename_folder(mb->index, e->folder, to, f.delimiter);
}

static int confirm_deleted(struct mailbox *mb, const struct journal_entry *e)
{
	int r = index_folder_delete(mb->index, strtoll(e->detail, NULL, 10));

	return r == -ENOENT ? 0 : r;
}

static int confirm(struct replay_batch *batch, size_t i, uint32_t uidvalidity, uint32_t uid, struct news *news)
{
	const struct journal_entry *e = &batch->entries[i];
	const struct journal_place *place = &batch->places[i];
	struct mailbox *mb = batch->mb;

	switch (e->kind) {
	case JOURNAL_FLAGS:
		return confirm_flags(mb, e);
	case JOURNAL_REMOVE:
		return confirm_removed(mb, e, place);
	case JOURNAL_MARK:
		return confirm_marked(mb, e, place);
	case JOURNAL_MOVE:
		return confirm_placed(mb, e, uidvalidity, uid, news);
	case JOURNAL_APPEND:
	case JOURNAL_COPY:
		return confirm_placed(mb, e, uidvalidity, uid, news);
	case JOURNAL_CREATE:
		return 0;
	case JOURNAL_RENAME:
		return confirm_renamed(mb, e);
	case JOURNAL_DELETE:
		return confirm_deleted(mb, e);
	}
	return 0;
}

/* The bytes that were sent are the message's from now on; those of a draft that it replaces are nobody's. */
static void adopt_bytes(struct mailbox *mb, int64_t row)
{
	CLEANUP(fd) int fd = -1;
	struct stat st;

	pthread_mutex_lock(&mb->lock);
	body_forget(mb, row);
	pthread_mutex_unlock(&mb->lock);
	body_remove(mb->bodies, row);
	if (local_file_open(mb->files, row, O_RDONLY, &fd) == 0 && fstat(fd, &st) == 0)
		body_adopt(mb->bodies, fd, row, st.st_size);
}

int replay_confirm(struct replay_batch *batch, size_t i, uint32_t uidvalidity, uint32_t uid)
{
	const struct journal_entry *e = &batch->entries[i];
	struct mailbox *mb = batch->mb;
	CLEANUP(news) struct news news = { 0 };
	int r;

	if (e->kind == JOURNAL_APPEND && uid)
		adopt_bytes(mb, e->row);
	if (e->kind >= JOURNAL_CREATE)
		atomic_fetch_add(&mb->folder_changes, 1);
	r = index_begin(mb->index);
	if (r < 0)
		return r;
	r = journal_remove(mb->index, e->seq);
	if (r == 0 && e->kind == JOURNAL_MOVE)
		r = forget_kept(mb, &batch->places[i]);
	if (r == 0 && e->kind == JOURNAL_APPEND)
		r = local_remove(mb->index, e->row);
	if (r == 0)
		r = confirm(batch, i, uidvalidity, uid, &news);
	if (r == 0 && e->row)
		r = journal_place_sweep(mb->index, e->row);
	if (r == 0 && e->source)
		r = journal_place_sweep(mb->index, e->source);
	r = index_end(mb->index, r);
	if (r < 0)
		return r;
	if (e->kind == JOURNAL_APPEND)
		local_file_unlink(mb->files, e->row);
	if (e->kind == JOURNAL_REMOVE)
		body_remove(mb->bodies, e->row);
	news_tell(mb, &news);
	return 0;
}

/* The old place gets a row of its own, shown nowhere. */
static int leave_behind(struct mailbox *mb, const struct journal_entry *e, const struct journal_place *place)
{
	struct journal_entry remove = { .kind = JOURNAL_REMOVE };
	struct index_message m, old;
	int64_t folder = replay_folder_row(mb, place->wire);
	int r = index_message_get(mb->index, e->row, &m);

	if (r < 0)
		return r;
	m.server_folder = m.server_uid = 0;
	r = index_message_put(mb->index, &m);
	if (r == 0 && folder && index_message_away(mb->index, folder, place->uid, &old) == 0) /* left behind before a crash */
		return 0;
	old = (struct index_message){ .arrived_s = m.arrived_s };
	if (folder) { /* else it is being deleted, and known by its name on the wire alone */
		old.server_folder = folder;
		old.server_uid = place->uid;
	}
	memcpy(old.name, m.name, sizeof old.name);
	if (r == 0)
		r = index_message_insert_hidden(mb->index, &old);
	remove.row = old.row;
	if (r == 0)
		r = journal_place_put(mb->index, old.row, place);
	return r < 0 ? r : journal_append(mb->index, &remove);
}

int replay_leave_behind(struct replay_batch *batch, size_t i)
{
	struct mailbox *mb = batch->mb;
	int r = index_begin(mb->index);

	if (r == 0)
		r = index_end(mb->index, leave_behind(mb, &batch->entries[i], &batch->places[i]));
	return r == -ENOENT ? 0 : r;
}

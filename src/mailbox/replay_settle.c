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

#include "base/clock.h"
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
	struct index_message m;
	int64_t folder = replay_folder_row(mb, e->folder);
	int r = index_message_get(mb->index, e->row, &m);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* By now it may be called something else here. */
	return apply_place(mb, e->row, folder ? folder : INDEX_ROOT, uidvalidity, folder ? uid : 0,
			   m.folder == folder || e->kind == JOURNAL_APPEND || !*e->detail ? m.name : e->detail, news);
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

/* Where the old place's row is already, should one of the two databases have kept what the other has not when all ended. */
static int find_left(struct mailbox *mb, const struct index_folder *f, const struct journal_place *place, int64_t moved,
		     struct index_message *ret)
{
	int r = index_message_away(mb->index, f->row, place->uid, ret);

	if (r == -ENOENT)
		r = index_message_by_uid(mb->index, f->row, place->uid, ret);
	return r == 0 && ret->row == moved ? -ENOENT : r;
}

/* The old place gets a row of its own, shown nowhere. A folder that is being deleted is known by its name on the wire alone. */
static int part_from_old_place(struct mailbox *mb, const struct journal_place *place, const struct index_message *moved,
			       int64_t *ret_row)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message old = { .arrived_s = moved->arrived_s }, there = { 0 };
	int r = index_folder_by_wire(mb->index, place->wire, &f);
	bool is_known = r == 0 && f.uidvalidity == place->uidvalidity;

	if (is_known)
		r = find_left(mb, &f, place, moved->row, &there);
	if (r < 0 && r != -ENOENT)
		return r;
	if (is_known && r == 0) {
		*ret_row = there.row;
		return 0;
	}
	if (is_known) {
		old.server_folder = f.row;
		old.server_uid = place->uid;
	}
	memcpy(old.name, place->name, sizeof old.name);
	r = index_message_insert_hidden(mb->index, &old);
	*ret_row = old.row;
	return r;
}

/* A move that was done as a copy goes on as the removal of what it left where it was, in its own place of the journal: before what comes behind, such as the end of that folder. */
static int leave_behind(struct mailbox *mb, const struct journal_entry *e, const struct journal_place *place)
{
	struct journal_entry remove = { .seq = e->seq, .kind = JOURNAL_REMOVE };
	struct index_message m = { .arrived_s = clock_realtime_s() };
	int r = index_message_get(mb->index, e->row, &m);

	if (r == 0) {
		m.server_folder = m.server_uid = 0;
		r = index_message_put(mb->index, &m);
	}
	if (r == 0 || r == -ENOENT)
		r = part_from_old_place(mb, place, &m, &remove.row);
	if (r == 0)
		r = journal_place_put(mb->index, remove.row, place);
	if (r == 0)
		r = journal_replace(mb->index, &remove);
	return r < 0 ? r : apply_show(mb, &remove);
}

static int confirm_entry(struct replay_batch *batch, size_t i, bool is_copied, uint32_t uidvalidity, uint32_t uid)
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
	r = is_copied && e->kind == JOURNAL_MOVE ? leave_behind(mb, e, &batch->places[i]) : journal_remove(mb->index, e->seq);
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

int replay_confirm(struct replay_batch *batch, size_t i, uint32_t uidvalidity, uint32_t uid)
{
	return confirm_entry(batch, i, false, uidvalidity, uid);
}

int replay_confirm_copied(struct replay_batch *batch, size_t i, uint32_t uidvalidity, uint32_t uid)
{
	return confirm_entry(batch, i, true, uidvalidity, uid);
}

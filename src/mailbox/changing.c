/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of messages: removal, what only this machine remembers. Flags: changing_flags.c; other names and places: changing_rename.c; new messages:
 * upload.c; folders: changing_folder.c.
 */
#include "mailbox/changing_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "message/scratch_name.h"

int changing_begin(struct changing *c, struct mailbox *mb)
{
	*c = (struct changing){ .mb = mb };
	return mb->options.read_only ? -EROFS : index_begin(mb->index);
}

/* Nobody can have made a new one for the row yet. */
static void unlink_file(void *userdata)
{
	struct changing *c = userdata;

	if (c->unlinked)
		local_file_unlink(c->mb->files, c->unlinked);
}

int changing_end(struct changing *c, int r)
{
	r = index_end_then(c->mb->index, r, unlink_file, c);
	if (r < 0) {
		news_release(&c->news);
		return r;
	}
	news_tell(c->mb, &c->news);
	if (c->last_seq)
		replay_wake(c->mb->replay);
	return r;
}

int changing_record(struct changing *c, struct journal_entry *e)
{
	int r = apply_record(c->mb, e);

	if (e->kind >= JOURNAL_CREATE)
		atomic_fetch_add(&c->mb->folder_changes, 1);
	if (r == 0)
		c->last_seq = e->seq;
	return r;
}

int changing_check_rights(const struct index_folder *f, const char *letters)
{
	if (!f->wire || f->attributes & FOLDER_NOSELECT)
		return -EPERM;
	for (; f->rights && *letters; letters++)
		if (!strchr(f->rights, *letters))
			return -EACCES;
	return 0;
}

int changing_check_name(const char *name)
{
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	return !*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") ? -EINVAL : 0;
}

bool changing_is_drafts(struct mailbox *mb, int64_t folder)
{
	CLEANUP(index_folder) struct index_folder drafts = { 0 };

	return folder_list_find(mb, USE_DRAFTS, &drafts) == 0 && drafts.row == folder;
}

int changing_is_on_its_way(struct mailbox *mb, int64_t row)
{
	return journal_has(mb->index, row, JOURNAL_APPEND);
}

int changing_is_unsent(struct mailbox *mb, const struct index_message *m)
{
	int r = m->is_local ? changing_is_on_its_way(mb, m->row) : 1;

	if (r != 0)
		return r < 0 ? r : 0;
	return m->uid ? -EBUSY : 1;
}

int changing_drop_local(struct changing *c, const struct index_message *m)
{
	int r = local_remove(c->mb->index, m->row);

	c->unlinked = m->row;
	return r < 0 ? r : index_message_delete(c->mb->index, m->row);
}

/* ------------------------------------------------------------ removal */

int changing_find_message(struct mailbox *mb, int64_t folder, const char *name, struct index_message *ret)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = index_folder_child(mb->index, folder, name, &f);

	if (r == 0)
		return -EISDIR;
	return r == -ENOENT ? index_message_by_name(mb->index, folder, name, ret) : r;
}

/* Nothing young is destroyed: an rm -rf that reaches the trash stops there. */
static int check_age(struct mailbox *mb, const struct index_message *m)
{
	return clock_realtime_s() - m->arrived_s < mb->configuration->trash_keep_s ? -EPERM : 0;
}

static int record_removal(struct changing *c, const struct index_message *m, enum journal_kind kind)
{
	struct journal_entry e = { .kind = kind, .row = m->row };

	return changing_record(c, &e);
}

/* The account's trash, made if there is none. */
static int find_trash(struct changing *c, struct index_folder *ret)
{
	int r = folder_list_find(c->mb, USE_TRASH, ret);

	return r == -ENOENT ? changing_make_folder(c, INDEX_ROOT, folder_list_usual_name(USE_TRASH), USE_TRASH, ret) : r;
}

static int to_trash(struct changing *c, const struct index_message *m, const struct index_folder *trash)
{
	struct journal_entry e = { .kind = JOURNAL_MOVE, .row = m->row, .folder = trash->wire, .detail = (char *)m->name };
	struct index_message moved;
	int r = changing_record(c, &e);

	if (r == 0)
		r = index_message_get(c->mb->index, m->row, &moved);
	return r < 0 ? r : news_add(&c->news, CHANGE_MESSAGE_ADDED, trash->row, m->row, moved.name);
}

static int remove_stored(struct changing *c, const struct index_message *m)
{
	CLEANUP(index_folder) struct index_folder f = { 0 }, trash = { 0 };
	enum delete_mode mode = c->mb->configuration->delete_mode;
	int r = index_folder_get(c->mb->index, m->folder, &f);

	if (r == 0)
		r = changing_check_rights(&f, mode == DELETE_MARK ? "t" : "te");
	if (r == 0 && mode == DELETE_MARK)
		return record_removal(c, m, JOURNAL_MARK);
	if (r == 0 && mode == DELETE_TRASH)
		r = find_trash(c, &trash);
	if (r < 0)
		return r;
	if (mode == DELETE_TRASH && trash.row != f.row)
		return to_trash(c, m, &trash);
	r = mode == DELETE_TRASH ? check_age(c->mb, m) : 0;
	return r < 0 ? r : record_removal(c, m, JOURNAL_REMOVE);
}

int changing_unlink_message(struct changing *c, const struct index_message *m)
{
	struct index_message stored = *m;
	int r = changing_is_unsent(c->mb, m);

	if (r == 1)
		return changing_drop_local(c, m);
	if (r == -EBUSY) {
		r = draft_end_edit(c, &stored);
		return r < 0 ? r : remove_stored(c, &stored);
	}
	return r < 0 ? r : remove_stored(c, m);
}

int mailbox_unlink(struct mailbox *mb, int64_t folder, const char *name)
{
	struct index_message m;
	struct changing c;
	int r = changing_begin(&c, mb);

	if (r < 0)
		return r;
	r = changing_find_message(mb, folder, name, &m);
	if (r == 0)
		r = changing_unlink_message(&c, &m);
	if (r == 0)
		r = news_add(&c.news, CHANGE_FOLDER_ATTRIBUTES, 0, folder, "");
	return changing_end(&c, r);
}

/* ------------------------------------------------------------ what only this machine remembers */

static int set_local_times(struct mailbox *mb, const struct index_message *m)
{
	CLEANUP(local_entry) struct local_entry e = { 0 };
	int r = local_get(mb->index, m->row, &e);

	if (r < 0)
		return r;
	e.mtime_ns = m->mtime_ns;
	e.mode = m->mode;
	return local_put(mb->index, &e);
}

int changing_remember(struct mailbox *mb, struct index_message *m, int64_t mtime_ns, uint32_t mode)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct journal_kept kept = { .mtime_ns = mtime_ns, .mode = mode, .arrived_s = m->arrived_s };
	int r;

	m->mtime_ns = mtime_ns;
	m->mode = mode;
	r = index_message_put(mb->index, m);
	if (r < 0 || m->is_local)
		return r < 0 ? r : set_local_times(mb, m);
	r = m->folder ? index_folder_get(mb->index, m->folder, &f) : -ENOENT;
	if (r < 0 || !m->uid)
		return r;
	if (m->is_given)
		memcpy(kept.name, m->name, sizeof kept.name);
	return journal_kept_put(mb->index, f.wire, f.uidvalidity, m->uid, &kept);
}

static int remember(struct mailbox *mb, int64_t row, const int64_t *mtime_ns, const uint32_t *mode)
{
	struct index_message m;
	struct changing c;
	int r = changing_begin(&c, mb);

	if (r < 0)
		return r;
	r = index_message_get(mb->index, row, &m);
	if (r == 0)
		r = changing_remember(mb, &m, mtime_ns ? *mtime_ns : m.mtime_ns, mode ? *mode : m.mode);
	return changing_end(&c, r);
}

int mailbox_set_mtime(struct mailbox *mb, int64_t row, const struct timespec *mtime)
{
	int64_t ns = (int64_t)mtime->tv_sec * 1000000000 + mtime->tv_nsec;

	return remember(mb, row, &ns, NULL);
}

/* Programs that copy set what is set already. */
int mailbox_set_mode(struct mailbox *mb, int64_t row, mode_t mode)
{
	uint32_t bits = mode & 0777;
	struct index_message m;
	int r = mb->options.read_only ? -EROFS : index_message_get(mb->index, row, &m);

	return r < 0 || m.mode == bits ? r : remember(mb, row, NULL, &bits);
}

/* ------------------------------------------------------------ fsync(2) */

static int settle(struct mailbox *mb, int64_t row, const struct index_folder *folder, struct waiter *w)
{
	int64_t seq = 0;
	int r;

	if (journal_is_empty(mb->index))
		return folder || !mb->replay ? 0 : replay_take_refused(mb->replay, row);
	r = index_begin(mb->index);
	if (r < 0)
		return r;
	if (!folder)
		r = journal_last_of(mb->index, row, &seq);
	else
		r = journal_last_in(mb->index, folder->wire ? folder->wire : "", folder->delimiter, &seq);
	index_rollback(mb->index);
	if (r < 0 || seq)
		return r < 0 ? r : replay_wait(mb->replay, row, seq, w);
	return folder ? 0 : replay_take_refused(mb->replay, row);
}

/* What only this machine has, scratch files and names, is on its disk at least. */
static int on_disk(struct mailbox *mb, int r)
{
	return r == 0 && !mb->options.read_only ? replay_sync(mb) : r;
}

int changing_settle(struct mailbox *mb, int64_t row, struct waiter *w)
{
	return settle(mb, row, NULL, w);
}

int mailbox_settle_message(struct mailbox *mb, int64_t row, struct waiter *w)
{
	return on_disk(mb, settle(mb, row, NULL, w));
}

int mailbox_settle_folder(struct mailbox *mb, int64_t row, struct waiter *w)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = index_folder_get(mb->index, row, &f);

	if (r == 0 && mb->replay)
		r = replay_take_refused_in(mb->replay, f.wire ? f.wire : "", f.delimiter);
	return r < 0 ? r : on_disk(mb, settle(mb, 0, &f, w));
}

int changing_settle_all(struct mailbox *mb, struct waiter *w)
{
	return settle(mb, 0, &(struct index_folder){ 0 }, w);
}

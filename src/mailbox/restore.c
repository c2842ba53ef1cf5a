/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "mailbox/changing_private.h"
#include "message/scratch_name.h"

/* Rows that the journal names must not be given to others, in an index that was made anew. */
static int reserve_rows(struct mailbox *mb)
{
	int64_t last = 0;
	int r = journal_last_row(mb->index, &last);

	return r < 0 ? r : index_reserve_rows(mb->index, last);
}

/* ------------------------------------------------------------ as the server has it */

struct changed {
	int64_t rows[256];
	size_t n;
};

static int note_changed(void *userdata, const struct index_message *m)
{
	struct changed *c = userdata;

	c->rows[c->n++] = m->row;
	return c->n == sizeof c->rows / sizeof *c->rows;
}

/* Something that only the journal knew of, and the journal knows no more: a copy or a local file. */
static int drop_unknown(struct mailbox *mb, const struct index_message *m)
{
	CLEANUP(local_entry) struct local_entry e = { 0 };
	int64_t seq = 0;
	int r = m->is_local ? local_get(mb->index, m->row, &e) : journal_last_of(mb->index, m->row, &seq);

	if (r == -ENOENT || (r == 0 && !m->is_local && !seq))
		return index_message_delete(mb->index, m->row);
	return r;
}

static int show_one(struct mailbox *mb, int64_t row)
{
	struct index_message m;
	int r = index_message_get(mb->index, row, &m);

	if (r == 0 && !m.uid && !m.server_folder)
		return drop_unknown(mb, &m);
	return r < 0 ? r : apply_show_anew(mb, row, NULL);
}

static int show_changed(struct mailbox *mb)
{
	struct changed c;
	int64_t after = 0;
	int r;

	do {
		c.n = 0;
		r = index_message_each_changed(mb->index, after, note_changed, &c);
		for (size_t i = 0; i < c.n && r >= 0; i++)
			r = show_one(mb, c.rows[i]);
		after = c.n ? c.rows[c.n - 1] : 0;
	} while (r >= 0 && c.n);
	return r < 0 ? r : 0;
}

/* ------------------------------------------------------------ what only this machine has */

/* Whether a folder that is not in the index may be there all the same: not listed yet, or not before it gets the name that it has here. */
static int may_come(struct mailbox *mb)
{
	return mb->listed_ms ? replay_changes_folders_within(mb) : 1;
}

/* Where a local file or directory belongs; the root when its folder has gone. -EAGAIN: an index made anew does not know the folders yet. */
static int find_directory(struct mailbox *mb, const struct local_entry *e, struct index_folder *ret)
{
	int r = -ENOENT;

	if (e->directory)
		r = index_folder_get(mb->index, e->directory, ret);
	else if (*e->wire)
		r = index_folder_by_wire(mb->index, e->wire, ret);
	if (r != -ENOENT)
		return r;
	r = *e->wire || e->directory ? may_come(mb) : 0;
	if (r != 0)
		return r < 0 ? r : -EAGAIN;
	return index_folder_get(mb->index, INDEX_ROOT, ret);
}

static int is_for_later(struct mailbox *mb, int r)
{
	if (r != -EAGAIN)
		return r;
	atomic_store(&mb->has_unplaced, true);
	return 0;
}

static int restore_directory(void *userdata, const struct local_entry *e)
{
	struct mailbox *mb = userdata;
	CLEANUP(index_folder) struct index_folder above = { 0 }, there = { 0 };
	struct index_folder f = { .row = e->row, .attributes = INDEX_FOLDER_LOCAL | FOLDER_NOSELECT };
	int r = index_folder_get(mb->index, e->row, &there);

	if (r != -ENOENT)
		return r;
	r = find_directory(mb, e, &above);
	if (r < 0)
		return is_for_later(mb, r);
	f.parent = above.row;
	memcpy(f.name, e->name, sizeof f.name);
	return index_folder_insert_as(mb->index, &f);
}

/* The bytes of a draft that was being written when all ended: a file of their own. */
static int restore_draft(struct changing *c, struct index_message *m)
{
	int r;

	m->is_local = true;
	r = index_message_put(c->mb->index, m);
	return r < 0 ? r : upload_set_aside(c, m->row);
}

/* An index that is older than the journal: by that, the draft's new text is on its way, and what the server has of it another row's, to be removed. */
static int restore_replaced(struct mailbox *mb, struct index_message *m)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	CLEANUP(buf) struct buf flags = BUF_INIT;
	struct index_message old = *m;
	int r = index_folder_get(mb->index, m->folder, &f);

	if (r == 0)
		r = index_message_flags(mb->index, m->row, &flags);
	m->uid = 0;
	m->is_local = m->is_given = true;
	if (r == 0)
		r = index_message_put(mb->index, m);
	apply_hide(&old);
	if (r == 0)
		r = journal_row_at(mb->index, f.wire, f.uidvalidity, old.server_uid, &old.row);
	if (r == 0)
		r = index_message_insert_hidden(mb->index, &old);
	if (r == 0)
		r = index_message_set_flags(mb->index, old.row, buf_str(&flags));
	return r < 0 && r != -ENOENT ? r : 0;
}

/* As a local file where it belongs, under its name or the like. */
static int place_file(struct mailbox *mb, const struct local_entry *e, const char *suffix, struct index_folder *ret_folder,
		      struct index_message *ret)
{
	int r = find_directory(mb, e, ret_folder);

	*ret = (struct index_message){ .folder = ret_folder->row,
				       .is_given = true,
				       .is_local = true,
				       .size_proven = true,
				       .size_bytes = local_file_size(mb->files, e->row),
				       .mode = e->mode,
				       .mtime_ns = e->mtime_ns,
				       .arrived_s = clock_realtime_s() };
	ret->internaldate_s = e->mtime_ns ? e->mtime_ns / 1000000000 : ret->arrived_s;
	return r < 0 ? r : apply_free_name(mb, ret_folder->row, e->name, suffix, ret->name);
}

/* `there`: the index knows its row, as that of a message that is gone. */
static int show_file(struct mailbox *mb, const struct local_entry *e, bool there)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message m;
	int r = place_file(mb, e, "", &f, &m);

	m.row = e->row;
	if (r < 0)
		return r;
	return there ? index_message_put(mb->index, &m) : index_message_insert(mb->index, &m, e->flags);
}

static int is_to_go(struct mailbox *mb, int64_t row)
{
	int r = journal_has(mb->index, row, JOURNAL_REMOVE);

	return r == 0 ? journal_has(mb->index, row, JOURNAL_MARK) : r;
}

int restore_is_homeless(struct mailbox *mb, const struct index_message *m)
{
	int r = m->folder ? 1 : is_to_go(mb, m->row);

	return r < 0 ? r : !r;
}

/* On its way, in an index made anew: where it is to go again once it has arrived, its name is another's by now. */
static int show_on_its_way(struct mailbox *mb, const struct local_entry *e)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message m;
	int r = is_to_go(mb, e->row);

	if (r <= 0)
		return r < 0 ? r : show_file(mb, e, false);
	r = place_file(mb, e, "", &f, &m);
	m.row = e->row;
	m.folder = 0;
	return r < 0 ? r : index_message_insert_hidden(mb->index, &m);
}

int restore_homeless(struct mailbox *mb, int64_t row)
{
	CLEANUP(local_entry) struct local_entry e = { 0 };
	int r = local_get(mb->index, row, &e);

	return r < 0 ? r : is_for_later(mb, show_file(mb, &e, true));
}

/* In an index made anew its row will be that of the stored draft, of which the journal has changes: what was written gets another. */
static int restore_apart(struct mailbox *mb, const struct local_entry *e)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message m;
	int r = place_file(mb, e, ".partial", &f, &m);

	if (r < 0)
		return is_for_later(mb, r);
	r = index_message_insert(mb->index, &m, "");
	if (r == 0)
		r = local_file_link(mb->files, e->row, m.row);
	if (r == 0)
		r = upload_put_entry(mb, &m, &f, "");
	return r < 0 ? r : local_remove(mb->index, e->row);
}

/* Whether the journal has changes of what the server has under this row. */
static bool is_of_stored(struct mailbox *mb, int64_t row)
{
	CLEANUP(journal_place) struct journal_place place = { 0 };

	return journal_place_get(mb->index, row, &place) == 0 && place.uid;
}

/* Whoever wrote it is not there any more: an ordinary name without an entry in the journal was never closed. */
static int restore_file(void *userdata, const struct local_entry *e)
{
	struct changing *c = userdata;
	struct mailbox *mb = c->mb;
	CLEANUP(fd) int fd = -1;
	struct index_message m;
	int is_on_its_way = 0;
	int r = local_file_open(mb->files, e->row, O_RDONLY, &fd);

	if (r == -ENOENT)
		return local_remove(mb->index, e->row);
	if (r == 0)
		r = is_on_its_way = changing_is_on_its_way(mb, e->row);
	if (r >= 0)
		r = index_message_get(mb->index, e->row, &m);
	if (r == 0 && m.uid && m.folder && !upload_is_written(mb, e->row))
		return is_on_its_way ? restore_replaced(mb, &m) : restore_draft(c, &m);
	if (r == -ENOENT && !is_on_its_way && is_of_stored(mb, e->row))
		return restore_apart(mb, e);
	if (r == 0)
		r = restore_is_homeless(mb, &m);
	if (r == -ENOENT && is_on_its_way)
		r = show_on_its_way(mb, e);
	else if (r == -ENOENT || r == 1)
		r = show_file(mb, e, r == 1);
	if (r == -EAGAIN)
		return is_for_later(mb, r);
	if (r < 0 || is_on_its_way || upload_is_written(mb, e->row) || !local_file_size(mb->files, e->row))
		return r;
	return upload_set_aside(c, e->row);
}

/* ------------------------------------------------------------ all of it */

/* A copy that the index does not have, and what was done to it since. */
static int show_copied(struct mailbox *mb, const struct journal_entry *e)
{
	struct index_message m;
	bool is_known = index_message_get(mb->index, e->row, &m) == 0 && !m.is_local;
	int r = apply_show(mb, e);

	return r == 0 && !is_known ? apply_show_anew(mb, e->row, NULL) : r;
}

static int show_entry(void *userdata, const struct journal_entry *e)
{
	int r = e->kind == JOURNAL_COPY ? show_copied(userdata, e) : 0;

	return r == -ENOENT ? 0 : r;
}

/* One that cannot be shown must not keep the mailbox from being mounted: it stays in the list, and its bytes where they are. */
static int restore_or_say(void *userdata, const struct local_entry *e)
{
	struct changing *c = userdata;
	int r = restore_file(c, e);

	if (r != -EEXIST && r != -EINVAL && r != -ENAMETOOLONG)
		return r;
	log_warning("%s: %s cannot be shown: its bytes are in files/%lld of the state directory", c->mb->configuration->account,
		    e->name, (long long)e->row);
	return 0;
}

static int restore_local(struct changing *c)
{
	int r = local_each_directory(c->mb->index, restore_directory, c->mb);

	return r < 0 ? r : local_each_file(c->mb->index, restore_or_say, c);
}

static int restore(struct changing *c)
{
	struct mailbox *mb = c->mb;
	int r = reserve_rows(mb);

	if (r == 0)
		r = restore_local(c);
	if (r == 0)
		r = show_changed(mb);
	return r < 0 ? r : journal_each_after(mb->index, 0, show_entry, mb);
}

int restore_unplaced(struct mailbox *mb)
{
	struct changing c = { .mb = mb };
	int r;

	if (!atomic_exchange(&mb->has_unplaced, false))
		return 0;
	r = index_begin(mb->index);
	return r < 0 ? r : changing_end(&c, restore_local(&c));
}

static bool is_listed(void *userdata, int64_t row)
{
	CLEANUP(local_entry) struct local_entry e = { 0 };

	return local_get(userdata, row, &e) != -ENOENT;
}

int restore_changes(struct mailbox *mb)
{
	struct changing c = { .mb = mb };
	int r = index_begin(mb->index);

	if (r < 0)
		return r;
	r = index_end(mb->index, restore(&c));
	news_release(&c.news);
	if (r < 0)
		return r;
	r = index_begin(mb->index);
	if (r < 0)
		return r;
	r = local_files_sweep(mb->files, is_listed, mb->index);
	index_rollback(mb->index);
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another name or place for a message or local file, and what becomes of what stands there already.
 */
#include "mailbox/changing_private.h"

#include <errno.h>
#include <string.h>

/* It is on its way: the next mount shows it from what the journal has of it. */
static int rename_unsettled(struct changing *c, const struct index_message *m, const struct index_folder *f)
{
	CLEANUP(local_entry) struct local_entry e = { 0 };
	int r = journal_rename(c->mb->index, m->row, m->name);

	if (r < 0 || !m->is_local)
		return r;
	r = local_get(c->mb->index, m->row, &e);
	if (r == 0)
		r = upload_place(&e, f, m->name);
	return r < 0 ? r : local_put(c->mb->index, &e);
}

/* A name alone is nothing to the server: it is remembered here. */
static int rename_here(struct changing *c, struct index_message *m, const char *to_name)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct journal_kept kept = { .mtime_ns = m->mtime_ns, .mode = m->mode, .arrived_s = m->arrived_s };
	int r = index_folder_get(c->mb->index, m->folder, &f);

	m->is_given = true;
	strcpy(m->name, to_name);
	if (r == 0)
		r = index_message_put(c->mb->index, m);
	if (r == 0)
		r = index_folder_touch(c->mb->index, m->folder);
	strcpy(kept.name, to_name);
	if (r < 0)
		return r;
	return m->uid ? journal_kept_put(c->mb->index, f.wire, f.uidvalidity, m->uid, &kept) : rename_unsettled(c, m, &f);
}

static int move_stored(struct changing *c, struct index_message *m, const struct index_folder *to, const char *to_name)
{
	CLEANUP(index_folder) struct index_folder from = { 0 };
	struct journal_entry e = { .kind = JOURNAL_MOVE, .row = m->row, .folder = to->wire, .detail = (char *)to_name };
	int r;

	if (m->folder == to->row)
		return rename_here(c, m, to_name);
	if (to->attributes & INDEX_FOLDER_LOCAL) /* mv copies the bytes, and removes the message */
		return -EXDEV;
	r = index_folder_get(c->mb->index, m->folder, &from);
	if (r == 0)
		r = changing_check_rights(&from, "te");
	if (r == 0)
		r = changing_check_rights(to, "i");
	return r < 0 ? r : changing_record(c, &e);
}

/* Into an ordinary name a scratch file is renamed as a message: it goes to the server now. */
static int move_local(struct changing *c, struct index_message *m, const struct index_folder *to, const char *to_name,
		      int64_t replaces)
{
	CLEANUP(local_entry) struct local_entry e = { 0 };
	int r = local_get(c->mb->index, m->row, &e);

	if (r < 0)
		return r;
	r = upload_place(&e, to, to_name);
	if (r == 0)
		r = local_put(c->mb->index, &e);
	m->folder = to->row;
	strcpy(m->name, to_name);
	if (r == 0)
		r = index_message_put(c->mb->index, m);
	if (r < 0)
		return r;
	return upload_is_written(c->mb, m->row) ? 0 : upload_submit(c, m, replaces);
}

static int move_message(struct changing *c, struct index_message *m, const struct index_folder *to, const char *to_name,
			int64_t replaces)
{
	int r = changing_is_unsent(c->mb, m);

	if (r != 0)
		return r < 0 ? r : move_local(c, m, to, to_name, replaces);
	r = move_stored(c, m, to, to_name);
	return r < 0 || !replaces ? r : draft_replace_by_stored(c, m, replaces);
}

/* Whether it can take the place of a draft: whole, and a message, as what is on its way is under any name. */
static int check_replacing(struct mailbox *mb, const struct index_message *m, const char *name)
{
	int r;

	if (upload_is_written(mb, m->row))
		return -EBUSY;
	r = m->is_local ? changing_is_on_its_way(mb, m->row) : 1;
	if (r != 0)
		return r < 0 ? r : 0;
	return upload_is_message(mb, m->row, name) ? 0 : -EEXIST;
}

/* What stands under the name already makes way or not: 0; 1: it holds the same bytes, and stays. *ret_replaces: a draft that goes once the new one is there. */
static int make_way(struct changing *c, const struct index_message *m, struct index_message *target, int64_t *ret_replaces)
{
	int r = changing_is_unsent(c->mb, target);

	if (r == 1)
		return changing_drop_local(c, target);
	if (r == -EBUSY && !upload_is_written(c->mb, target->row)) /* emptied, and closed */
		r = draft_end_edit(c, target);
	if (r < 0)
		return r;
	if ((m->is_local || m->folder == target->folder) && changing_is_drafts(c->mb, target->folder)) {
		*ret_replaces = target->row;
		return check_replacing(c->mb, m, target->name);
	}
	if (upload_is_written(c->mb, m->row))
		return -EEXIST;
	r = upload_same_bytes(c->mb, m, target);
	return r == 0 ? -EEXIST : r;
}

/* The same message once more: its times are the newest word on it. */
static int merge(struct changing *c, const struct index_message *m, struct index_message *target)
{
	int r;

	/* It may be the very same one. */
	if ((atomic_load(&c->mb->has_labels) || !c->mb->listed_ms) && changing_is_unsent(c->mb, m) != 1)
		return -EEXIST;
	r = m->mtime_ns ? changing_remember(c->mb, target, m->mtime_ns, target->mode) : 0;
	return r < 0 ? r : changing_unlink_message(c, m);
}

/* *ret_unknown: the row of the message under the name, whose bytes must be here to compare them: -EINPROGRESS. */
static int rename_message(struct changing *c, struct index_message *m, int64_t to_folder, const char *to_name, bool no_replace,
			  int64_t *ret_unknown)
{
	CLEANUP(index_folder) struct index_folder to = { 0 };
	struct index_message target = { 0 }, before = *m;
	int64_t replaces = 0;
	int r = changing_find_message(c->mb, to_folder, to_name, &target);

	if (r == 0 && target.row == m->row)
		return 0;
	if (r == 0)
		r = no_replace ? -EEXIST : make_way(c, m, &target, &replaces);
	if (r == 1)
		return merge(c, m, &target);
	*ret_unknown = target.row;
	if (r < 0 && r != -ENOENT)
		return r;
	r = replaces ? draft_hide(c, m, &target) : 0;
	if (r == 0)
		r = index_folder_get(c->mb->index, to_folder, &to);
	if (r == 0)
		r = move_message(c, m, &to, to_name, replaces);
	if (r == 0 && before.folder != to_folder)
		r = news_add(&c->news, CHANGE_FOLDER_ATTRIBUTES, 0, before.folder, "");
	return r < 0 ? r : news_add(&c->news, CHANGE_FOLDER_ATTRIBUTES, 0, to_folder, "");
}

int mailbox_rename(struct mailbox *mb, int64_t folder, const char *name, int64_t to_folder, const char *to_name, bool no_replace,
		   struct waiter *w)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message m;
	struct changing c;
	int64_t unknown = 0;
	int r = changing_check_name(to_name);

	if (r == 0)
		r = changing_begin(&c, mb);
	if (r < 0)
		return r;
	r = index_folder_child(mb->index, folder, name, &f);
	if (r == 0) {
		r = changing_rename_folder(&c, &f, to_folder, to_name, no_replace);
	} else if (r == -ENOENT) {
		r = index_message_by_name(mb->index, folder, name, &m);
		if (r == 0)
			r = rename_message(&c, &m, to_folder, to_name, no_replace, &unknown);
	}
	r = changing_end(&c, r);
	if (r == -EINPROGRESS && edit_fetch(mb, unknown, w) != -EINPROGRESS)
		return -EEXIST;
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drafts: the one kind of message that another takes the place of. While one is edited its row shows what was written (edit.c) and the server has the old text; that stays, in a row
 * of its own, until the new one is there.
 */
#include "mailbox/changing_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mailbox/local_bytes.h"
#include "store/durable.h"

int draft_end_edit(struct changing *c, struct index_message *m)
{
	int r = local_remove(c->mb->index, m->row);

	m->is_local = false;
	c->unlinked = m->row;
	return r < 0 ? r : index_message_put(c->mb->index, m);
}

/* What the server has of a draft gets a row of its own, shown nowhere, until it is removed. */
int draft_leave_old(struct changing *c, struct index_message *m, int64_t *ret_row)
{
	struct index *ix = c->mb->index;
	CLEANUP(buf) struct buf flags = BUF_INIT, server_flags = BUF_INIT;
	struct index_message old = *m;
	int r = index_message_flags(ix, m->row, &flags);

	if (r == 0)
		r = index_message_server_flags(ix, m->row, &server_flags);
	m->uid = 0;
	m->is_given = true;
	if (r == 0)
		r = index_message_put(ix, m);
	apply_hide(&old);
	old.row = 0;
	old.is_local = false;
	if (r == 0)
		r = index_message_insert_hidden(ix, &old);
	if (r == 0)
		r = index_message_set_flags(ix, old.row, buf_str(&flags));
	if (r >= 0 && server_flags.data)
		r = index_message_set_server_flags(ix, old.row, buf_str(&server_flags));
	if (r >= 0 && server_flags.data)
		r = index_message_set_server_flags(ix, m->row, NULL);
	if (r >= 0)
		r = journal_hand_over(ix, m->row, old.row); /* what is to be done with the old one, and where the server has it */
	*ret_row = old.row;
	return r;
}

/* The row of a stored draft goes on as what the server has; the bytes get another. */
int draft_part_from(struct changing *c, struct index_message *m, struct index_message *ret_aside)
{
	struct mailbox *mb = c->mb;
	int r;

	*ret_aside = *m;
	ret_aside->row = 0;
	ret_aside->uid = 0;
	ret_aside->is_given = true;
	r = apply_free_name(mb, m->folder, m->name, ".partial", ret_aside->name);
	if (r == 0)
		r = index_message_insert(mb->index, ret_aside, "");
	if (r == 0)
		r = local_file_link(mb->files, m->row, ret_aside->row);
	return r < 0 ? r : draft_end_edit(c, m);
}

/* A draft gives up its name; its flags are the new one's, where that has none of its own. */
int draft_hide(struct changing *c, const struct index_message *m, struct index_message *target)
{
	CLEANUP(buf) struct buf own = BUF_INIT, flags = BUF_INIT;
	struct index *ix = c->mb->index;
	int r = index_message_flags(ix, m->row, &own);

	if (r == 0)
		r = index_message_flags(ix, target->row, &flags);
	if (r == 0 && !own.len && flags.len)
		r = changing_flags(c, m, "", buf_str(&flags), "");
	if (r < 0)
		return r;
	apply_hide(target);
	return index_message_put(ix, target);
}

/* One that the server has, or gets, takes the place of a draft: that goes once nothing is left to be done for it. */
int draft_replace_by_stored(struct changing *c, const struct index_message *m, int64_t replaces)
{
	struct journal_entry e = { .kind = JOURNAL_REMOVE, .row = replaces };
	int r = journal_last_of(c->mb->index, m->row, &e.depends);

	return r < 0 ? r : changing_record(c, &e);
}

/* NAME~, here only, with the bytes that NAME had. */
static int keep_backup(struct changing *c, const struct index_folder *f, const struct index_message *old, int bytes)
{
	CLEANUP(fd) int fd = -1;
	struct index_message backup = *old;
	int r;

	backup.row = backup.uid = backup.server_folder = backup.server_uid = 0;
	backup.folder = f->row;
	backup.is_local = backup.is_given = true;
	r = upload_insert_local(c, f, &backup, &fd);
	if (r == 0)
		r = upload_note_writing(c->mb, backup.row, false);
	if (r == 0)
		r = local_bytes_copy(bytes, fd);
	if (r == 0)
		r = durable_sync_fd(fd); /* the server's copy goes next */
	if (r == 0)
		r = news_add(&c->news, CHANGE_MESSAGE_GONE, f->row, old->row, old->name);
	return r < 0 ? r : news_add(&c->news, CHANGE_MESSAGE_ADDED, f->row, backup.row, backup.name);
}

/*
 * Emacs, vim and sed call the draft NAME~ before they write the new one: it takes that one's place, who has NAME~ keeps it. One that is still on its way arrives all the same, since
 * it may be half there already, and goes as any other.
 */
int draft_replace_renamed(struct changing *c, const struct index_folder *f, const struct index_message *m, int64_t *ret_replaces)
{
	struct index_message old;
	char name[NAME_MAX + 2];
	CLEANUP(fd) int bytes = -1;
	int r;

	snprintf(name, sizeof name, "%s~", m->name);
	r = index_message_by_name(c->mb->index, f->row, name, &old);
	if (r == 0)
		r = changing_is_unsent(c->mb, &old);
	if (r == -ENOENT || r == -EBUSY || r == 1) /* there is none, or a file that is no message */
		return 0;
	if (r < 0 || !changing_is_drafts(c->mb, f->row))
		return r;
	bytes = upload_open_bytes(c->mb, &old);
	if (bytes < 0) /* not here: both stay */
		return 0;
	*ret_replaces = old.row;
	r = draft_hide(c, m, &old);
	return r < 0 ? r : keep_backup(c, f, &old, bytes);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local files, and how one becomes a message: written, judged at its last close, put into the journal.
 *
 * A stored draft that is opened for writing becomes a local file under its own row; what the server has of it stays known, and goes when the new text is there.
 */
#include "mailbox/changing_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "mailbox/local_bytes.h"
#include "mailbox/restore.h"
#include "message/scratch_name.h"

/* ------------------------------------------------------------ where they stand */

static int64_t size_as_message(struct mailbox *mb, const struct index_message *m)
{
	int64_t size_bytes = m->size_bytes;

	return m->is_local && local_bytes_measure(mb->files, m->row, &size_bytes) < 0 ? -1 : size_bytes;
}

int upload_open_bytes(struct mailbox *mb, const struct index_message *m)
{
	int fd;

	if (!m->is_local)
		return body_open(mb->bodies, m->row, m->size_bytes);
	return local_file_open(mb->files, m->row, O_RDONLY, &fd) < 0 ? -1 : fd;
}

int upload_same_bytes(struct mailbox *mb, const struct index_message *a, const struct index_message *b)
{
	CLEANUP(fd) int fd_a = -1, fd_b = upload_open_bytes(mb, b);
	bool can_be_fetched = b->uid || b->server_uid;

	if (fd_b < 0)
		return can_be_fetched && size_as_message(mb, a) == b->size_bytes ? -EINPROGRESS : 0;
	fd_a = upload_open_bytes(mb, a);
	return fd_a >= 0 && local_bytes_make_same(fd_a, fd_b);
}

bool upload_is_written(struct mailbox *mb, int64_t row)
{
	bool is;

	pthread_mutex_lock(&mb->lock);
	is = table_get(&mb->writing, row) != NULL;
	pthread_mutex_unlock(&mb->lock);
	return is;
}

int upload_note_writing(struct mailbox *mb, int64_t row, bool begins)
{
	int r = 0;

	if (begins)
		atomic_store(&mb->has_unsynced, true);
	pthread_mutex_lock(&mb->lock);
	if (begins)
		r = table_set(&mb->writing, row, &mb->writing);
	else
		table_remove(&mb->writing, row);
	pthread_mutex_unlock(&mb->lock);
	return r;
}

int upload_place(struct local_entry *e, const struct index_folder *folder, const char *name)
{
	free(e->wire);
	e->wire = strdup(folder->wire ? folder->wire : "");
	e->directory = folder->attributes & INDEX_FOLDER_LOCAL ? folder->row : 0;
	snprintf(e->name, sizeof e->name, "%s", name);
	return e->wire ? 0 : -ENOMEM;
}

int upload_put_entry(struct mailbox *mb, const struct index_message *m, const struct index_folder *f, const char *flags)
{
	CLEANUP(local_entry) struct local_entry e = { .row = m->row, .mode = m->mode, .mtime_ns = m->mtime_ns };
	int r = upload_place(&e, f, m->name);

	e.flags = strdup(flags);
	if (r == 0 && !e.flags)
		r = -ENOMEM;
	return r < 0 ? r : local_put(mb->index, &e);
}

/* Scratch may lie anywhere; what is to become a message, in a folder that takes one. */
static int check_folder(const struct index_folder *f, const char *name)
{
	if (scratch_name(name) || f->attributes & INDEX_FOLDER_LOCAL)
		return 0;
	return changing_check_rights(f, "i");
}

int upload_insert_local(struct changing *c, const struct index_folder *f, struct index_message *m, int *ret_fd)
{
	struct index *ix = c->mb->index;
	int r = index_message_insert(ix, m, "");

	if (r == 0)
		r = upload_put_entry(c->mb, m, f, "");
	if (r == 0)
		r = index_folder_touch(ix, f->row);
	if (r == 0)
		r = upload_note_writing(c->mb, m->row, true);
	return r < 0 ? r : local_file_make(c->mb->files, m->row, ret_fd);
}

int mailbox_create(struct mailbox *mb, int64_t folder, const char *name, mode_t mode, int64_t *ret_row, int *ret_fd)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message m = { .folder = folder,
				   .is_given = true,
				   .is_local = true,
				   .size_proven = true,
				   .internaldate_s = clock_realtime_s(),
				   .mode = mode & 0777 };
	struct mailbox_entry there;
	struct changing c;
	int r = changing_check_name(name), fd = -1;

	if (r == 0)
		r = changing_begin(&c, mb);
	if (r < 0)
		return r;
	m.arrived_s = m.internaldate_s;
	strcpy(m.name, name);
	r = index_folder_get(mb->index, folder, &f);
	if (r == 0)
		r = check_folder(&f, name);
	if (r == 0)
		r = mailbox_lookup(mb, folder, name, &there) == 0 ? -EEXIST : upload_insert_local(&c, &f, &m, &fd);
	r = changing_end(&c, r);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	*ret_row = m.row;
	*ret_fd = fd;
	return 0;
}

/* ------------------------------------------------------------ judging */

/* How large a message the server takes. What the account may hold in all is the server's to say: what we know of that may be old. */
static int check_limit(struct mailbox *mb, int64_t size_bytes)
{
	int64_t limit = atomic_load(&mb->append_limit);

	return limit && size_bytes > limit ? -EFBIG : 0;
}

/* Makes its bytes ready; those that are refused stay as they are. */
static int judge(struct mailbox *mb, struct index_message *m)
{
	int r = local_bytes_measure(mb->files, m->row, &m->size_bytes);

	if (r == 0)
		r = check_limit(mb, m->size_bytes);
	if (r == 0 && m->size_bytes != local_file_size(mb->files, m->row))
		r = local_bytes_make_message(mb->files, m->row);
	if (m->mtime_ns)
		m->internaldate_s = m->mtime_ns / 1000000000;
	return r;
}

static int record_upload(struct changing *c, const struct index_message *m, const struct index_folder *f, const char *flags,
			 int64_t replaces)
{
	struct journal_entry append = { .kind = JOURNAL_APPEND, .row = m->row, .folder = f->wire, .detail = (char *)flags };
	struct journal_entry remove = { .kind = JOURNAL_REMOVE };
	int r = changing_record(c, &append);

	if (r < 0 || !replaces)
		return r;
	remove.row = replaces;
	remove.depends = append.seq;
	r = changing_record(c, &remove);
	c->last_seq = append.seq; /* whose answer is that of close(2) */
	return r;
}

bool upload_is_message(struct mailbox *mb, int64_t row, const char *name)
{
	return !scratch_name(name) && local_file_size(mb->files, row) > 0;
}

int upload_submit(struct changing *c, struct index_message *m, int64_t replaces)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	CLEANUP(local_entry) struct local_entry e = { 0 };
	int r = index_folder_get(c->mb->index, m->folder, &f);

	if (r < 0)
		return r;
	if (f.attributes & INDEX_FOLDER_LOCAL || !upload_is_message(c->mb, m->row, m->name))
		return 0;
	r = changing_check_rights(&f, "i");
	if (r == 0 && m->uid)
		r = draft_leave_old(c, m, &replaces);
	else if (r == 0 && !replaces)
		r = draft_replace_renamed(c, &f, m, &replaces);
	if (r == 0)
		r = judge(c->mb, m);
	atomic_store(&c->mb->has_unsynced, true);
	if (r == 0)
		r = index_message_put(c->mb->index, m);
	if (r == 0)
		r = local_get(c->mb->index, m->row, &e);
	e.size_bytes = m->size_bytes;
	if (r == 0)
		r = local_put(c->mb->index, &e);
	return r < 0 ? r : record_upload(c, m, &f, e.flags, replaces);
}

/* ------------------------------------------------------------ what did not become a message */

/* Its folder went, and not the file: that is shown elsewhere, now or once it is known where. Otherwise it was removed. */
static int take_home(struct changing *c, struct index_message *m)
{
	int r = restore_is_homeless(c->mb, m);

	if (r == 1)
		r = restore_homeless(c->mb, m->row);
	else if (r == 0)
		r = changing_drop_local(c, m);
	return r < 0 ? r : index_message_get(c->mb->index, m->row, m);
}

int upload_set_aside(struct changing *c, int64_t row)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct mailbox *mb = c->mb;
	struct index_message m, aside;
	int r = index_message_get(mb->index, row, &m);

	if (r < 0 || !m.is_local)
		return r;
	if (!m.folder)
		r = take_home(c, &m);
	if (r < 0 || !m.folder)
		return r;
	r = index_folder_get(mb->index, m.folder, &f);
	if (r < 0 || ((scratch_name(m.name) || f.attributes & INDEX_FOLDER_LOCAL) && !m.uid))
		return r;
	if (m.uid && !local_file_size(mb->files, row))
		return draft_end_edit(c, &m);
	aside = m;
	if (m.uid)
		r = draft_part_from(c, &m, &aside);
	else
		r = apply_free_name(mb, m.folder, m.name, ".partial", aside.name);
	if (r == 0)
		r = upload_put_entry(mb, &aside, &f, "");
	if (r == 0)
		r = index_message_put(mb->index, &aside);
	if (r == 0)
		r = index_folder_touch(mb->index, f.row);
	if (r == 0 && aside.row == m.row)
		r = news_add(&c->news, CHANGE_MESSAGE_RENAMED, m.folder, m.row, m.name);
	if (r == 0)
		r = news_add(&c->news, CHANGE_MESSAGE_ADDED, aside.folder, aside.row, aside.name);
	if (r == 0)
		log_warning("%s: %s/%s was not uploaded: its bytes are in %s", mb->configuration->account, f.name, m.name,
			    aside.name);
	return r;
}

static int set_aside(struct mailbox *mb, int64_t row)
{
	struct changing c;
	int r = changing_begin(&c, mb);

	upload_note_writing(mb, row, false);
	return r < 0 ? r : changing_end(&c, upload_set_aside(&c, row));
}

/* Nobody wrote its bytes: nothing is kept, and a draft is as it was. */
static int forget_copy(struct changing *c, int64_t row)
{
	struct index_message m;
	int r = index_message_get(c->mb->index, row, &m);

	if (r < 0 || !m.is_local)
		return r;
	if (m.uid)
		return draft_end_edit(c, &m);
	r = changing_drop_local(c, &m);
	if (r < 0 || !m.folder)
		return r;
	r = index_folder_touch(c->mb->index, m.folder);
	return r < 0 ? r : news_add(&c->news, CHANGE_MESSAGE_GONE, m.folder, row, m.name);
}

void mailbox_abandon_copy(struct mailbox *mb, int64_t row)
{
	struct changing c;
	int r = changing_begin(&c, mb);

	upload_note_writing(mb, row, false);
	if (r == 0)
		r = changing_end(&c, forget_copy(&c, row));
	if (r < 0 && r != -ENOENT)
		log_warning("%s: an empty file stays of a copy that was not made", mb->configuration->account);
}

void mailbox_abandon(struct mailbox *mb, int64_t row)
{
	if (set_aside(mb, row) < 0)
		log_warning("%s: a file whose writer failed keeps its name", mb->configuration->account);
}

/* ------------------------------------------------------------ the last close */

/* A draft that was opened for writing and is as it was. */
static bool is_unchanged(struct mailbox *mb, const struct index_message *m)
{
	struct index_message stored = *m;

	stored.is_local = false;
	return m->uid && upload_same_bytes(mb, m, &stored) == 1;
}

static int commit(struct changing *c, int64_t row)
{
	struct mailbox *mb = c->mb;
	struct index_message m;
	int r = index_message_get(mb->index, row, &m);

	if (r < 0 || !m.is_local) /* taken back */
		return r;
	r = changing_is_on_its_way(mb, row);
	if (r != 0) /* already, under another name */
		return r < 0 ? r : 0;
	if (!m.folder) {
		r = restore_is_homeless(mb, &m);
		return r == 0 ? changing_drop_local(c, &m) : r < 0 ? r : -ESTALE;
	}
	if (is_unchanged(mb, &m))
		return draft_end_edit(c, &m);
	r = upload_submit(c, &m, 0);
	if (r == -EPERM) /* it stands where its folder was */
		return -ESTALE;
	return r < 0 || !c->last_seq ? r : news_add(&c->news, CHANGE_MESSAGE_ATTRIBUTES, m.folder, m.row, m.name);
}

int mailbox_commit(struct mailbox *mb, int64_t row, struct waiter *w)
{
	struct changing c;
	int r;

	r = changing_begin(&c, mb);
	upload_note_writing(mb, row, false); /* with our turn, so that whoever renames it meanwhile finds it written or submitted */
	if (r == 0)
		r = changing_end(&c, commit(&c, row));
	if (r == -ENOENT) /* removed meanwhile, or a copy that was refused */
		return replay_take_refused(mb->replay, row);
	if (r < 0) {
		set_aside(mb, row);
		return r == -ESTALE ? -ENOENT : r; /* its folder went */
	}
	if (c.last_seq)
		return replay_wait(mb->replay, row, c.last_seq, w);
	return changing_settle(mb, row, w);
}

bool mailbox_commit_is_safe(struct mailbox *mb, int64_t row)
{
	return !upload_is_written(mb, row);
}

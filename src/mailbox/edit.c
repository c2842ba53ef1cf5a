/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening again what was written: a local file, or a stored draft, which becomes a local file under its own row until the last close; and local files that become copies of
 * a stored message without a byte passing here.
 */
#include "mailbox/changing_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "mailbox/local_bytes.h"
#include "message/flags.h"
#include "message/scratch_name.h"

/* Waits until a message's bytes are in the cache. */
struct fetching {
	struct waiter waiter; /* first */
	struct mailbox *mb;
	struct body *body;
	struct waiter *asked; /* who waits for us */
};

static void fetched(struct waiter *w, int result)
{
	struct fetching *f = (struct fetching *)w;
	struct waiter *asked = f->asked;
	ssize_t n = result;

	if (result == 0)
		n = body_read(f->mb, f->body, 0, (size_t)body_size(f->body), w);
	if (n == -EINPROGRESS)
		return;
	mailbox_close(f->mb, f->body);
	free(f);
	asked->done(asked, n < 0 ? (int)n : 0);
}

int edit_fetch(struct mailbox *mb, int64_t row, struct waiter *w)
{
	struct fetching *f = calloc(1, sizeof *f);
	int r;

	if (!f)
		return -ENOMEM;
	*f = (struct fetching){ .waiter.done = fetched, .mb = mb, .asked = w };
	r = mailbox_open(mb, row, &f->waiter, &f->body);
	if (r == -EINPROGRESS)
		return r;
	if (r < 0) {
		free(f);
		return r;
	}
	fetched(&f->waiter, 0);
	return -EINPROGRESS;
}

/* A stored draft becomes a local file, too. */
static int take_draft(struct changing *c, struct index_message *m, int bytes, int *ret_fd)
{
	CLEANUP(buf) struct buf flags = BUF_INIT;
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct mailbox *mb = c->mb;
	int fd = -1, r = index_message_get(mb->index, m->row, m); /* as it is now that nobody else changes it */

	if (r == 0 && (m->is_local || !m->uid || !m->folder))
		r = -EBUSY;
	if (r == 0)
		r = index_folder_get(mb->index, m->folder, &f);

	if (r == 0)
		r = index_message_flags(mb->index, m->row, &flags);
	if (r == 0)
		r = upload_put_entry(mb, m, &f, buf_str(&flags));
	m->is_local = true;
	if (r == 0)
		r = index_message_put(mb->index, m);
	if (r == 0)
		r = local_file_make(mb->files, m->row, &fd);
	if (r == 0 && bytes >= 0)
		r = local_bytes_copy(bytes, fd);
	if (r == 0)
		r = upload_note_writing(mb, m->row, true);
	if (r < 0 && fd >= 0)
		close(fd);
	if (r == 0)
		*ret_fd = fd;
	return r;
}

static int edit_draft(struct mailbox *mb, struct index_message *m, bool truncate, struct waiter *w, int *ret_fd)
{
	CLEANUP(fd) int bytes = truncate ? -1 : body_open(mb->bodies, m->row, m->size_bytes);
	struct changing c;
	int r;

	if (!m->uid || !changing_is_drafts(mb, m->folder))
		return -EACCES;
	if (!truncate && bytes < 0)
		return edit_fetch(mb, m->row, w);
	r = changing_begin(&c, mb);
	return r < 0 ? r : changing_end(&c, take_draft(&c, m, bytes, ret_fd));
}

/* What is on its way to the server does not change any more: -EBUSY. */
static int reopen(struct mailbox *mb, const struct index_message *m, bool write, int *ret_fd)
{
	int r = index_begin(mb->index);

	if (r < 0)
		return r;
	r = write ? changing_is_on_its_way(mb, m->row) : 0;
	if (r == 1)
		r = -EBUSY;
	if (r == 0)
		r = local_file_open(mb->files, m->row, write ? O_RDWR : O_RDONLY, ret_fd);
	if (r == 0 && write)
		r = upload_note_writing(mb, m->row, true);
	index_rollback(mb->index);
	return r;
}

/* Once the server has it a draft can be edited, and nothing else: be it stored there, or moved or copied to there. */
static int await_draft(struct mailbox *mb, struct index_message *m, bool truncate, struct waiter *w, int *ret_fd)
{
	int r = changing_is_drafts(mb, m->folder) ? changing_settle(mb, m->row, w) : -EACCES;

	if (r == 0)
		r = index_message_get(mb->index, m->row, m);
	if (r < 0)
		return r;
	return m->is_local ? -EACCES : edit_draft(mb, m, truncate, w, ret_fd);
}

int mailbox_edit(struct mailbox *mb, int64_t row, bool write, bool truncate, struct waiter *w, int *ret_fd)
{
	struct index_message m;
	int r = index_message_get(mb->index, row, &m);

	if (r < 0)
		return r;
	if (write && mb->options.read_only)
		return -EROFS;
	if (!m.is_local && !write) /* its bytes are the server's by now */
		return -EACCES;
	if (!m.is_local && m.uid)
		return edit_draft(mb, &m, truncate, w, ret_fd);
	r = m.is_local ? reopen(mb, &m, write, ret_fd) : -EBUSY; /* moved or copied, and on its way there */
	return r == -EBUSY ? await_draft(mb, &m, truncate, w, ret_fd) : r;
}

/* What the user said of the new file before it was closed: instead of the source's flags, which the server gives it. */
static int set_flags_said(struct changing *c, const struct index_message *to, const char *said)
{
	CLEANUP(buf) struct buf now = BUF_INIT, add = BUF_INIT, remove = BUF_INIT;
	struct index_message m;
	int r = *said ? index_message_get(c->mb->index, to->row, &m) : 0;

	if (r < 0 || !*said)
		return r;
	r = index_message_flags(c->mb->index, to->row, &now);
	if (r == 0)
		r = flags_difference(buf_str(&now), said, &add, &remove);
	if (r == 0)
		r = changing_flags(c, &m, buf_str(&now), buf_str(&add), buf_str(&remove));
	return r < 0 ? r : 0;
}

static int copy(struct changing *c, struct index_message *from, struct index_message *to)
{
	CLEANUP(buf) struct buf said = BUF_INIT;
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct journal_entry e = { .kind = JOURNAL_COPY, .row = to->row, .source = from->row, .detail = to->name };
	struct mailbox *mb = c->mb;
	int r = index_folder_get(mb->index, to->folder, &f);

	if (r < 0 || from->is_local || !from->uid || !to->is_local || to->uid || local_file_size(mb->files, to->row) > 0)
		return r < 0 ? r : -EXDEV;
	if (scratch_name(to->name) || f.attributes & INDEX_FOLDER_LOCAL)
		return -EXDEV;
	r = changing_check_rights(&f, "i");
	if (r == 0)
		r = index_message_flags(mb->index, to->row, &said);
	if (r == 0)
		r = local_remove(mb->index, to->row);
	e.folder = f.wire;
	if (r == 0)
		r = changing_record(c, &e);
	if (r == 0)
		r = set_flags_said(c, to, buf_str(&said));
	c->unlinked = to->row;
	return r < 0 ? r : news_add(&c->news, CHANGE_MESSAGE_ATTRIBUTES, to->folder, to->row, to->name);
}

int mailbox_copy(struct mailbox *mb, int64_t from, int64_t to)
{
	struct index_message source, target;
	struct changing c;
	int r = changing_begin(&c, mb);

	if (r < 0)
		return r;
	r = index_message_get(mb->index, to, &target);
	if (r == -ENOENT) /* removed meanwhile */
		return changing_end(&c, 0);
	if (r == 0)
		r = index_message_get(mb->index, from, &source);
	return changing_end(&c, r < 0 ? r : copy(&c, &source, &target));
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/writing.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fs/attributes.h"
#include "fs/inode.h"
#include "fs/loop.h"
#include "fs/requester.h"

static struct writer *writer_of(const struct fuse_file_info *fi)
{
	return (struct writer *)(uintptr_t)fi->fh;
}

/* A commit that nobody waits for. */
static void unseen_commit_done(struct waiter *w, int result)
{
	if (result < 0)
		log_warning("outbox: a file that was closed unseen was refused: %s", strerror(-result));
	free(w);
}

static void commit_unseen(struct fs *fs, int64_t id)
{
	struct waiter *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return; /* the next mount takes it for the leftover of a crash */
	w->done = unseen_commit_done;
	r = outbox_commit(fs->outbox, id, w);
	if (r != -EINPROGRESS)
		unseen_commit_done(w, r);
}

/* At an unmount that left it open: neither committed nor abandoned, as after a crash. */
static void close_writer(struct fs *fs, struct handle *handle)
{
	struct writer *writer = (struct writer *)handle;

	if (writer->submission)
		submission_detach(&fs->submissions, writer);
	close(writer->fd);
	free(writer);
}

static void drop_writer(struct fs *fs, struct writer *writer, int64_t id)
{
	enum submission_ending ending = submission_detach(&fs->submissions, writer);

	handle_close(fs, &writer->handle);
	if (ending == SUBMISSION_ABANDON)
		outbox_abandon(fs->outbox, id);
	else if (ending == SUBMISSION_COMMIT)
		commit_unseen(fs, id);
}

/* Takes the descriptor. 0 or -ENOMEM. */
static int open_writer(struct fs *fs, fuse_req_t req, int64_t id, int fd, struct fuse_file_info *fi)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	int r = -ENOMEM;

	if (writer) {
		writer->fd = fd;
		writer->can_write = (fi->flags & O_ACCMODE) != O_RDONLY;
		if (writer->can_write)
			requester_identify(fuse_req_ctx(req)->pid, &writer->opener);
		r = submission_attach(&fs->submissions, writer, id);
	}
	if (r < 0) {
		close(fd);
		free(writer);
		return r;
	}
	handle_open(&fs->handles, &writer->handle, close_writer);
	fi->fh = (uintptr_t)writer;
	return 0;
}

void writing_create(struct fs *fs, fuse_req_t req, enum outbox_place place, const char *name, mode_t mode,
		    struct fuse_file_info *fi)
{
	struct fuse_entry_param entry;
	struct outbox_entry queued;
	int64_t id;
	int fd, r;

	r = outbox_create(fs->outbox, place, name, mode & 0777, &id, &fd);
	if (r == 0)
		r = open_writer(fs, req, id, fd, fi);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	r = outbox_get(fs->outbox, id, &queued);
	if (r < 0) {
		drop_writer(fs, writer_of(fi), id);
		fuse_reply_err(req, -r);
		return;
	}
	entry_of_queued(fs, &queued, &entry);
	if (fuse_reply_create(req, &entry, fi) != 0)
		drop_writer(fs, writer_of(fi), id);
}

void writing_open(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	bool write = (fi->flags & O_ACCMODE) != O_RDONLY;
	int fd = -1, r;

	r = outbox_open(fs->outbox, inode_row(ino), write, &fd);
	if (r == 0)
		r = open_writer(fs, req, inode_row(ino), fd, fi);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	if (write && (fi->flags & O_TRUNC) && ftruncate(fd, 0) < 0) {
		r = errno;
		drop_writer(fs, writer_of(fi), inode_row(ino));
		fuse_reply_err(req, r);
	} else if (fuse_reply_open(req, fi) != 0) {
		drop_writer(fs, writer_of(fi), inode_row(ino));
	}
}

void writing_read(struct fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	CLEANUP(free) char *data = malloc(size ? size : 1);
	ssize_t n = data ? pread(writer_of(fi)->fd, data, size, offset) : -1;

	(void)fs, (void)ino;
	if (n < 0)
		fuse_reply_err(req, data ? errno : ENOMEM);
	else
		fuse_reply_buf(req, data, (size_t)n);
}

void writing_write(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	struct writer *writer = writer_of(fi);
	ssize_t n;
	int r;

	(void)ino;
	if (!submission_takes_bytes(&fs->submissions, writer)) {
		log_warning("outbox: a process wrote into a file that was closed, and queued, before");
		fuse_reply_err(req, EACCES);
		return;
	}
	n = pwrite(writer->fd, data, size, offset);
	if (n < 0) {
		r = errno;
		submission_note_refused_write(&fs->submissions, writer, -r);
		fuse_reply_err(req, r);
		return;
	}
	fuse_reply_write(req, (size_t)n);
}

void writing_fsync(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fs, (void)ino;
	fuse_reply_err(req, fsync(writer_of(fi)->fd) < 0 ? errno : 0);
}

struct committing {
	struct wait wait; /* first */
	int64_t id;
};

/* What is queued is safe: whoever does not want to wait for the server any longer need not. */
static bool is_safely_queued(struct wait *w, int *ret_result)
{
	struct outbox_entry entry;

	if (outbox_get(w->fs->outbox, ((struct committing *)w)->id, &entry) < 0 || entry.state == OUTBOX_WRITING)
		return false;
	*ret_result = 0;
	return true;
}

static void committed(struct wait *w, int result)
{
	if (result == -ENOENT)
		result = 0; /* removed while it was written */
	if (w->req)
		fuse_reply_err(w->req, -result);
	free(w);
}

static void commit(struct fs *fs, fuse_req_t req, int64_t id)
{
	struct committing *committing = calloc(1, sizeof(*committing));
	int r;

	if (!committing) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	committing->id = id;
	committing->wait.may_leave = is_safely_queued;
	wait_start(&committing->wait, fs, req, committed);
	r = outbox_commit(fs->outbox, id, &committing->wait.waiter);
	if (r == -EINPROGRESS)
		return;
	wait_end(&committing->wait);
	committed(&committing->wait, r);
}

static bool others_write(struct fs *fs, const struct writer *writer, fuse_ino_t ino, pid_t closer)
{
	/* Where several opened it, any of them or their descendants may hold it: everybody is looked at. */
	struct requester opener = submission_is_alone(&fs->submissions, writer) ? writer->opener : (struct requester){ 0 };

	return holders_write(&fs->own_mount, ino, &opener, closer);
}

void writing_flush(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct writer *writer = writer_of(fi);
	pid_t closer = fuse_req_ctx(req)->pid;
	int failure = 0;

	if (!writer->can_write) {
		fuse_reply_err(req, 0);
		return;
	}
	loop_step_aside();
	submission_note_closer(&fs->submissions, writer, requester_is_failing(closer));
	if (others_write(fs, writer, ino, closer)) {
		fuse_reply_err(req, 0);
		return;
	}
	switch (submission_end(&fs->submissions, writer, &failure)) {
	case SUBMISSION_COMMIT:
		commit(fs, req, inode_row(ino));
		break;
	case SUBMISSION_ABANDON:
		outbox_abandon(fs->outbox, inode_row(ino));
		fuse_reply_err(req, -failure);
		break;
	case SUBMISSION_GOES_ON:
		fuse_reply_err(req, -failure);
		break;
	}
}

void writing_release(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	loop_step_aside();
	drop_writer(fs, writer_of(fi), inode_row(ino));
	fuse_reply_err(req, 0);
}

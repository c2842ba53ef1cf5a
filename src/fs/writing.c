/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/writing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "fs/inode.h"
#include "fs/loop.h"
#include "fs/requester.h"
#include "fs/writing_private.h"

const struct written_operations *written_operations(fuse_ino_t ino)
{
	enum inode_kind kind = inode_kind(ino);

	return kind == INODE_ENTRY || kind == INODE_PLACE ? &entry_written : &local_written;
}

struct unseen {
	struct waiter waiter; /* first */
	const char *what;
};

static void unseen_commit_done(struct waiter *w, int result)
{
	if (result < 0 && result != -ENOENT)
		log_warning("%s: a file that was closed unseen was refused: %s", ((struct unseen *)w)->what, strerror(-result));
	free(w);
}

void writing_commit_unseen(struct fs *fs, fuse_ino_t ino)
{
	struct unseen *unseen = calloc(1, sizeof(*unseen));
	int r;

	if (!unseen)
		return; /* the next mount takes it for the leftover of a crash */
	unseen->waiter.done = unseen_commit_done;
	unseen->what = written_operations(ino)->what;
	r = written_operations(ino)->commit(fs, ino, &unseen->waiter);
	if (r != -EINPROGRESS)
		unseen_commit_done(&unseen->waiter, r);
}

void writing_close(struct fs *fs, struct handle *handle)
{
	struct writer *writer = (struct writer *)handle;

	if (writer->submission)
		submission_detach(&fs->submissions, writer);
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer);
}

bool writing_has(const struct fuse_file_info *fi)
{
	return ((struct handle *)(uintptr_t)fi->fh)->close == writing_close;
}

void writing_drop(struct fs *fs, struct writer *writer, fuse_ino_t ino)
{
	enum submission_ending ending = submission_detach(&fs->submissions, writer);

	handle_close(fs, &writer->handle);
	if (ending == SUBMISSION_ABANDON)
		written_operations(ino)->abandon(fs, ino);
	else if (ending == SUBMISSION_COMMIT)
		writing_commit_unseen(fs, ino);
}

void writing_read(struct fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	CLEANUP(free) char *data = malloc(size ? size : 1);
	ssize_t n = data ? pread(writing_of(fi)->fd, data, size, offset) : -1;

	(void)fs, (void)ino;
	if (n < 0)
		fuse_reply_err(req, data ? errno : ENOMEM);
	else
		fuse_reply_buf(req, data, (size_t)n);
}

/* Behind the last byte, whatever the kernel thinks the size is. */
static off_t end_of(int fd, off_t otherwise)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_size : otherwise;
}

void writing_write(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	struct writer *writer = writing_of(fi);
	ssize_t n;
	int r;

	if (!submission_takes_bytes(&fs->submissions, writer)) {
		log_warning("%s: a process wrote into a file that was closed, and committed, before",
			    written_operations(ino)->what);
		fuse_reply_err(req, EACCES);
		return;
	}
	n = pwrite(writer->fd, data, size, fi->flags & O_APPEND ? end_of(writer->fd, offset) : offset);
	if (n < 0) {
		r = errno;
		submission_note_refused_write(&fs->submissions, writer, -r);
		fuse_reply_err(req, r);
		return;
	}
	fuse_reply_write(req, (size_t)n);
}

static void settled(struct wait *w, int result)
{
	fuse_reply_err(w->req, -result);
	free(w);
}

void writing_fsync(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct written_operations *operations = written_operations(ino);
	struct wait *settling;
	int r = fsync(writing_of(fi)->fd) < 0 ? -errno : 0;

	if (r < 0 || !operations->settle) {
		fuse_reply_err(req, -r);
		return;
	}
	settling = calloc(1, sizeof(*settling));
	if (!settling) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	wait_start(settling, fs, req, settled);
	r = operations->settle(fs, ino, &settling->waiter);
	if (r == -EINPROGRESS)
		return;
	wait_end(settling);
	settled(settling, r);
}

struct committing {
	struct wait wait; /* first */
	fuse_ino_t ino;
};

/* What is safe is safe: whoever does not want to wait for the server any longer need not. */
static bool is_safe(struct wait *w, int *ret_result)
{
	fuse_ino_t ino = ((struct committing *)w)->ino;

	if (!written_operations(ino)->may_leave(w->fs, ino))
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

static void commit(struct fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	struct committing *committing = calloc(1, sizeof(*committing));
	int r;

	if (!committing) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	committing->ino = ino;
	committing->wait.may_leave = is_safe;
	wait_start(&committing->wait, fs, req, committed);
	r = written_operations(ino)->commit(fs, ino, &committing->wait.waiter);
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
	struct writer *writer = writing_of(fi);
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
		commit(fs, req, ino);
		break;
	case SUBMISSION_ABANDON:
		written_operations(ino)->abandon(fs, ino);
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
	writing_drop(fs, writing_of(fi), ino);
	fuse_reply_err(req, 0);
}

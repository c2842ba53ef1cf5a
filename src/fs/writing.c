/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/writing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "fs/copying.h"
#include "fs/inode.h"
#include "fs/loop.h"
#include "fs/requester.h"
#include "fs/settling.h"
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

static void abandon_copy(struct fs *fs, fuse_ino_t ino, int r)
{
	log_warning("%s: a copy that was closed unseen was not made: %s", written_operations(ino)->what, strerror(-r));
	written_operations(ino)->abandon(fs, ino);
}

/* -EXDEV: it needs the bytes. Else it is settled. */
static int commit_copy_unseen(struct fs *fs, fuse_ino_t source, fuse_ino_t ino)
{
	int r = written_operations(ino)->copy(fs, source, ino);

	if (r == 0)
		writing_commit_unseen(fs, ino);
	else if (r != -EXDEV)
		abandon_copy(fs, ino, r);
	return r;
}

void writing_drop(struct fs *fs, struct writer *writer, fuse_ino_t ino)
{
	fuse_ino_t source = submission_source(&fs->submissions, writer);
	enum submission_ending ending = submission_detach(&fs->submissions, writer);

	handle_close(fs, &writer->handle);
	if (ending == SUBMISSION_ABANDON)
		written_operations(ino)->abandon(fs, ino);
	else if (ending == SUBMISSION_COMMIT && !source)
		writing_commit_unseen(fs, ino);
	else if (ending == SUBMISSION_COMMIT && commit_copy_unseen(fs, source, ino) == -EXDEV)
		abandon_copy(fs, ino, -EXDEV); /* no descriptor is left to put its bytes through */
}

static void end_filling(struct filling *filling)
{
	free(filling->data);
	free(filling);
}

static void read_filled(struct filling *filling, int r)
{
	if (r < 0)
		fuse_reply_err(filling->wait.req, -r);
	else
		writing_read(filling->wait.fs, filling->wait.req, filling->ino, filling->size, filling->offset, &filling->fi);
	end_filling(filling);
}

void writing_read(struct fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	CLEANUP(free) char *data = NULL;
	ssize_t n;

	if (copying_is(fs, fi)) {
		copying_fill(fs, req, ino, fi, &(struct filling){ .size = size, .offset = offset, .then = read_filled });
		return;
	}
	data = malloc(size ? size : 1);
	n = data ? pread(writing_of(fi)->fd, data, size, offset) : -1;
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

static void refuse_write(struct fs *fs, fuse_req_t req, struct writer *writer, int r)
{
	submission_note_refused_write(&fs->submissions, writer, r);
	fuse_reply_err(req, -r);
}

static void write_filled(struct filling *filling, int r)
{
	struct fs *fs = filling->wait.fs;

	if (r < 0)
		refuse_write(fs, filling->wait.req, writing_of(&filling->fi), r);
	else
		writing_write(fs, filling->wait.req, filling->ino, filling->data, filling->size, filling->offset, &filling->fi);
	end_filling(filling);
}

static void fill_and_write(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
			   struct fuse_file_info *fi)
{
	struct filling what = { .size = size, .offset = offset, .data = malloc(size ? size : 1), .then = write_filled };

	if (!what.data) {
		refuse_write(fs, req, writing_of(fi), -ENOMEM);
		return;
	}
	memcpy(what.data, data, size);
	copying_fill(fs, req, ino, fi, &what);
}

void writing_write(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	struct writer *writer = writing_of(fi);
	ssize_t n;

	if (!submission_takes_bytes(&fs->submissions, writer)) {
		log_warning("%s: a process wrote into a file that was closed, and committed, before",
			    written_operations(ino)->what);
		fuse_reply_err(req, EACCES);
		return;
	}
	if (copying_is(fs, fi)) {
		fill_and_write(fs, req, ino, data, size, offset, fi);
		return;
	}
	n = pwrite(writer->fd, data, size, fi->flags & O_APPEND ? end_of(writer->fd, offset) : offset);
	if (n < 0)
		refuse_write(fs, req, writer, -errno);
	else
		fuse_reply_write(req, (size_t)n);
}

static void sync_filled(struct filling *filling, int r)
{
	if (r < 0)
		fuse_reply_err(filling->wait.req, -r);
	else
		writing_fsync(filling->wait.fs, filling->wait.req, filling->ino, &filling->fi);
	end_filling(filling);
}

void writing_fsync(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct written_operations *operations = written_operations(ino);

	if (copying_is(fs, fi))
		copying_fill(fs, req, ino, fi, &(struct filling){ .then = sync_filled });
	else if (fsync(writing_of(fi)->fd) < 0)
		fuse_reply_err(req, errno);
	else if (operations->settle)
		settling_wait(fs, req, ino, operations->settle);
	else
		fuse_reply_err(req, 0);
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

	/* A descriptor that is moved to a lower number meanwhile, as shells do, escapes one look. */
	return holders_write(&fs->own_mount, ino, &opener, closer) || holders_write(&fs->own_mount, ino, &opener, closer);
}

static void abandon(struct fs *fs, fuse_req_t req, fuse_ino_t ino, int failure)
{
	written_operations(ino)->abandon(fs, ino);
	fuse_reply_err(req, -failure);
}

static void commit_filled(struct filling *filling, int r)
{
	if (r < 0)
		abandon(filling->wait.fs, filling->wait.req, filling->ino, r);
	else
		commit(filling->wait.fs, filling->wait.req, filling->ino);
	end_filling(filling);
}

/* The last close of a copy. */
static void commit_copy(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int r = written_operations(ino)->copy(fs, submission_source(&fs->submissions, writing_of(fi)), ino);

	if (r == -EXDEV) {
		copying_fill(fs, req, ino, fi, &(struct filling){ .then = commit_filled });
		return;
	}
	submission_end_source(&fs->submissions, writing_of(fi), true);
	if (r < 0 && r != -ENOENT)
		abandon(fs, req, ino, r);
	else
		commit(fs, req, ino);
}

void writing_flush(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct writer *writer = writing_of(fi);
	pid_t closer = fuse_req_ctx(req)->pid;
	unsigned number;
	int failure = 0;

	if (!writer->can_write) {
		fuse_reply_err(req, 0);
		return;
	}
	loop_step_aside();
	number = submission_note_closer(&fs->submissions, writer, requester_is_failing(closer));
	if (others_write(fs, writer, ino, closer)) {
		fuse_reply_err(req, 0);
		return;
	}
	switch (submission_end(&fs->submissions, writer, number, &failure)) {
	case SUBMISSION_COMMIT:
		if (copying_is(fs, fi))
			commit_copy(fs, req, ino, fi);
		else
			commit(fs, req, ino);
		break;
	case SUBMISSION_ABANDON:
		abandon(fs, req, ino, failure);
		break;
	case SUBMISSION_GOES_ON:
		fuse_reply_err(req, -failure);
		break;
	}
}

static void release(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	writing_drop(fs, writing_of(fi), ino);
	fuse_reply_err(req, 0);
}

static void release_filled(struct filling *filling, int r)
{
	struct fs *fs = filling->wait.fs;

	if (r == 0)
		writing_commit_unseen(fs, filling->ino);
	else
		abandon_copy(fs, filling->ino, r);
	release(fs, filling->wait.req, filling->ino, &filling->fi);
	end_filling(filling);
}

/* A copy whose last close only RELEASE sees. Nobody waits for that one, so there is time to get the bytes. */
static void release_copy(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_ino_t source = submission_source(&fs->submissions, writing_of(fi));
	int r = 0;

	switch (submission_end_alone(&fs->submissions, writing_of(fi))) {
	case SUBMISSION_COMMIT:
		r = commit_copy_unseen(fs, source, ino);
		break;
	case SUBMISSION_ABANDON:
		written_operations(ino)->abandon(fs, ino);
		break;
	case SUBMISSION_GOES_ON:
		break;
	}
	if (r == -EXDEV)
		copying_fill(fs, req, ino, fi, &(struct filling){ .then = release_filled });
	else
		release(fs, req, ino, fi);
}

void writing_release(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	loop_step_aside();
	if (copying_is(fs, fi))
		release_copy(fs, req, ino, fi);
	else
		release(fs, req, ino, fi);
}

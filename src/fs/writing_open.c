/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a written file is opened: created, or opened again.
 */
#include <errno.h>
#include <stdlib.h>

#include "fs/attributes.h"
#include "fs/loop.h"
#include "fs/requester.h"
#include "fs/writing_private.h"

/* Of an empty file the kernel knows all there is to know, until it writes: so fchmod(2) and fstat(2), which come next, need not ask. */
#define CREATED_KEEP_S 0.1

static int new_writer(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	int r;

	if (!writer)
		return -ENOMEM;
	writer->can_write = (fi->flags & O_ACCMODE) != O_RDONLY;
	if (writer->can_write)
		requester_identify(fuse_req_ctx(req)->pid, &writer->opener);
	r = submission_begin(&fs->submissions, writer, ino);
	if (r < 0) {
		free(writer);
		return r;
	}
	handle_open(&fs->handles, &writer->handle, writing_close);
	fi->fh = (uintptr_t)writer;
	fi->direct_io = written_operations(ino)->bytes_may_change;
	return 0;
}

/* A file that was just created, into `fi`; takes the descriptor. */
static int open_created(struct fs *fs, fuse_req_t req, fuse_ino_t ino, int fd, struct fuse_file_info *fi)
{
	int r = new_writer(fs, req, ino, fi);

	if (r < 0)
		close(fd);
	else
		submission_attach(&fs->submissions, writing_of(fi), fd);
	return r;
}

void writing_create(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	const struct written_operations *operations = written_operations(parent);
	struct fuse_entry_param entry;
	fuse_ino_t ino;
	int fd, r;

	r = operations->create(fs, parent, name, mode & 0777, &ino, &fd);
	if (r == 0)
		r = open_created(fs, req, ino, fd, fi);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	r = operations->entry(fs, ino, &entry);
	if (r < 0) {
		writing_drop(fs, writing_of(fi), ino);
		fuse_reply_err(req, -r);
		return;
	}
	entry.attr_timeout = CREATED_KEEP_S;
	if (fuse_reply_create(req, &entry, fi) != 0)
		writing_drop(fs, writing_of(fi), ino);
}

void writing_make(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	const struct written_operations *operations = written_operations(parent);
	struct fuse_entry_param entry;
	fuse_ino_t ino;
	int fd, r;

	r = operations->create(fs, parent, name, mode & 0777, &ino, &fd);
	if (r == 0) {
		close(fd);
		writing_commit_unseen(fs, ino);
		r = operations->entry(fs, ino, &entry);
	}
	entry_reply(req, r, &entry);
}

/* For a draft to arrive, for its bytes. What a server puts off is not waited for again and again. */
enum { WAITS_MAX = 3 };

struct opening {
	struct wait wait; /* first */
	struct fuse_file_info fi;
	fuse_ino_t ino;
	int n_waits;
};

/* Takes the descriptor, or `r` is -errno. */
static void opened(struct opening *opening, int r, int fd)
{
	const struct written_operations *operations = written_operations(opening->ino);
	struct writer *writer = writing_of(&opening->fi);
	struct fs *fs = opening->wait.fs;
	bool write = writer->can_write;

	if (r == 0) {
		submission_attach(&fs->submissions, writer, fd);
		if (write && (opening->fi.flags & O_TRUNC))
			r = submission_truncate(&fs->submissions, opening->ino, 0);
	}
	if (r < 0)
		writing_drop(fs, writer, opening->ino);
	opening->fi.direct_io &= r == 0;
	if (r < 0 && !write && operations->open_otherwise)
		operations->open_otherwise(fs, opening->wait.req, opening->ino, &opening->fi);
	else if (r < 0)
		fuse_reply_err(opening->wait.req, -r);
	else if (fuse_reply_open(opening->wait.req, &opening->fi) != 0)
		writing_drop(fs, writer, opening->ino);
	free(opening);
}

static void try_open(struct opening *opening);

static void try_again(struct wait *w, int result)
{
	struct opening *opening = (struct opening *)w;

	if (result < 0 || ++opening->n_waits == WAITS_MAX)
		opened(opening, result < 0 ? result : -EACCES, -1);
	else
		try_open(opening);
}

static void try_open(struct opening *opening)
{
	bool write = (opening->fi.flags & O_ACCMODE) != O_RDONLY;
	int fd = -1, r;

	wait_start(&opening->wait, opening->wait.fs, opening->wait.req, try_again);
	r = written_operations(opening->ino)
		    ->open(opening->wait.fs, opening->ino, write, write && (opening->fi.flags & O_TRUNC), &opening->wait.waiter,
			   &fd);
	if (r == -EINPROGRESS)
		return;
	wait_end(&opening->wait);
	opened(opening, r, fd);
}

void writing_open(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct opening *opening = calloc(1, sizeof(*opening));
	int r;

	if ((fi->flags & O_ACCMODE) != O_RDONLY)
		loop_step_aside();
	r = opening ? new_writer(fs, req, ino, fi) : -ENOMEM;
	if (r < 0) {
		free(opening);
		fuse_reply_err(req, -r);
		return;
	}
	*opening = (struct opening){ .wait = { .fs = fs, .req = req }, .fi = *fi, .ino = ino };
	try_open(opening);
}

static void nobody_waits(struct waiter *w, int result)
{
	(void)result;
	free(w);
}

static int open_to_truncate(struct fs *fs, fuse_ino_t ino, bool to_nothing, int *ret_fd)
{
	struct waiter *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->done = nobody_waits;
	r = written_operations(ino)->open(fs, ino, true, to_nothing, w, ret_fd);
	if (r == -EINPROGRESS)
		return -EBUSY;
	free(w);
	return r;
}

int writing_truncate(struct fs *fs, fuse_req_t req, fuse_ino_t ino, int64_t size_bytes)
{
	struct fuse_file_info fi = { .flags = O_WRONLY };
	int fd, r = new_writer(fs, req, ino, &fi);

	if (r < 0)
		return r;
	r = open_to_truncate(fs, ino, size_bytes == 0, &fd);
	if (r == 0) {
		submission_attach(&fs->submissions, writing_of(&fi), fd);
		r = submission_truncate(&fs->submissions, ino, size_bytes);
	}
	writing_drop(fs, writing_of(&fi), ino);
	return r;
}

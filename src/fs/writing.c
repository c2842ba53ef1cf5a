/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/writing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "fs/copying.h"
#include "fs/inode.h"
#include "fs/settling.h"
#include "fs/writing_private.h"

const struct written_operations *written_operations(fuse_ino_t ino)
{
	enum inode_kind kind = inode_kind(ino);

	return kind == INODE_ENTRY || kind == INODE_PLACE ? &entry_written : &local_written;
}

void writing_close(struct fs *fs, struct handle *handle)
{
	struct writer *writer = (struct writer *)handle;

	if (writer->submission)
		submission_forget(&fs->submissions, writer);
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer);
}

bool writing_has(const struct fuse_file_info *fi)
{
	return ((struct handle *)(uintptr_t)fi->fh)->close == writing_close;
}

static void read_filled(struct filling *filling, int r)
{
	if (r < 0)
		fuse_reply_err(filling->wait.req, -r);
	else
		writing_read(filling->wait.fs, filling->wait.req, filling->ino, filling->size, filling->offset, &filling->fi);
	copying_end(filling);
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
	copying_end(filling);
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

/* All of it, or an error: whoever does not look at how much was written would send, or store, half a message. */
static int write_whole(int fd, const char *data, size_t size, off_t offset)
{
	while (size > 0) {
		ssize_t n = pwrite(fd, data, size, offset);

		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		data += n;
		size -= (size_t)n;
		offset += n;
	}
	return 0;
}

void writing_write(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	struct writer *writer = writing_of(fi);
	int r;

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
	r = write_whole(writer->fd, data, size, fi->flags & O_APPEND ? end_of(writer->fd, offset) : offset);
	if (r < 0)
		refuse_write(fs, req, writer, r);
	else
		fuse_reply_write(req, size);
}

static void sync_filled(struct filling *filling, int r)
{
	if (r < 0)
		fuse_reply_err(filling->wait.req, -r);
	else
		writing_fsync(filling->wait.fs, filling->wait.req, filling->ino, &filling->fi);
	copying_end(filling);
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

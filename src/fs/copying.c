/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/copying.h"

#include <stdlib.h>
#include <string.h>

#include "fs/inode.h"
#include "fs/reading.h"
#include "fs/writing_private.h"
#include "message/scratch_name.h"

#define CHUNK (256 * 1024)

/* A scratch file's bytes are on this machine, so a copy of them has to be as well. */
static bool stays_here(struct fs *fs, fuse_ino_t ino)
{
	struct mailbox_message message;

	return mailbox_message(fs->mailbox, inode_row(ino), &message) < 0 || scratch_name(message.name);
}

void copying_range(struct fs *fs, fuse_req_t req, fuse_ino_t from, struct fuse_file_info *from_fi, fuse_ino_t to,
		   struct fuse_file_info *to_fi, size_t size)
{
	int64_t source_size = writing_has(from_fi) ? -1 : reading_size(from_fi);

	if (source_size <= 0 || (int64_t)size < source_size || !writing_has(to_fi) || stays_here(fs, to) ||
	    !submission_take_source(&fs->submissions, writing_of(to_fi), from, source_size))
		fuse_reply_err(req, EXDEV);
	else
		fuse_reply_write(req, (size_t)source_size);
}

bool copying_is(struct fs *fs, const struct fuse_file_info *fi)
{
	return submission_source(&fs->submissions, writing_of(fi)) != 0;
}

void copying_end(struct filling *filling)
{
	free(filling->data);
	free(filling);
}

static void finish(struct filling *filling, int r)
{
	struct fs *fs = filling->wait.fs;

	if (filling->body)
		mailbox_close(fs->mailbox, filling->body);
	submission_end_source(&fs->submissions, writing_of(&filling->fi), r == 0);
	filling->then(filling, r);
}

static int copy_bytes(struct filling *filling, size_t len)
{
	CLEANUP(free) char *bytes = malloc(len);
	int fd = writing_of(&filling->fi)->fd;
	ssize_t n;

	if (!bytes)
		return -ENOMEM;
	n = pread(body_fd(filling->body), bytes, len, filling->filled);
	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	if (pwrite(fd, bytes, (size_t)n, filling->filled) != n)
		return errno ? -errno : -ENOSPC;
	filling->filled += n;
	return 0;
}

static void fill_on(struct filling *filling);

static void bytes_came(struct wait *w, int result)
{
	struct filling *filling = (struct filling *)w;

	if (result < 0)
		finish(filling, result);
	else
		fill_on(filling);
}

static void fill_on(struct filling *filling)
{
	struct fs *fs = filling->wait.fs;
	ssize_t n;
	int r = 0;

	while (r == 0 && filling->filled < filling->source_size) {
		wait_start(&filling->wait, fs, filling->wait.req, bytes_came);
		n = body_read(fs->mailbox, filling->body, filling->filled, CHUNK, &filling->wait.waiter);
		if (n == -EINPROGRESS)
			return;
		wait_end(&filling->wait);
		if (n <= 0)
			r = n < 0 ? (int)n : -EIO;
		else
			r = copy_bytes(filling, (size_t)n);
	}
	finish(filling, r);
}

static void begin(struct filling *filling, fuse_ino_t source)
{
	struct fs *fs = filling->wait.fs;
	int r;

	wait_start(&filling->wait, fs, filling->wait.req, bytes_came);
	r = mailbox_open(fs->mailbox, inode_row(source), &filling->wait.waiter, &filling->body);
	if (r == -EINPROGRESS)
		return;
	wait_end(&filling->wait);
	bytes_came(&filling->wait, r);
}

void copying_fill(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi, const struct filling *what)
{
	struct filling *filling = malloc(sizeof(*filling));
	fuse_ino_t source;
	int r;

	if (!filling) {
		free(what->data);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	*filling = *what;
	filling->wait = (struct wait){ .fs = fs, .req = req };
	filling->ino = ino;
	filling->fi = *fi;
	r = submission_claim_source(&fs->submissions, writing_of(fi), &source, &filling->source_size);
	if (r == 0)
		begin(filling, source);
	else
		filling->then(filling, r == -ENODATA ? 0 : r);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy_file_range(2): a whole message into an empty file is a copy on the server.
 *
 * Which it becomes at the last close: until then nothing was sent, and the file shows the size of its source. Whoever writes into it first, reads it or
 * syncs it, or a server that cannot copy, needs the bytes after all: they are put there then.
 */
#ifndef MAILFS_COPYING_H
#define MAILFS_COPYING_H

#include "fs/session.h"

/* From offset 0 to offset 0. Replies the message's size, or -EXDEV: the kernel then copies the bytes by itself. */
void copying_range(struct fs *fs, fuse_req_t req, fuse_ino_t from, struct fuse_file_info *from_fi, fuse_ino_t to,
		   struct fuse_file_info *to_fi, size_t size);

/* A request that waits for the bytes. Begun by copying_fill(), ended by then(), which replies and calls copying_end(). */
struct filling {
	struct wait wait; /* first */
	fuse_ino_t ino;
	struct fuse_file_info fi; /* its fh: a writer */
	size_t size;
	off_t offset;
	char *data; /* own */
	void (*then)(struct filling *filling, int r);

	struct body *body; /* copying.c's, as the rest */
	int64_t filled, source_size;
};

/* Whether the file is a copy whose bytes are not here. */
bool copying_is(struct fs *fs, const struct fuse_file_info *fi);
/* Puts the bytes there and calls then(), perhaps at once: r is 0, or -errno. Replies -ENOMEM itself. */
void copying_fill(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi, const struct filling *what);

/* Frees it. */
void copying_end(struct filling *filling);

#endif

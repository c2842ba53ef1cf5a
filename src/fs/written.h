/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands behind a file that is written: an entry of the outbox (entry.c), or a message of the mailbox that is on this machine only
 * (local.c). One table each; writing.c, which says when they are called, knows no more of them.
 *
 * Called by the session's threads; nothing here waits for the network.
 */
#ifndef MAILFS_WRITTEN_H
#define MAILFS_WRITTEN_H

#include "fs/session.h"

struct written_operations {
	const char *what; /* for the log */
	/* Its bytes are no longer these once it is committed: the kernel keeps none of them. */
	bool bytes_may_change;

	/* A new, empty file; *ret_fd own, read-write. */
	int (*create)(struct fs *fs, fuse_ino_t parent, const char *name, mode_t mode, fuse_ino_t *ret_ino, int *ret_fd);
	/* *ret_fd own. -EINPROGRESS: `w` is answered when it is worth calling again. */
	int (*open)(struct fs *fs, fuse_ino_t ino, bool write, bool truncate, struct waiter *w, int *ret_fd);
	/* open() refused a reader: replies, once. NULL: with its errno. */
	void (*open_otherwise)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
	int (*entry)(struct fs *fs, fuse_ino_t ino, struct fuse_entry_param *ret);
	/* The last writer closed. -EINPROGRESS: `w` is answered with the verdict. -ENOENT: it was removed meanwhile. */
	int (*commit)(struct fs *fs, fuse_ino_t ino, struct waiter *w);
	/* Whether what is being committed is safe, so that nobody need wait for the verdict. */
	bool (*may_leave)(struct fs *fs, fuse_ino_t ino);
	/* Before commit(), instead of bytes: it becomes a copy of a stored message. -EXDEV: put the bytes there. NULL: never asked for. */
	int (*copy)(struct fs *fs, fuse_ino_t source, fuse_ino_t ino);
	/* Neither copy() nor its bytes: nothing stays of it. NULL where copy() is. */
	void (*abandon_copy)(struct fs *fs, fuse_ino_t ino);
	/* Its writer was killed or failed, or a write was refused. */
	void (*abandon)(struct fs *fs, fuse_ino_t ino);
	/* fsync(2), its bytes on the disk already: `w` is answered once the server knows. NULL: nothing more to do. */
	int (*settle)(struct fs *fs, fuse_ino_t ino, struct waiter *w);
};

extern const struct written_operations entry_written, local_written;

/* Of a file, or of what is created in a directory. */
const struct written_operations *written_operations(fuse_ino_t ino);

#endif

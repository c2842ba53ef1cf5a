/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each kind of inode answers: one table a kind, in the file named for it; dispatch.c looks it up by the inode number.
 *
 * Called by the session's threads. Each call replies exactly once, now or later from a wait; none waits for the network.
 * NULL: dispatch.c replies the errno that stands for it there.
 */
#ifndef MAILFS_KINDS_H
#define MAILFS_KINDS_H

#include "fs/session.h"

struct kind_operations {
	void (*getattr)(struct fs *fs, fuse_req_t req, fuse_ino_t ino);
	void (*setattr)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const struct stat *to, int valid);
	void (*readlink)(struct fs *fs, fuse_req_t req, fuse_ino_t ino);
	void (*getxattr)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
	/* Adds the names that are listed, each with its NUL. 0 or -errno. */
	int (*listxattr)(struct fs *fs, fuse_ino_t ino, struct buf *names);
	void (*setxattr)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size);
	void (*removexattr)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name);

	/* Of directories. */
	void (*lookup)(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name);
	void (*opendir)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
	/* Adds what comes behind the position `after` until the listing is full. 0 or -errno. */
	int (*list)(struct fs *fs, fuse_ino_t ino, uint64_t after, struct listing *listing);
	void (*create)(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
	void (*make)(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode); /* mknod of a regular file */
	void (*mkdir)(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name);
	void (*rmdir)(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name);
	void (*fsyncdir)(struct fs *fs, fuse_req_t req, fuse_ino_t ino);
	void (*unlink)(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name);
	/* Of the directory that gets the name. */
	void (*link)(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t ino);
	void (*rename)(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name,
		       unsigned flags);

	/* Of files. */
	void (*open)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
	void (*read)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
	void (*write)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		      struct fuse_file_info *fi);
	void (*flush)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
	void (*fsync)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
	void (*release)(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
};

extern const struct kind_operations folder_operations, message_operations, entry_operations, place_operations, control_operations,
	view_flags_operations, view_maildir_operations;

#endif

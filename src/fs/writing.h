/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing: files are written by whoever, and handed to what stands behind them (written.h) at the last close.
 *
 * That is the FLUSH at which no process has the file open for writing any more (holders.h): it waits for the verdict, which
 * close(2) returns. RELEASE, whose errno nobody sees, commits only what no such FLUSH did. A writer that was killed, that ends with a status other than 0,
 * or that a write was refused commits nothing. From its commit on a file takes no more bytes through the descriptors that were open; those that
 * read it go on reading what was written.
 */
#ifndef MAILFS_WRITING_H
#define MAILFS_WRITING_H

#include "fs/session.h"

void writing_create(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
/* A regular file of mknod(2): created, and closed at once. */
void writing_make(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void writing_open(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* Whether writing_create() or writing_open() opened it. */
bool writing_has(const struct fuse_file_info *fi);
void writing_read(struct fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void writing_write(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		   struct fuse_file_info *fi);
void writing_flush(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void writing_fsync(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void writing_release(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* truncate(2) of a file that nobody writes: opened, cut, and closed again. -EBUSY while it is committed. */
int writing_truncate(struct fs *fs, fuse_req_t req, fuse_ino_t ino, int64_t size_bytes);

#endif

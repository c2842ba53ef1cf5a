/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading messages: open, read, close. Bytes that are there are answered in the session's thread; else the request waits until they are.
 */
#ifndef MAILFS_READING_H
#define MAILFS_READING_H

#include "fs/session.h"

/* For this long after a network error a message's reads fail at once: the kernel repeats a failed read page by page. */
#define READING_FAILED_MS 5000

/* For reading alone. */
void reading_open(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* Of an open message. */
int64_t reading_size(const struct fuse_file_info *fi);
void reading_read(struct fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
/*
 * The message, a draft, is about to have other bytes. Those who have it open get ESTALE from now on: the old bytes, read late, would stay in the kernel
 * as the new ones.
 */
void reading_end_of(struct fs *fs, fuse_ino_t ino);
void reading_flush(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void reading_release(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif

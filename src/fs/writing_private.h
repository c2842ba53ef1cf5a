/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of writing.h share: the end of an open file.
 */
#ifndef MAILFS_WRITING_PRIVATE_H
#define MAILFS_WRITING_PRIVATE_H

#include "fs/writing.h"
#include "fs/written.h"

static inline struct writer *writing_of(const struct fuse_file_info *fi)
{
	return (struct writer *)(uintptr_t)fi->fh;
}

/* Its handle's: at an unmount that left it open, neither committed nor abandoned, as after a crash. */
void writing_close(struct fs *fs, struct handle *handle);
/* RELEASE, or an open that failed. */
void writing_drop(struct fs *fs, struct writer *writer, fuse_ino_t ino);
/* A commit that nobody waits for. */
void writing_commit_unseen(struct fs *fs, fuse_ino_t ino);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two halves of `.maildir` share: view_maildir.c, what is there, and view_maildir_change.c, what is done to it. Nobody else includes it.
 */
#ifndef MAILFS_VIEW_MAILDIR_PRIVATE_H
#define MAILFS_VIEW_MAILDIR_PRIVATE_H

#include "base/buf.h"
#include "fs/inode.h"
#include "fs/session.h"

/* The part of an inode number: a folder's Maildir, and what is in each. */
enum { PART_MAILDIR, PART_CUR, PART_NEW, PART_TMP };

/* The message that a name in cur or new stands for, whatever flags it tells. -ENOENT. */
int view_maildir_find(struct fs *fs, int64_t folder, const char *name, struct mailbox_message *ret);
/* What a file in tmp is called in the folder: a scratch name. -ENAMETOOLONG. */
int view_maildir_tmp_name(const char *name, struct buf *out);

void view_maildir_create(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
			 struct fuse_file_info *fi);
void view_maildir_make(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void view_maildir_unlink(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name);
void view_maildir_rename(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name,
			 unsigned flags);

#endif

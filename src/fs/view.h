/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the views of a folder share. A directory of a view has the folder's row in its inode number, the folder's times and permissions; a message
 * in it has the inode that it has in the folder. Names in a view change with flags, whoever sets them: the kernel keeps none of them, so nobody need tell it.
 */
#ifndef MAILFS_VIEW_H
#define MAILFS_VIEW_H

#include "fs/session.h"

/* What is no message yet, and may never be one, has no place in a view. */
bool view_shows(const struct mailbox_message *message);
void view_entry(struct fs *fs, const struct mailbox_message *message, struct fuse_entry_param *ret);

/* Replies a name of a view: a message, or -errno in `r`. */
void view_reply_message(struct fs *fs, fuse_req_t req, int r, const struct mailbox_message *message);
/* The same with a directory of a view, which the kernel may keep so long. */
void view_reply_directory(struct fs *fs, fuse_req_t req, fuse_ino_t ino, double keep_s);
/* Replies an unlink, or what else the kernel takes for one name less: it must learn that the message has as many as before, once it heard the reply. */
void view_reply_unlink(struct fs *fs, fuse_req_t req, int r, int64_t row);

/* Operations of kinds whose inodes are such directories. */
void view_getattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino);
void view_opendir(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif

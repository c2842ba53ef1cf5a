/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the views of a folder share. A directory of a view has the folder's row in its inode number, the folder's times and permissions; a message
 * in it has the inode that it has in the folder. Names in a view change with flags, whoever sets them: the kernel keeps none of them, so nobody need tell it.
 */
#ifndef MAILFS_VIEW_H
#define MAILFS_VIEW_H

#include "fs/session.h"

/* How long the kernel may keep a folder's directory in a view that mirrors the tree: the folder may be renamed or go. */
#define VIEW_KEEP_FOLDER_S 1.0

/* What is no message yet, and may never be one, has no place in a view. */
bool view_shows(const struct mailbox_message *message);
void view_entry(struct fs *fs, const struct mailbox_message *message, struct fuse_entry_param *ret);

/* A directory of a view, which the kernel may keep so long. -ENOENT: its folder went. */
int view_find_directory(struct fs *fs, fuse_ino_t ino, double keep_s, struct fuse_entry_param *ret);
/* A message or a local file by its name in the folder. -ENOENT. */
int view_find_file(struct fs *fs, int64_t folder, const char *name, struct mailbox_message *ret);

/*
 * In a view that mirrors the tree each folder has the same directories, told apart by the row. By its name in the tree, the one of a folder below
 * that of `directory`; -ENOENT. Directories that are on this machine only are not shown.
 */
int view_find_folder(struct fs *fs, fuse_ino_t directory, const char *name, struct fuse_entry_param *ret);

/* For mailbox_list(): 1 when the listing is full. A folder is added under `name`. */
int view_list_folder(struct fs *fs, struct listing *listing, fuse_ino_t directory, const struct mailbox_entry *child,
		     const char *name);
int view_list_message(struct fs *fs, struct listing *listing, const struct mailbox_entry *child, const char *name);

/* Replies an unlink, or what else the kernel takes for one name less: it must learn that the message has as many as before, once it heard the reply. */
void view_reply_unlink(struct fs *fs, fuse_req_t req, int r, int64_t row);

#endif

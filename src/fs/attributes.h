/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stat(2) and statfs(2) show of folders, messages, queue entries and control files. Fills the caller's memory; never waits.
 */
#ifndef MAILFS_ATTRIBUTES_H
#define MAILFS_ATTRIBUTES_H

#include "fs/session.h"

void attributes_of_folder(const struct fs *fs, const struct mailbox_folder *folder, struct stat *ret);
/* nlink 0 when it is gone. */
void attributes_of_message(const struct fs *fs, const struct mailbox_message *message, struct stat *ret);
void attributes_of_entry(const struct fs *fs, const struct outbox_entry *entry, struct stat *ret);
/* `mode` with its file type; permissions are cut by umask. */
void attributes_of_control(const struct fs *fs, fuse_ino_t ino, mode_t mode, nlink_t nlink, struct stat *ret);

/* A directory of a view of the folder. */
void attributes_of_view(const struct fs *fs, fuse_ino_t ino, const struct mailbox_folder *folder, struct stat *ret);

/* The same, with how long the kernel may keep name and attributes; a message that somebody writes as large as it is now. */
void entry_of_folder(const struct fs *fs, const struct mailbox_folder *folder, struct fuse_entry_param *ret);
void entry_of_message(struct fs *fs, const struct mailbox_message *message, struct fuse_entry_param *ret);
void entry_of_view(const struct fs *fs, fuse_ino_t ino, const struct mailbox_folder *folder, double keep_s,
		   struct fuse_entry_param *ret);
/* All that a listing of names tells. */
void entry_of_name(int64_t message, struct fuse_entry_param *ret);
void entry_of_child(struct fs *fs, const struct mailbox_entry *child, struct fuse_entry_param *ret);
void entry_of_queued(const struct fs *fs, const struct outbox_entry *entry, struct fuse_entry_param *ret);
void entry_of_control(const struct fs *fs, fuse_ino_t ino, mode_t mode, nlink_t nlink, struct fuse_entry_param *ret);

/* Replies a folder's attributes, or those of a directory of a view of it. */
void attributes_reply_folder(struct fs *fs, fuse_req_t req, fuse_ino_t ino);
/* Replies the entry, or -errno in `r`. */
void entry_reply(fuse_req_t req, int r, const struct fuse_entry_param *entry);

/* Of SETATTR: 0 where the owner stays what it is, -EPERM; and the mtime that is to be. */
int attributes_check_owner(const struct fs *fs, const struct stat *to, int valid);
struct timespec attributes_new_mtime(const struct stat *to, int valid);

void attributes_statfs(fuse_req_t req, fuse_ino_t ino);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes in folders: names that come, go and move. The kernel holds the directory's lock meanwhile, so none of them waits.
 */
#ifndef MAILFS_FOLDER_CHANGE_H
#define MAILFS_FOLDER_CHANGE_H

#include "fs/session.h"

void folder_change_attributes(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const struct stat *to, int valid);
void folder_change_xattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size);
void folder_change_create(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
			  struct fuse_file_info *fi);
void folder_change_make(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void folder_change_mkdir(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name);
void folder_change_rmdir(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name);
void folder_change_unlink(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name);
void folder_change_rename(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name,
			  unsigned flags);
/* fsync(2) of the directory may wait. */
void folder_change_sync(struct fs *fs, fuse_req_t req, fuse_ino_t ino);

#endif

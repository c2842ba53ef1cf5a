/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `.flags` in a folder, not listed there: a directory a flag, with the folder's messages that have it, under the names and inodes that they have in the folder. In the
 * root each of these mirrors the tree: in it stand all folders, in each its messages that have the flag. Linking a message into the directory of its folder sets the flag, removing
 * it there clears it. Called by the session's threads; nothing here waits for the network.
 */
#ifndef MAILFS_VIEW_FLAGS_H
#define MAILFS_VIEW_FLAGS_H

#include "fs/session.h"

#define VIEW_FLAGS_NAME ".flags"

/* Whether `name` is the view's in this folder. */
bool view_flags_lookup(struct fs *fs, fuse_ino_t folder, const char *name, struct fuse_entry_param *ret);

#endif

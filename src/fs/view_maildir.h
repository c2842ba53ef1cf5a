/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `.maildir` in the root, not listed there: the tree of folders once more, each a Maildir with cur, new and tmp. cur shows the messages, under names that end in their flags; new is
 * for delivery and always empty; tmp is for writing, and shows the scratch files of the folder that were begun there. Renaming sets flags, delivers and moves. Called by the
 * session's threads; nothing here waits for the network.
 */
#ifndef MAILFS_VIEW_MAILDIR_H
#define MAILFS_VIEW_MAILDIR_H

#include "fs/session.h"

#define VIEW_MAILDIR_NAME ".maildir"

/* Whether `name` is the view's in this folder. */
bool view_maildir_lookup(struct fs *fs, fuse_ino_t folder, const char *name, struct fuse_entry_param *ret);

#endif

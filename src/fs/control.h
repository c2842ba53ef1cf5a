/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * .mailfs: the status as a file, and links to the special-use folders. In the root by name, not listed there.
 */
#ifndef MAILFS_CONTROL_H
#define MAILFS_CONTROL_H

#include "fs/session.h"

#define CONTROL_NAME ".mailfs"

/* The rows of its inodes. */
enum control {
	CONTROL_ROOT = 1,
	CONTROL_STATUS,
	CONTROL_SPECIAL,
	CONTROL_LINK = 16, /* and the following: the special-use folders' links, in the mailbox's order */
};

void control_entry(const struct fs *fs, enum control control, struct fuse_entry_param *ret);

#endif

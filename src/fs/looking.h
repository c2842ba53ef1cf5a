/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request that first has its folder looked at: opendir, and the lookup of a name that the index has not. A false ENOENT would be worse than to wait (cp would
 * think the name free), though the kernel holds the directory's lock. A rename has two directories locked, one of which others may want to list: it is told to come
 * again, and waits where a directory on its paths is asked for, which takes no lock (again.h). Where they have none, it waits with its locks.
 */
#ifndef MAILFS_LOOKING_H
#define MAILFS_LOOKING_H

#include "fs/session.h"

/* What a name stands for in a directory, as far as is known: 0, -ENOENT or another -errno. Never waits. */
typedef int looking_find(struct fs *fs, fuse_ino_t parent, const char *name, struct fuse_entry_param *ret);

struct looking {
	struct wait wait; /* first */
	fuse_ino_t ino;	  /* of the folder, or of a directory of a view of it */
	void (*looked)(struct fs *fs, fuse_req_t req, struct looking *looking, int result);
	looking_find *find;	  /* lookup */
	fuse_ino_t parent;	  /* lookup in another directory than `ino` */
	struct fuse_file_info fi; /* opendir */
	size_t size;		  /* getxattr */
	char name[];		  /* lookup, getxattr */
};

/* The row of `ino` is the folder's. `looked` replies, once, now or later; `what` and `name` are copied. */
void looking_start(struct fs *fs, fuse_req_t req, const struct looking *what, const char *name);

/* LOOKUP: a name that is known is answered at once, any other when the folder was looked at. */
void looking_lookup(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, looking_find *find);
/* OPENDIR, once the folder was looked at. */
void looking_opendir(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where mailboxes are mounted, as the kernel tells in /proc/self/mountinfo.
 */
#ifndef MAILFS_CTL_MOUNTS_H
#define MAILFS_CTL_MOUNTS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct mounts {
	char **points; /* own; absolute paths */
	uid_t *owners; /* own; whose mount each is, by the kernel's word: (uid_t)-1 where it has none */
	size_t n;
};

/* What the kernel says now. 0 or -errno. */
int mounts_read(struct mounts *ret);

/* The mountpoints of type fuse.mailfs in the text of a mountinfo file (proc(5)). 0 or -ENOMEM. */
int mounts_parse(const char *mountinfo, struct mounts *ret);

void mounts_release(struct mounts *m);

/* The mountpoint that holds the absolute path, NULL when none does. Borrowed from `m`. */
const char *mounts_holding(const struct mounts *m, const char *path);

/* As mounts_holding() for any path, through links, as the kernel says now; appends the mountpoint. -ENODEV when the path lies in no mount of ours, else -errno. */
int mounts_find(const char *path, struct buf *ret_point);

static inline void mounts_cleanup(struct mounts *m)
{
	mounts_release(m);
}

#endif

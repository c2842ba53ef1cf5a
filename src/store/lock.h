/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One daemon a directory: an flock(2) on DIRECTORY/lock, which also names the mountpoint. The kernel drops it with the process.
 */
#ifndef MAILFS_LOCK_H
#define MAILFS_LOCK_H

#include "base/buf.h"

struct lock;

/* -EBUSY when somebody holds it, the mountpoint written there then being appended to `holder`. Survives fork(), and lasts until parent and child have
 * both freed it or ended. */
int lock_take(const char *directory, const char *mountpoint, struct lock **ret, struct buf *holder);
void lock_free(struct lock *l);

#endif

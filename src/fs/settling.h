/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsync(2): waits until the server said its word.
 */
#ifndef MAILFS_SETTLING_H
#define MAILFS_SETTLING_H

#include "fs/session.h"

/* Replies 0, or -errno, once `settle` answered its waiter, or at once where it does not return -EINPROGRESS. */
void settling_wait(struct fs *fs, fuse_req_t req, fuse_ino_t ino, int (*settle)(struct fs *fs, fuse_ino_t ino, struct waiter *w));

#endif

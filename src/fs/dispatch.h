/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's operations, each handed to the kind of inode that it is for. Also the one place that refuses changes of a read-only mount.
 */
#ifndef MAILFS_DISPATCH_H
#define MAILFS_DISPATCH_H

#include <stdint.h>

struct fuse_lowlevel_ops;
struct kind_operations;

extern const struct fuse_lowlevel_ops dispatch_table;

/* Never NULL: a kind that does not exist has an empty table. */
const struct kind_operations *dispatch_operations(uint64_t ino);

#endif

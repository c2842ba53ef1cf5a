/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MOUNT/outbox and MOUNT/outbox/failed as directories: names looked up, listed, created, removed, renamed.
 */
#ifndef MAILFS_PLACE_H
#define MAILFS_PLACE_H

#include "fs/session.h"

#define PLACE_NAME "outbox"
#define PLACE_FAILED_NAME "failed"

fuse_ino_t place_ino(enum outbox_place place);
enum outbox_place place_of(fuse_ino_t ino);
void place_entry(const struct fs *fs, enum outbox_place place, struct fuse_entry_param *ret);

#endif

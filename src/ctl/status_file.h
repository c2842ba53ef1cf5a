/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mount's .mailfs/status, read.
 */
#ifndef MAILFS_CTL_STATUS_FILE_H
#define MAILFS_CTL_STATUS_FILE_H

#include "base/buf.h"

/* Appends the JSON. 0 or -errno: -ENOTCONN when the daemon is dead, -ENOENT when the mount has no status. */
int status_file_read(const char *mountpoint, struct buf *out);

#endif

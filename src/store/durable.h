/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that are on disk when the call returns: written aside, fsynced, renamed, their directory fsynced. Any thread.
 *
 * A crash may leave `.mailfs-*.tmp` beside them, of no use to anybody: whoever lists such a directory passes over it, or removes it.
 */
#ifndef MAILFS_DURABLE_H
#define MAILFS_DURABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/* The file `name` in `dirfd` holds exactly these bytes, or what it held before. Mode 0600. */
int durable_write(int dirfd, const char *name, const void *data, size_t len);
/* Appends the file's content. -ENOENT, -EFBIG over `max` bytes; `out` is then as before. */
int durable_read(int dirfd, const char *name, size_t max, struct buf *out);
/* rename(2) within or between directories, both fsynced. */
int durable_rename(int from_dirfd, const char *from, int to_dirfd, const char *to);
/* Whether a file of this name was left by a crash, provided that nobody writes in this directory now. */
bool durable_is_leftover(const char *name);
int durable_unlink(int dirfd, const char *name, int flags);
int durable_sync_fd(int fd);

/* Makes `path` and what is missing above it, 0700, on disk. What is there keeps its mode. -ENOTDIR, -EACCES … */
int directory_make(const char *path);

#endif

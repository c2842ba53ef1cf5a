/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One entry on this disk: the directory STATE/outbox/ID with `message`, `entry` (its record) and the marks `dot.N`.
 *
 * Any thread; the caller sees to it that one at a time changes an entry. What each leaves behind when the process dies in it is told in entry.c.
 */
#ifndef MAILFS_OUTBOX_ENTRY_H
#define MAILFS_OUTBOX_ENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "outbox/record.h"

/* `outbox_dirfd` is STATE/outbox in all of these. */

/* A new directory with an empty message; *ret_fd for reading and writing. Not durable before entry_publish(). */
int entry_make(int outbox_dirfd, int64_t id, const struct record *r, int *ret_fd);
int entry_open_message(int outbox_dirfd, int64_t id, int flags, int *ret_fd);
int entry_stat_message(int outbox_dirfd, int64_t id, struct stat *ret);
int entry_set_times(int outbox_dirfd, int64_t id, const struct timespec *mtime);

/* The record: on disk as a whole, or as it was. */
int entry_save(int outbox_dirfd, int64_t id, const struct record *r);
/* -ENOENT, -EUCLEAN. */
int entry_load(int outbox_dirfd, int64_t id, struct record *ret);

/* Message and record and the directory itself are on disk when it returns: nothing of it can be lost any more. */
int entry_publish(int outbox_dirfd, int64_t id, const struct record *r);

/* The mark of attempt N: on disk before the final dot may be sent. */
int entry_mark_dot(int outbox_dirfd, int64_t id, int attempt);
bool entry_has_dot(int outbox_dirfd, int64_t id, int attempt);
/* Tidies up after its verdict is saved. */
void entry_clear_dot(int outbox_dirfd, int64_t id, int attempt);

/* Gone as a whole. -errno only where it is still there. */
int entry_remove(int outbox_dirfd, int64_t id);

/* At start: removes what entry_remove() left of `name`, a directory in STATE/outbox. */
void entry_sweep(int outbox_dirfd, const char *name);
/* The ID that a directory's name stands for; 0 when it is none of ours. `is_gone`: on its way out. */
int64_t entry_id_of(const char *name, bool *ret_is_gone);

/* A file of that directory without a name, for what can be made again. */
int entry_temporary(int outbox_dirfd, int64_t id, int *ret_fd);

#endif

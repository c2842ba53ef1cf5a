/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The body cache: whole messages as files below CACHE/bodies-IDENTITY/. The directory is the truth: a file of the right size under
 * its final name is a whole body, whatever happened before; temporary files of a crash are swept at open.
 *
 * Any thread. Least recently opened ones go when the total is over the limit (atime is set at open) or when they are older than the age limit.
 */
#ifndef MAILFS_BODY_H
#define MAILFS_BODY_H

#include <stdbool.h>
#include <stdint.h>

struct bodies;

/* `identity` as index_identity(); other identities' directories are removed. Counts what is there (in a thread of its own when that is much).
 * `limit_age_s` 0: no age is too old. */
int bodies_open(const char *cache_dir, const char *identity, int64_t limit_bytes, int64_t limit_age_s, struct bodies **ret);
void bodies_close(struct bodies *b);

/* A read-only descriptor on the whole body, or -ENOENT; one of another size is removed and -ENOENT. The caller closes. */
int body_open(struct bodies *b, int64_t row, int64_t size_bytes);
bool body_is_cached(struct bodies *b, int64_t row, int64_t size_bytes);

/* A read-write descriptor on a new temporary file (no name visible to body_open). The caller closes it after publishing or discards it by closing. -ENOSPC, … */
int body_begin(struct bodies *b);
/* Gives the temporary file its name: from now on it is the whole body of `row`. When the total is then over the limit, evicts others, down to a tenth
 * below it (never this one; those opened or published in the last seconds last). The descriptor stays the caller's. -EINVAL: the file is not of this size.
 * Microseconds, but for 1 MiB and more, which are on the disk first. */
int body_publish(struct bodies *b, int fd, int64_t row, int64_t size_bytes);
/* The bytes of another file become the whole body of `row`: the same file where both are on one file system, else a copy. */
int body_adopt(struct bodies *b, int fd, int64_t row, int64_t size_bytes);
void body_remove(struct bodies *b, int64_t row);

/* Bytes cached now. */
int64_t bodies_total(const struct bodies *b);

#endif

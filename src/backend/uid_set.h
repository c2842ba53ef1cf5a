/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A set of UIDs as ascending ranges. A folder of 100,000 messages without holes is one range. Owned by whoever embeds it; not
 * locked.
 */
#ifndef MAILFS_UID_SET_H
#define MAILFS_UID_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct uid_range {
	uint32_t first, last;
};

struct uid_set {
	struct uid_range *ranges; /* own; ascending, disjoint, not touching */
	size_t n, cap;
};

void uid_set_release(struct uid_set *set);

/* Adds first..last. Cheap for what is behind everything else; 0, -EINVAL (0, or first > last) or -ENOMEM. */
int uid_set_add(struct uid_set *set, uint32_t first, uint32_t last);

bool uid_set_has(const struct uid_set *set, uint32_t uid);
uint64_t uid_set_count(const struct uid_set *set);

/* Keeps only first..last. */
void uid_set_clip(struct uid_set *set, uint32_t first, uint32_t last);

/*
 * Reads "1,3:5,9" (RFC 9051 sequence-set without `*`) or "1 3 4" (SEARCH) of `len` bytes into the set. -EPROTO where it is
 * neither.
 */
int uid_set_parse(struct uid_set *set, const char *text, size_t len);

/* The least range first..*ret_last that holds `count` members from `first` on (fewer at the end), and how many it does hold. */
uint32_t uid_set_span(const struct uid_set *set, uint32_t first, uint32_t count, uint32_t *ret_last);

/* Appends "1,3:5". 0 or -ENOMEM. */
int uid_set_format(const struct uid_set *set, struct buf *out);

/* The members one by one, ascending; the caller frees them. A few bytes from a server can stand for four thousand million: -EPROTO when there are more
 * than `most`. -ENOMEM. */
int uid_set_members(const struct uid_set *set, size_t most, uint32_t **ret, size_t *ret_n);

/*
 * Appends "1,3:5" of as many of the ascending uids[*at, n) as one command takes: 1,000, and about 900 bytes, since some servers
 * refuse long lines and others limit what one command may touch. *at moves behind them. 0 or -ENOMEM.
 */
int uid_list_format(const uint32_t *uids, size_t n, size_t *at, struct buf *out);

static inline void uid_set_cleanup(struct uid_set *set)
{
	uid_set_release(set);
}

#endif

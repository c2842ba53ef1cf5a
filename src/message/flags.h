/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message flags (RFC 9051 section 2.3.2) as one canonical string: IMAP words separated by one space, system flags first in the
 * order \Seen \Answered \Flagged \Deleted \Draft, then keywords sorted bytewise, no duplicates (compared without case), \Recent
 * never. Two messages have the same flags exactly when the strings are equal. Pure.
 */
#ifndef MAILFS_FLAGS_H
#define MAILFS_FLAGS_H

#include <stdbool.h>

#include "base/buf.h"

/* Appends the canonical form of `words` (any order, any white space, system flags in any case) to `out`. -EINVAL for a word
 * that is not an atom or an unknown \Flag; -ENOMEM. */
int flags_canonical(const char *words, struct buf *out);

/* The same for what a server tells: words that flags_canonical() refuses are left out. 0 or -ENOMEM. */
int flags_canonical_lenient(const char *words, struct buf *out);

/* Whether the canonical string `flags` holds `word`, compared without case. */
bool flags_has(const char *flags, const char *word);

/* What turns canonical `from` into canonical `to`: the words to add and to remove, each canonical. 0 or -ENOMEM. */
int flags_difference(const char *from, const char *to, struct buf *ret_add, struct buf *ret_remove);

/* Maildir info letters (D F R S T, in that order) of a canonical string into letters[6], NUL-terminated. */
void flags_to_maildir(const char *flags, char letters[6]);

/* The way back, canonical; other letters mean nothing. Appends; 0 or -ENOMEM. */
int flags_from_maildir(const char *letters, struct buf *out);

#endif

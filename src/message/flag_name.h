/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the directories of `.flags`: a flag's word (RFC 9051 section 2.3.2) as a component of a path, and the way back. System flags have plain names, `\Seen`
 * two of them: `seen`, and `unseen` for those that have it not. A keyword is its own name; percent-escaped (%XX of the byte) are `/`, the first letter of one that is called like a
 * system flag in any case, and the dots of `.` and `..`. That is reversible: no keyword has a `%`. Pure.
 */
#ifndef MAILFS_FLAG_NAME_H
#define MAILFS_FLAG_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* The system flags' directories, in the order listed: `word` as in message/flags.h, and whether it is set on what the directory shows. */
struct flag_name {
	const char *name, *word;
	bool is_set;
};

enum { FLAG_NAMES = 6 };
extern const struct flag_name flag_names[FLAG_NAMES];

/* Of a keyword. -ENAMETOOLONG when it would be over 255 bytes; -ENOMEM. */
int flag_name_of_keyword(const char *keyword, struct buf *out);
/* The keyword that has this name. -EINVAL: none has; -ENOMEM. */
int flag_name_to_keyword(const char *name, struct buf *out);

#endif

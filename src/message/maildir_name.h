/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of messages in a Maildir: BASE or BASE:2,LETTERS. Ours are `SECONDS.VuidvalidityUuid.mailfs:2,LETTERS`, SECONDS being INTERNALDATE; a message that has no UID yet, or that a
 * program delivered under a name of its own, is known by the name that it has in its folder, without `.eml`. Pure.
 */
#ifndef MAILFS_MAILDIR_NAME_H
#define MAILFS_MAILDIR_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct maildir_name {
	int64_t date_s;
	uint32_t uidvalidity, uid;
};

/* Appends one of ours; `letters` as flags_to_maildir() makes them. 0 or -ENOMEM. */
int maildir_name_make(const struct maildir_name *name, const char *letters, struct buf *out);
/* Whether the name is one of ours, whatever its letters are. */
bool maildir_name_parse(const char *text, struct maildir_name *ret);

/* Appends that of a message which is called `name` in its folder; and the way back, the base with `.eml`. 0 or -ENOMEM. */
int maildir_name_of_file(const char *name, const char *letters, struct buf *out);
int maildir_name_to_file(const char *text, struct buf *out);

/* How much of the name is its base. */
size_t maildir_name_base(const char *text);
/* Its letters, in the order of flags_to_maildir(), each once; those that stand for no flag of IMAP are left out. */
void maildir_name_letters(const char *text, char letters[6]);

#endif

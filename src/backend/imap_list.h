/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folders of an account: LIST with what LIST-EXTENDED and SPECIAL-USE add (RFC 5258, RFC 6154), else LSUB beside it, in
 * every namespace (RFC 2342).
 */
#ifndef MAILFS_IMAP_LIST_H
#define MAILFS_IMAP_LIST_H

#include <errno.h>

#include "backend/imap_session.h"

int imap_list(struct backend *b, int (*each)(void *userdata, const struct backend_folder *folder), void *userdata);

/* Whether `r` is a NO without a code about a folder: a server says it of one that is not there, of one that is, and of one that cannot be had just now. */
static inline bool imap_list_is_asked(const struct imap_session *s, int r)
{
	return r == -EIO && !s->base.broken && s->record.status == STATUS_NO && !s->record.has_code;
}

/* Whether the server lists this folder. 0: it does not; 1: as a name only, that cannot be opened; 2: it does. -errno. Leaves backend_why() alone but for an error. */
int imap_list_has(struct imap_session *s, const char *folder);

#endif

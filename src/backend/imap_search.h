/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding messages in the selected folder (RFC 9051 section 6.4.4, ESEARCH of RFC 4731). Some servers' SEARCH finds everything:
 * what it says is checked where it matters.
 */
#ifndef MAILFS_IMAP_SEARCH_H
#define MAILFS_IMAP_SEARCH_H

#include "backend/imap_session.h"
#include "backend/uid_set.h"

/* The UIDs from `first` to `last` that exist (last UINT32_MAX: to the end), into the empty *ret. */
int imap_search_uids(struct imap_session *s, uint32_t first, uint32_t last, struct uid_set *ret);

int imap_search_message_id(struct backend *b, const char *folder, const char *field, const char *message_id, uint32_t **ret_uids,
			   size_t *ret_n);
int imap_uids_from(struct backend *b, const char *folder, uint32_t uidvalidity, uint32_t first, uint32_t **ret_uids, size_t *ret_n);

#endif

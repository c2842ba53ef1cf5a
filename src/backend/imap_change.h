/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changing messages that are there: UID STORE, UID COPY, UID MOVE (RFC 6851) and UID EXPUNGE (RFC 4315), always of UIDs, never of
 * whatever is marked. The contract is backend.h's.
 */
#ifndef MAILFS_IMAP_CHANGE_H
#define MAILFS_IMAP_CHANGE_H

#include "backend/imap_session.h"

int imap_store(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *add,
	       const char *remove);
int imap_copy(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
	      struct backend_copied *ret);
int imap_move(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
	      struct backend_copied *ret);
int imap_expunge(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n);

#endif

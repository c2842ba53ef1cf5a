/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Storing messages (APPEND, RFC 9051 section 6.3.12; several at once, RFC 3502), streamed from their files, with LITERAL+ where
 * the server has it. The contract is backend.h's.
 */
#ifndef MAILFS_IMAP_APPEND_H
#define MAILFS_IMAP_APPEND_H

#include "backend/imap_session.h"

int imap_append(struct backend *b, const char *folder, const struct backend_append *message, uint32_t *ret_uidvalidity,
		uint32_t *ret_uid);
int imap_append_many(struct backend *b, const char *folder, const struct backend_append *messages, size_t n,
		     uint32_t *ret_uidvalidity, uint32_t *ret_uids);

#endif

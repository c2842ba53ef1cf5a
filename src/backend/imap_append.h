/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Storing a message (APPEND, RFC 9051 section 6.3.12), streamed from its file with LITERAL+ where the server has it; and making
 * a folder.
 */
#ifndef MAILFS_IMAP_APPEND_H
#define MAILFS_IMAP_APPEND_H

#include "backend/imap_session.h"

int imap_append(struct backend *b, const char *folder, const struct backend_append *message, uint32_t *ret_uid);
int imap_create(struct backend *b, const char *folder, enum special_use use);

#endif

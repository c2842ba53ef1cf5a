/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies of messages, whole or in part, always by BODY.PEEK: reading sets no flag. The literal goes from the guard's buffer to
 * the sink.
 */
#ifndef MAILFS_IMAP_FETCH_H
#define MAILFS_IMAP_FETCH_H

#include "backend/imap_session.h"

int imap_fetch(struct backend *b, const char *folder, uint32_t uidvalidity, const struct backend_fetch *fetch,
	       const struct backend_fetch_sink *sink);

#endif

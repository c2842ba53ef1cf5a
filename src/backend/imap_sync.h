/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What changed in a folder since it was last looked at, as backend_sync_sink tells it.
 */
#ifndef MAILFS_IMAP_SYNC_H
#define MAILFS_IMAP_SYNC_H

#include "backend/imap_session.h"

int imap_sync(struct backend *b, const char *folder, const struct backend_known *known, const struct backend_sync_sink *sink);

#endif

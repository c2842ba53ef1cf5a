/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the account may: its quota (RFC 9208) and the rights on a folder (RFC 4314).
 */
#ifndef MAILFS_IMAP_QUOTA_H
#define MAILFS_IMAP_QUOTA_H

#include "backend/imap_session.h"

int imap_quota(struct backend *b, struct backend_quota *ret);
int imap_rights(struct backend *b, const char *folder, struct buf *ret);

#endif

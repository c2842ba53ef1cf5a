/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening a folder, always with EXAMINE: reading must not change \Recent or \Seen (RFC 9051 section 6.3.3); and STATUS.
 */
#ifndef MAILFS_IMAP_SELECT_H
#define MAILFS_IMAP_SELECT_H

#include "backend/imap_session.h"

/* EXAMINEs `folder` anew; what it tells is in s->selected_status. -ENXIO when there is no such folder. */
int imap_select_examine(struct imap_session *s, const char *folder);

/*
 * The same unless it is open already. -ESTALE when its UIDVALIDITY is not `uidvalidity` (0: any). *ret_fresh: EXAMINE was sent
 * just now.
 */
int imap_select(struct imap_session *s, const char *folder, uint32_t uidvalidity, bool *ret_fresh);

int imap_status(struct backend *b, const char *folder, struct backend_status *ret);

#endif

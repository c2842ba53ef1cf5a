/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening a folder: with EXAMINE for reading, which must not change \Recent or \Seen (RFC 9051 section 6.3.3), with SELECT only
 * where something is to be changed; leaving it, never with CLOSE, which would expunge what others marked; and STATUS.
 */
#ifndef MAILFS_IMAP_SELECT_H
#define MAILFS_IMAP_SELECT_H

#include "backend/imap_session.h"

/* EXAMINEs `folder` anew; what it tells is in s->selected_status. -ENXIO when there is no such folder: a NO without a code is none, the server lists it where it is. */
int imap_select_examine(struct imap_session *s, const char *folder);

/*
 * The same unless it is open already. -ESTALE when its UIDVALIDITY is not `uidvalidity` (0: any). *ret_fresh: EXAMINE was sent
 * just now. One that is open for change will do.
 */
int imap_select(struct imap_session *s, const char *folder, uint32_t uidvalidity, bool *ret_fresh);

/* The same with SELECT, unless it is open so already. -EROFS when it can only be read, -EAGAIN when a folder that is there is refused without a reason. Reading may go on in it. */
int imap_select_for_change(struct imap_session *s, const char *folder, uint32_t uidvalidity);

/*
 * A server does to no message what it has not told this session of, and says OK. So before messages up to `uid` are changed: asks
 * for news if it came after the folder was opened.
 */
int imap_select_catch_up(struct imap_session *s, uint32_t uid);

/*
 * 1 when each of the canonical `flags` can be set and cleared in the folder selected for change (PERMANENTFLAGS; all where the
 * server does not tell), else 0. -ENOMEM.
 */
int imap_select_permits(const struct imap_session *s, const char *flags);

/* Before `folder` is removed or renamed: some servers mind when it, or one below it, is open. */
int imap_select_leave(struct imap_session *s, const char *folder);

int imap_status(struct backend *b, const char *folder, struct backend_status *ret);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a server can: the words of CAPABILITY (RFC 9051 section 7.2.2), and what they let a session do. On the session's thread.
 */
#ifndef MAILFS_IMAP_CAPABILITY_H
#define MAILFS_IMAP_CAPABILITY_H

#include "backend/imap_session.h"

/* Whether the server told this word, in any case of letters, when it last told its capabilities. */
bool imap_capability_offers(const struct imap_session *s, const char *word);

/* Sets the session's capabilities, abilities and append limit; asks with CAPABILITY, unless they were told unasked since `told`, a value of
 * record.told. -errno of the command. */
int imap_capability_ask(struct imap_session *s, unsigned told);

#endif

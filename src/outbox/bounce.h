/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tells the sender, in the inbox, that a message will not reach some or all of its recipients: a multipart/report of RFC 3462 with the delivery status of
 * RFC 3464. Made from the entry's record and message each time, the same but for its date; its Message-ID is searched for before it is filed, so that a crash makes
 * one of it, not two.
 */
#ifndef MAILFS_OUTBOX_BOUNCE_H
#define MAILFS_OUTBOX_BOUNCE_H

#include "outbox/queue.h"

/* Under the lock, or by the claimer. Of a failed entry: the notice is still to be filed, and nobody does so. */
bool bounce_is_due(const struct entry *e);
/* Files it. Takes a claimed entry and releases it before the network is waited for: its owner may move or remove it meanwhile. */
void bounce_file(struct outbox *o, struct entry *e);

/* Appends the notice, its header included, lines ending in CRLF. `header`: the message's, as it was sent. 0 or -ENOMEM. */
int bounce_format(const struct record *r, const char *message_id, const char *server, int64_t date_s, const struct buf *header,
		  struct buf *out);

#endif

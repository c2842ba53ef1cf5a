/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of which nobody knows whether the server took them: the connection, or this process, ended between the final dot and its reply. They are never
 * sent again by themselves. What is known of them all the same is settled here: the copy for those who took the message earlier, the word for those who
 * refused it, and whether the server has filed a copy, which says that it did take it.
 */
#ifndef MAILFS_OUTBOX_UNCERTAIN_H
#define MAILFS_OUTBOX_UNCERTAIN_H

#include "outbox/queue.h"

/* Of a claimed entry, or before any thread; saved by the caller. Moved back to the queue it goes to those alone of whom nothing is known. */
void uncertain_enter(struct outbox *o, struct entry *e, const char *why);
/* Under the lock, or by the claimer: from its `next_s` on there is something to settle. */
bool uncertain_is_due(const struct entry *e);
/* By the claimer. It may be in state SENT then. */
void uncertain_settle(struct outbox *o, struct entry *e);

#endif

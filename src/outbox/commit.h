/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From written to queued: judged, durable, its writer's close answered. A thread of its own, because it may ask the sent folder while the
 * sender is busy with a server for minutes.
 */
#ifndef MAILFS_OUTBOX_COMMIT_H
#define MAILFS_OUTBOX_COMMIT_H

#include "outbox/queue.h"

/* Judges an entry with CLAIM_COMMIT, and queues it, or moves it to failed/ with the reason, or (an error of the disk) makes it scratch. Releases it. */
int commit_entry(struct outbox *o, struct entry *e, bool may_ask, bool is_retry);
/* The bytes of a claimed entry become scratch. */
int commit_abandon(struct outbox *o, struct entry *e);
/* The verdict for the close that waits for it (outbox-wait), if one does. */
void commit_answer_verdict(struct outbox *o, int64_t id, int result);

/* The oldest waiting close; false if there was none. What the thread does; tests call it themselves. */
bool commit_run_one(struct outbox *o);
int commit_start(struct outbox *o);
/* Answers everybody who still waits; after the thread's end. */
void commit_stop(struct outbox *o);

#endif

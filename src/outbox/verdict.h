/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an attempt's outcome makes of an entry: each recipient by itself, the record replaced, whoever waits answered. On the sender's thread, the
 * entry claimed.
 */
#ifndef MAILFS_OUTBOX_VERDICT_H
#define MAILFS_OUTBOX_VERDICT_H

#include "outbox/queue.h"

void verdict_of_result(struct outbox *o, struct entry *e, const struct smtp_result *result);
/* Refused for good before the server was asked. */
void verdict_refuse(struct outbox *o, struct entry *e, const char *why);
/* The server, or this machine, was not ready: not this message's fault, and not written down. Given up where its 5 days are over. */
void verdict_wait(struct outbox *o, struct entry *e, const char *why);
/* Its sender is to hear, in the inbox, of the recipients that were refused. Saved by the caller. */
void verdict_owe_bounce(struct outbox *o, struct entry *e);
/* Seconds to wait after the n-th failure in a row: 1, 5, 15, 30 and then every 30 minutes. */
int64_t verdict_wait_s(int failures);

#endif

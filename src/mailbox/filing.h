/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the outbox asks of the account: was this sent before; file the copy; file the notice of what was not sent. Its callbacks (outbox.h), called by its
 * threads, which may wait for the network.
 */
#ifndef MAILFS_FILING_H
#define MAILFS_FILING_H

#include <stdint.h>

struct outbox_copy;

int filing_sent_contains(void *mailbox, const char *field, const char *message_id);
/*
 * Searched for first: whatever happened before, there is one. With `sent = auto` the server is given time from acceptance on to file it itself, and what it
 * does is kept in the state: -EAGAIN meanwhile.
 */
int filing_sent_copy(void *mailbox, const struct outbox_copy *copy);
int filing_bounce(void *mailbox, int fd, int64_t size_bytes, const char *message_id, int64_t date_s);

#endif

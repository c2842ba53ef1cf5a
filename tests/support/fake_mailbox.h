/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mailbox and an outbox that a test makes up: the facades that fs/ calls, in memory, with answers that come late, never, or as errors. Linked
 * instead of the real ones. The bytes of messages and entries are files below a directory of the test's. Drafts is the drafts folder. A file that is committed
 * is uploaded: its bare LF become CRLF, as a server would have it.
 */
#ifndef MAILFS_TESTS_FAKE_MAILBOX_H
#define MAILFS_TESTS_FAKE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mailbox/changing.h"
#include "mailbox/mailbox.h"
#include "outbox/outbox.h"

/* What an operation does from now on; all zero: it answers at once. */
struct fake_behaviour {
	int delay_ms; /* -1: never, until fake_release() */
	int error;    /* -errno, or 0 */
};

enum fake_operation {
	FAKE_LOOK,
	FAKE_OPEN,
	FAKE_READ,
	FAKE_COMMIT,
	FAKE_EDIT,
	FAKE_COMPARE,
	FAKE_COPY,
	FAKE_SETTLE,
	FAKE_HAND_OVER, /* mailbox_commit() takes so long before it begins */
	FAKE_OPERATIONS
};

struct fake_counts {
	int looks, opens, closes, reads, interrupts, waiting;
	int uploads, copies, settles;
};

struct mailbox *fake_new(const char *directory);
/* Answers every waiter -ENOTCONN first. */
void fake_free(struct mailbox *mb);

int64_t fake_add_folder(struct mailbox *mb, int64_t parent, const char *name);
/* Bytes given, or (NULL) made up: a header and `size_bytes` in all. */
int64_t fake_add_message(struct mailbox *mb, int64_t folder, const char *name, const char *bytes, size_t size_bytes);
/* Before it is opened, its size is said to be this. */
void fake_lie(struct mailbox *mb, int64_t row, int64_t size_bytes, bool is_trusted);
void fake_remove(struct mailbox *mb, int64_t row);
void fake_set_flags(struct mailbox *mb, int64_t row, const char *flags);
/* Not looked at: the next mailbox_look() waits as FAKE_LOOK says, and lookups find nothing before. */
void fake_hide(struct mailbox *mb, int64_t folder);
void fake_set_quota(struct mailbox *mb, int64_t used, int64_t limit);
void fake_behave(struct mailbox *mb, enum fake_operation operation, struct fake_behaviour behaviour);
void fake_release(struct mailbox *mb);
struct fake_counts fake_counts(struct mailbox *mb);

/* Whether what is being committed is in the journal. */
void fake_set_safe(struct mailbox *mb, bool is_safe);

struct outbox *fake_outbox_new(const char *directory);
void fake_outbox_free(struct outbox *o);
/* Commits take so long. */
void fake_outbox_delay(struct outbox *o, int delay_ms);
/* One line an entry: ID PLACE STATE SIZE NAME. */
int fake_outbox_describe(struct outbox *o, struct buf *out);

/* Defined by whoever owns the fake mailbox: its outbox, or NULL. */
extern struct outbox *fake_outbox;
/* Told what the fake mailbox did; no lock held. */
extern void (*fake_changed)(const struct change *change);

#endif

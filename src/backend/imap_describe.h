/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptions of messages (UID, flags, date, size, the header fields a name is made of) by UID FETCH in ranges, for imap_sync.c.
 *
 * The next range is asked for before the present one's answers are read, so that the server never waits for us. A message whose
 * description cannot be read costs the connection; it is found by halving its range on new ones, and then asked for with less.
 * One thread.
 */
#ifndef MAILFS_IMAP_DESCRIBE_H
#define MAILFS_IMAP_DESCRIBE_H

#include "backend/imap_session.h"
#include "backend/uid_set.h"

struct imap_describe {
	struct imap_session *session; /* these are borrowed and set by the caller, */
	const char *folder;
	const struct backend_known *known;
	const struct backend_sync_sink *sink;
	uint32_t uidvalidity; /* the folder is EXAMINEd, this is its */
	uint64_t since;	      /* flags: only what changed since this modification sequence; 0: all */

	struct uid_set seen; /* own; what sink->message() was told of */
	bool disturbed; /* messages went, or the connection was renewed: numbers told before do not add up with numbers told now */

	/* The command whose answers come in. */
	unsigned reconnects;
	int kind;
	uint32_t first, last;
	uint64_t answers;
};

void imap_describe_release(struct imap_describe *d);

/*
 * sink->message() for each of `uids` that was not seen yet, sink->batch() after each range if `batches`. A message that exists
 * but cannot be described is told of with no flags, date 0 and size 0, and logged. 0 or -errno; -ESTALE when a new connection
 * finds another folder.
 */
int imap_describe_messages(struct imap_describe *d, const struct uid_set *uids, bool batches);

/* One by one and with as little as the server can tell, for messages that a range did not bring although they exist. */
int imap_describe_missing(struct imap_describe *d, const struct uid_set *uids);

/* sink->flags() for each of first..last (that changed since d->since). */
int imap_describe_flags(struct imap_describe *d, uint32_t first, uint32_t last);

#endif

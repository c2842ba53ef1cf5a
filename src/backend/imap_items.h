/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FETCH responses (RFC 9051 section 7.5.2): the items that mailfs asks for, read out of what the guard has cut.
 *
 * Belongs to one session, is called by its thread. Any other item, or one in a form that the RFC does not know, is no
 * response at all: nothing of a message is believed when part of it cannot be read.
 */
#ifndef MAILFS_IMAP_ITEMS_H
#define MAILFS_IMAP_ITEMS_H

#include "backend/imap_reply.h"

struct imap_session;

/* One message's items. Borrowed during the callback. */
struct imap_items {
	uint32_t uid;	   /* 0: not told */
	const char *flags; /* canonical, without what is no flag of ours; NULL: not told */
	bool has_date, has_size, has_body;
	int64_t date_s, size_bytes;
	struct imap_text body; /* of BODY[…]; data NULL for NIL */
	bool body_diverted;
	uint64_t gmail_message_id, gmail_thread_id; /* X-GM-MSGID, X-GM-THRID; 0: not told */
	const char *gmail_labels;		    /* X-GM-LABELS as struct backend_gmail has them; NULL: not told */
};

/* What is kept from one response to the next: neighbours mostly have the same flags. All own. */
struct imap_items_reader {
	struct buf raw_flags, flags; /* as on the wire, and canonical */
	struct buf unquoted;	     /* a body that came in quotes */
	struct buf label, labels;
};

void imap_items_reader_release(struct imap_items_reader *r);

/* 0, -EPROTO, -ENOMEM. The result points into the response and the reader. */
int imap_items_read(struct imap_items_reader *reader, const struct imap_response *response, struct imap_items *ret);

/*
 * Reads the responses of the FETCH command sent with `tag`. One more may have been sent behind it: the server may mix the
 * answers to both (RFC 9051 section 5.5), so `each` gets those of either. What `each` returns below 0 ends the session. 0: the
 * tagged response came, see the record. -EPROTO: a response that cannot be read; like all other errors it costs the session.
 */
int imap_items_await(struct imap_session *s, unsigned tag, int (*each)(void *userdata, const struct imap_items *items),
		     void *userdata);

#endif

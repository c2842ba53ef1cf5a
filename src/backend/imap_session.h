/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection to an IMAP server from connect to close, and what is known of it: transport, capabilities, the folder that is
 * selected.
 *
 * The imap_*.c files beside it each do one thing with a session. One thread at a time.
 */
#ifndef MAILFS_IMAP_SESSION_H
#define MAILFS_IMAP_SESSION_H

#include "backend/backend.h"
#include "backend/imap_guard.h"
#include "backend/imap_items.h"
#include "backend/imap_record.h"

struct stream;

enum imap_capability {
	CAP_STARTTLS = 1 << 0,
	CAP_LOGINDISABLED = 1 << 1,
	CAP_SASL_IR = 1 << 2,
	CAP_ID = 1 << 3,
	CAP_NAMESPACE = 1 << 4,
	CAP_LIST_EXTENDED = 1 << 5,
	CAP_SPECIAL_USE = 1 << 6,
	CAP_CREATE_SPECIAL_USE = 1 << 7,
	CAP_CONDSTORE = 1 << 8,
	CAP_ESEARCH = 1 << 9,
	CAP_LITERAL_PLUS = 1 << 10,
	CAP_LITERAL_MINUS = 1 << 11,
	CAP_QUOTA = 1 << 12,
	CAP_ACL = 1 << 13,
	CAP_UTF8_ONLY = 1 << 14,
	CAP_UIDPLUS = 1 << 15,
	CAP_MOVE = 1 << 16,
	CAP_MULTIAPPEND = 1 << 17,
	CAP_BINARY = 1 << 18,
	CAP_UNSELECT = 1 << 19,
	CAP_GMAIL = 1 << 20,
};

struct imap_session {
	struct backend base;
	struct stream *stream;	   /* own; NULL when bytes come from elsewhere (tests) */
	struct imap_source source; /* where bytes come from; in tests also after a reconnect */
	struct imap_guard guard;
	struct imap_record record;
	struct imap_items_reader items;
	unsigned tag; /* the last one used */
	/*
	 * The outcome of a command that was finished before one sent earlier: servers may do both at once (RFC 9051 section
	 * 5.5).
	 */
	struct {
		unsigned tag; /* 0: none */
		enum imap_status status;
		int error;
		struct buf text; /* own */
	} early;
	unsigned capabilities;		       /* enum imap_capability */
	const char *mechanism;		       /* static; how it signed in */
	struct buf server_id;		       /* own; the server's answer to ID */
	char *selected;			       /* own; NULL: none */
	bool selected_for_change;	       /* by SELECT, not EXAMINE */
	struct backend_status selected_status; /* as of then */
	bool utf8;			       /* names are UTF-8 on the wire (UTF8=ACCEPT) */
};

/* The table's open, close, reopen, noop, describe. */
int imap_session_open(const struct backend_options *options, struct backend **ret, struct buf *why);
void imap_session_close(struct backend *b);
int imap_session_reopen(struct backend *b);
int imap_session_noop(struct backend *b);
int imap_session_describe(struct backend *b, struct buf *ret);

/* A session over `source` in place of a connection, signed in; a reconnect goes on with the same source. For tests. */
int imap_session_open_source(const struct backend_options *options, const struct imap_source *source, struct backend **ret,
			     struct buf *why);

static inline struct imap_session *imap_session_of(struct backend *b)
{
	return (struct imap_session *)b;
}

/* Sets backend_why() to `text` and what the server said last, and returns `error`. */
int imap_session_fail(struct imap_session *s, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The reply to what was sent now is waited for longer than others, as long as the server's machine is there. */
void imap_session_be_patient(struct imap_session *s, bool on);

/* The session is lost; backend_why() becomes the guard's. Returns its error. */
int imap_session_lost(struct imap_session *s);

#endif

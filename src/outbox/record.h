/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of one entry besides its bytes, and how that is written: `key=value` lines in the file `entry`.
 *
 * Pure: no disk. The caller's locks protect a record.
 */
#ifndef MAILFS_OUTBOX_RECORD_H
#define MAILFS_OUTBOX_RECORD_H

#include "base/buf.h"
#include "outbox/outbox.h"
#include "outbox/string_list.h"

/* The copy in the sent folder. */
enum record_copy {
	RECORD_COPY_NONE, /* nobody has accepted the message */
	RECORD_COPY_DUE,  /* somebody has: it is to be filed, once */
	RECORD_COPY_DONE,
};

struct record {
	char name[NAME_MAX + 1];
	enum outbox_place place;
	enum outbox_state state; /* on disk never SENDING: the dot mark tells whether an attempt was decided */
	mode_t mode;
	char *rcpt;	/* own; user.mail.rcpt as it was set, NULL when it was not */
	char *dsn;	/* own; user.mail.dsn as it was set, NULL when it was not */
	bool is_forced; /* user.mail.force */
	char *error;	/* own; the last words of the server or of the guards, NULL when there are none */

	/* From the commit on. */
	char *sender;		       /* own; envelope sender, addr-spec */
	struct string_list recipients; /* addr-specs that still wait for the message */
	struct string_list refused;    /* those that were refused for good */
	struct string_list refusals;   /* in the same order, the words for it */
	bool is_bounce_due;	       /* the notice of these is not in the inbox yet */
	char *message_id;	       /* own; the message's, or the one that it is given */
	bool is_resent;		       /* and that is its Resent-Message-ID */
	char *key;		       /* own; what "sent before" is judged by */
	int64_t date_s; /* of the Date it is given where it has none; the days until it is given up count from here */
	int64_t next_s; /* not tried before this */
	int attempts;	/* verdicts so far, never reset: numbers the dot marks */
	int failures;	/* since the last commit: how long to wait */
	enum record_copy copy;
	int64_t accepted_s; /* when it became due */
	bool is_repeat;	    /* forced or moved back: the sent folder may have a copy of an earlier sending */
	bool is_unchecked;  /* the sent folder could not be asked for its Message-ID yet */
	int64_t replaces;   /* this entry's directory goes: it was renamed over. 0: none */
};

void record_release(struct record *r);
/* Replaces a string field (NULL: none). 0 or -ENOMEM, the field untouched. */
int record_set(char **field, const char *value);

/* The name of the field that holds message_id. Static. */
const char *record_id_field(const struct record *r);

/* Appends the file's text; record_parse() reads it back. -ENOMEM; -EUCLEAN when it is no such text. */
int record_format(const struct record *r, struct buf *out);
int record_parse(const char *text, size_t len, struct record *ret);

static inline void record_cleanup(struct record *r)
{
	record_release(r);
}

#endif

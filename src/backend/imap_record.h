/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a session's responses tell in passing, whatever command they answer: numbers of the selected folder, response codes,
 * capabilities, ALERT and BYE. Fed with every response by its session, from one thread. Never allocates for long.
 */
#ifndef MAILFS_IMAP_RECORD_H
#define MAILFS_IMAP_RECORD_H

#include "backend/imap_reply.h"

struct imap_record {
	/* The selected folder; cleared by imap_record_select(). */
	uint32_t exists, uidvalidity, uidnext;
	uint32_t expunged; /* messages reported gone since it was selected */
	uint64_t highestmodseq;
	bool has_exists, read_only;
	bool has_permanent_flags;
	struct buf permanent_flags; /* own; the words of PERMANENTFLAGS as told */

	/* The last tagged response. */
	enum imap_status status;
	int error;		    /* of a NO, from its code */
	bool has_code, auth_failed; /* auth_failed: AUTHENTICATIONFAILED and its like */
	bool use_attr;		    /* USEATTR: no such special use (RFC 6154) */
	struct buf text;	    /* own; what the server said, for people */

	/* Arguments of APPENDUID and COPYUID (imap_uidplus.h), a line each, since who wants them emptied it. Own. */
	struct buf uidplus;

	struct buf capabilities; /* own; " IMAP4rev1 IDLE … ", as last told */
	unsigned told;		 /* how often they were */
	struct buf bye;		 /* own; a BYE's text once there was one */

	void (*alert)(void *userdata, const char *text);
	void *userdata;
};

void imap_record_init(struct imap_record *r, void (*alert)(void *userdata, const char *text), void *userdata);
void imap_record_release(struct imap_record *r);
/* Before a folder is selected. */
void imap_record_select(struct imap_record *r);
void imap_record_note(struct imap_record *r, const struct imap_response *response);

#endif

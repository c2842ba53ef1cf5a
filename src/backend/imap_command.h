/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands: built, sent and awaited. A command is text with strings in it, each sent as the shortest of quoted or literal that
 * carries it (RFC 9051 section 4.3); where the server has no LITERAL+ or LITERAL- the sending waits for its go-ahead.
 */
#ifndef MAILFS_IMAP_COMMAND_H
#define MAILFS_IMAP_COMMAND_H

#include "backend/imap_session.h"

struct imap_command {
	struct imap_session *session; /* borrowed */
	struct buf text;	      /* own; begins with the tag */
	size_t waits[8];	      /* where sending stops for a continuation */
	unsigned n_waits;
	bool is_once; /* must not go twice: who has called is told before it goes, and imap_command_run() waits for its reply with patience */
	int error;
};

/* Gives the command the next tag. */
void imap_command_init(struct imap_command *c, struct imap_session *s, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void imap_command_release(struct imap_command *c);

/* Each appends; errors are kept for imap_command_send(). */
void imap_command_add(struct imap_command *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void imap_command_string(struct imap_command *c, const char *text);
/*
 * Announces a literal that the caller sends itself, after imap_command_send() and before imap_command_end(). `binary`: a literal8
 * (RFC 3516), which may hold NUL.
 */
void imap_command_literal(struct imap_command *c, int64_t size_bytes, bool binary);
/* After that literal: the command goes on, with text to be added and another imap_command_send(). */
void imap_command_more(struct imap_command *c);

/* Called for each untagged response while a command runs. 0, or -errno, which ends the session. */
typedef int imap_untagged(void *userdata, const struct imap_response *response);

/*
 * Sends all of it but the last CRLF, then that. `untagged` sees what comes while a literal waits. A server that refuses the
 * literal has answered already: *ret_refused (may be NULL: then it is an error like any other NO). 0 or -errno.
 */
int imap_command_send(struct imap_command *c, imap_untagged *untagged, void *userdata, bool *ret_refused);
int imap_command_end(struct imap_command *c);

/*
 * One response, while the last command's literal is being sent. 1: it was that command's tagged one, which is in the record; 0:
 * news. -errno is the guard's: the caller ends the session.
 */
int imap_command_hear(struct imap_session *s);

/* Waits for the tagged response of the tag. 0 when one came, whatever it said; else the session is lost. */
int imap_command_await(struct imap_session *s, unsigned tag, imap_untagged *untagged, void *userdata);

/* The same for the reply to a command that must not go twice. */
int imap_command_await_patiently(struct imap_session *s, unsigned tag, imap_untagged *untagged, void *userdata);

/*
 * All of these in one: 0 for OK; for NO and BAD the code's errno with backend_why() set, beginning with `what` ("cannot list
 * the folders").
 */
int imap_command_run(struct imap_command *c, imap_untagged *untagged, void *userdata, const char *what);

/* The errno of the last tagged response, backend_why() set from it; 0 if it was OK. */
int imap_command_result(struct imap_session *s, const char *what);

static inline void imap_command_cleanup(struct imap_command *c)
{
	imap_command_release(c);
}

#endif

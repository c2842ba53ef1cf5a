/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message submission (RFC 6409): libcurl connects, does TLS, EHLO and AUTH; smtp_dialogue.c speaks MAIL, RCPT, DATA, RSET and QUIT over it,
 * pipelined (RFC 2920). One thread a session.
 *
 * Tells what decides a message's fate apart: refused for good, refused for now, lost before the final dot, lost after it.
 */
#ifndef MAILFS_SMTP_H
#define MAILFS_SMTP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/url.h"
#include "net/secret.h"
#include "net/tls.h"

/* All borrowed until smtp_close(). */
struct smtp_options {
	const struct url *url;
	const char *user;      /* NULL: no AUTH */
	struct secret *secret; /* NULL: no AUTH */
	const char *auth;      /* "auto" or a mechanism */
	struct tls_options tls;
	int timeout_s; /* for connect, TLS, EHLO, AUTH; the dialogue waits as RFC 5321 4.5.3.2 says */
};

struct smtp;

/* What EHLO offered after TLS and AUTH. */
struct smtp_capabilities {
	bool pipelining, eightbitmime, smtputf8, dsn, size, chunking;
	int64_t size_max; /* bytes; 0: not told or no limit */
};

/* A reply (RFC 5321 4.2): all its lines joined by a space, enhanced status (RFC 3463) split off. */
struct smtp_reply {
	int code; /* 0: none came */
	char enhanced[12];
	char text[512];
};

struct smtp_message {
	const char *sender;	      /* addr-spec, "" for the null path */
	const char *const *recipients; /* addr-specs; no CR, LF, NUL (refused with -EINVAL) */
	size_t n_recipients;
	int fd;		 /* the prepared message from offset 0, CRLF lines, not dot-stuffed */
	int64_t size_bytes;
	bool eightbit;	 /* holds 8-bit bytes: BODY=8BITMIME */
	bool smtputf8;	 /* an address is not ASCII */
	const char *notify; /* DSN NOTIFY= value or NULL */
	/* Called when all but the last block has been sent; an error stops before the final dot. NULL: none. */
	int (*before_dot)(void *userdata);
	void *userdata;
};

enum smtp_outcome {
	SMTP_ACCEPTED,	  /* the final dot got 2yz: at least one recipient's mail is the server's responsibility now */
	SMTP_REFUSED,	  /* no recipient's mail was taken: the replies tell permanent (5yz) from transient (4yz) */
	SMTP_SESSION,	  /* the session failed before the message was decided (421, 530, connection lost before the dot): try again */
	SMTP_UNCERTAIN,	  /* the final dot may have been sent and no reply came */
};

struct smtp_result {
	enum smtp_outcome outcome;
	struct smtp_reply reply;       /* the one that decided: MAIL's, DATA's, the final dot's, or the session's last */
	struct smtp_reply *recipients; /* own, n_recipients: each RCPT's reply */
};

/* Connects and signs in. -EACCES sign-in refused, -EKEYREJECTED certificate, -ECONNREFUSED, -ETIMEDOUT, …; `why` one line. */
int smtp_open(const struct smtp_options *options, struct smtp **ret, struct buf *why);
/* QUIT if the session is still sound. */
void smtp_close(struct smtp *s);

const struct smtp_capabilities *smtp_capabilities(const struct smtp *s);
/* For mailfsctl check: TLS description and AUTH mechanism, one line. */
const char *smtp_description(const struct smtp *s);

/* Sends one message. 0 with the outcome in *ret (release it), or -EINVAL (an address), -EIO (reading fd) before anything was decided. After
 * SMTP_ACCEPTED and SMTP_REFUSED the session can be used again (RSET sent where needed); after the others only closed. */
int smtp_send(struct smtp *s, const struct smtp_message *message, struct smtp_result *ret);
void smtp_result_release(struct smtp_result *r);

/* Any thread: makes the session's present wait fail. */
void smtp_abort(struct smtp *s);

#endif

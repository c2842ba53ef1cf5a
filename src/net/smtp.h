/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message submission (RFC 6409): libcurl connects, does TLS, EHLO and AUTH; smtp_dialogue.c speaks MAIL, RCPT, DATA, RSET and
 * QUIT over it, pipelined (RFC 2920). One thread a session.
 *
 * Tells what decides a message's fate apart: refused for good, refused for now, lost before the final dot, lost after it.
 */
#ifndef MAILFS_SMTP_H
#define MAILFS_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/url.h"
#include "net/secret.h"
#include "net/tls.h"

/* All borrowed until smtp_close(). */
struct smtp_options {
	const struct url *url;
	const char *user;      /* NULL: no AUTH */
	struct secret *secret; /* NULL: no AUTH, unless `auth` is "external" */
	const char *auth;      /* "auto": the strongest of CRAM-MD5, PLAIN and LOGIN; or a mechanism */
	struct tls_options tls;
	int timeout_s;		     /* for each reply up to AUTH; twice that for all of it, connection and TLS included */
	int reply_timeout_s;	     /* for each reply of the dialogue; 0: as RFC 5321 4.5.3.2 says, 10 minutes after the dot */
	const struct cancel *cancel; /* set: every wait, that for the connection included, fails; NULL: never */
};

struct smtp;

/* What EHLO offered after TLS. */
struct smtp_capabilities {
	bool pipelining, eightbitmime, smtputf8, dsn, size, chunking;
	int64_t size_max; /* bytes; 0: not told or no limit */
};

/* A reply (RFC 5321 4.2): all its lines joined by a space, enhanced status (RFC 3463) split off. Always valid UTF-8 without
 * control characters. */
struct smtp_reply {
	int code; /* 0: none came */
	char enhanced[12];
	char text[512];
};

struct smtp_message {
	const char *sender;	       /* addr-spec, "" for the null path */
	const char *const *recipients; /* addr-specs */
	size_t n_recipients;
	int fd; /* the prepared message from offset 0, CRLF lines, not dot-stuffed; its file position is left alone */
	int64_t size_bytes;
	bool eightbit; /* holds 8-bit bytes: BODY=8BITMIME */
	bool smtputf8; /* an address is not ASCII */
	/* Delivery status notifications (RFC 3461), each NULL where it is not asked for; without `notify` and `ret` nothing of it is. Left out where the server does
	 * not offer DSN. */
	const char *notify; /* NEVER, or a list of SUCCESS, FAILURE and DELAY */
	const char *ret;    /* FULL or HDRS: what of the message comes back */
	const char *envid;  /* comes back with them; not encoded. Left out where it is too long or not printable ASCII */
	/* Called when all but the last block has been sent; an error stops before the final dot. NULL: none. */
	int (*before_dot)(void *userdata);
	void *userdata;
};

enum smtp_outcome {
	SMTP_ACCEPTED, /* the final dot got 2yz: at least one recipient's mail is the server's responsibility now */
	SMTP_REFUSED,  /* no recipient's mail was taken: the replies tell permanent (5yz) from transient (4yz) */
	SMTP_SESSION,  /* the session failed before the message was decided (421, 530, connection lost before the dot): try again */
	SMTP_UNCERTAIN, /* the final dot was sent and no reply, or no intelligible one, came */
};

struct smtp_result {
	enum smtp_outcome outcome;
	/* The one that decided: MAIL's, DATA's, the final dot's, or the session's last. Where the session failed without one, the
	 * code is 0 and the text says how ("Connection timed out"). */
	struct smtp_reply reply;
	/* Own, as many as there are recipients: each one's verdict, whichever command it was given at. 2yz: the server has it,
	 * 4yz: for now not, 5yz: never, 0: undecided. */
	struct smtp_reply *recipients;
};

/*
 * Connects and signs in. `why`, one line that begins with the host:
 * -EACCES       sign-in refused for good (5yz), or not possible: no secret, no mechanism that both sides have
 * -EAGAIN       the server says 4yz, at whatever step
 * -EKEYREJECTED the certificate does not verify, -EPROTO no TLS, or no SMTP, -EINVAL an option that cannot be used
 * -EHOSTUNREACH, -ECONNREFUSED (also: 5yz for a greeting), -ECONNRESET, -ETIMEDOUT
 * -ECANCELED    `cancel` was set; a name lookup under way is waited for, since libcurl cannot leave it
 */
int smtp_open(const struct smtp_options *options, struct smtp **ret, struct buf *why);
/* QUIT if the session is still sound. */
void smtp_close(struct smtp *s);

const struct smtp_capabilities *smtp_capabilities(const struct smtp *s);
/* For mailfsctl check: TLS description and AUTH mechanism, one line. */
const char *smtp_description(const struct smtp *s);

/*
 * Sends one message, whatever bytes it holds. 0 with the outcome in *ret (release it). After SMTP_ACCEPTED and SMTP_REFUSED the
 * session can be used again; after the others only closed (smtp_send answers SMTP_SESSION at once).
 *
 * What the server's EHLO rules out is SMTP_REFUSED without a byte sent, with the reply it would have given: too large
 * (552 5.3.4), 8-bit without 8BITMIME (554 5.6.3), SMTPUTF8 not offered (550 5.6.7). See smtp_capabilities() first.
 *
 * Negative: nothing was decided, no dot was sent. -EINVAL an address that no command line can hold, no recipient, or data that
 * is not CRLF lines (a bare CR or LF: some servers would see the end of a message in it, and another one behind); -EIO fd does
 * not hold size_bytes; else what before_dot() said. After these from within DATA (all but -EINVAL) the session can only be closed.
 */
int smtp_send(struct smtp *s, const struct smtp_message *message, struct smtp_result *ret);
void smtp_result_release(struct smtp_result *r);

#endif

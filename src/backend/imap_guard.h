/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands between the server's bytes and everything that reads them: cuts the stream into responses, knowing only lines and
 * literals.
 *
 * Limits the length of lines, the size of literals and the time that either may take; turns the stream's end into an error;
 * carries the literal of a message body past its text, straight to whoever wants it. One thread, that of its session. Never
 * interprets a response: imap_reply.h and imap_record.h do that. After an error every further call gives the same error.
 */
#ifndef MAILFS_IMAP_GUARD_H
#define MAILFS_IMAP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "backend/imap_response.h"
#include "base/buf.h"

/* Where bytes come from and go to: stream_read and stream_write, or memory in tests. */
struct imap_source {
	ssize_t (*read)(void *userdata, void *data, size_t len); /* as stream_read() */
	int (*write)(void *userdata, const void *data, size_t len);
	void *userdata;							     /* borrowed */
	ssize_t (*write_some)(void *userdata, const void *data, size_t len); /* as stream_write_some(); NULL: write does */
};

/* Who wants the literals of BODY[] and BODY[]<n>. An error returned is the guard's error from then on. */
struct imap_body_sink {
	/* uid 0: it did not stand before the literal. origin: n of BODY[]<n>, -1 of BODY[]. */
	int (*begin)(void *userdata, uint32_t uid, int64_t origin, int64_t size_bytes);
	int (*data)(void *userdata, const void *data, size_t len);
	void *userdata;
};

struct imap_limits {
	size_t line;	  /* bytes of a response beside its literals */
	size_t long_line; /* the same for SEARCH, ESEARCH, VANISHED and CAPABILITY, which list things */
	size_t literals;  /* bytes of all literals of a response that are held in memory */
	int64_t body;	  /* bytes of one literal that goes to the body sink */
	int timeout_s;	  /* a line or literal takes at most this and a second more for each `rate_bytes` of it */
	int rate_bytes;
};

extern const struct imap_limits imap_limits_default; /* timeout_s is 0 there: the caller's */

struct imap_guard {
	struct imap_source source;
	struct imap_limits limits;
	const struct imap_body_sink *body; /* borrowed; NULL: nobody wants bodies, they are literals like others */
	char *in;			   /* own; received bytes are in[start, end) */
	size_t start, end, cap;
	size_t last;			   /* length at `start` of the response given out last */
	struct buf head;		   /* the text of a response whose body literal was diverted */
	int64_t part_since_ms, part_bytes; /* of the line or literal that is being waited for */
	int64_t progress_ms;		   /* when something came that was not mere chatter */
	int64_t patience_ms; /* silence before a response is borne so long; 0: only the source's limit. Each time that is over … */
	void (*silent)(void *userdata); /* … this is told; NULL: nobody */
	void *silent_userdata;
	bool *answered; /* borrowed; set when an answer to a command came, chatter and BYE not being one; may be NULL */
	int error;	/* 0 or the -errno that ended it */
	struct buf why;
};

/* `source` and `limits` are copied. 0 or -ENOMEM. */
int imap_guard_init(struct imap_guard *g, const struct imap_source *source, const struct imap_limits *limits);
void imap_guard_release(struct imap_guard *g);

/*
 * The next response; blank lines are skipped. -ENOTCONN at the stream's end, -ETIMEDOUT, -EPROTO (too long, no IMAP), -ENOMEM,
 * the source's or the sink's error.
 */
int imap_guard_next(struct imap_guard *g, struct imap_response *ret);

/* 0 or -errno. */
int imap_guard_write(struct imap_guard *g, const void *data, size_t len);

/*
 * Some of the bytes, and returns how many; 0 when there is a response, or the end of the connection, to be taken with
 * imap_guard_next() before the same bytes are tried again. -errno.
 */
ssize_t imap_guard_write_some(struct imap_guard *g, const void *data, size_t len);

/* Whether bytes were received behind the response given out last: after STARTTLS they are an attack (RFC 9051 section 6.2.1). */
bool imap_guard_has_more(const struct imap_guard *g);

/* Ends the guard's life with an error in words; returns `error`. The first one stays. */
int imap_guard_fail(struct imap_guard *g, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes to and replies from a server over a connection that libcurl made. For the smtp files alone.
 *
 * One thread. After any error the connection is of no use: `error` keeps it, and
 * every later call returns it.
 */
#ifndef MAILFS_SMTP_WIRE_H
#define MAILFS_SMTP_WIRE_H

#include <stdbool.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "net/smtp.h"

struct smtp_wire {
	CURLM *multi;		     /* own */
	CURL *curl;		     /* own; in `multi` */
	int fd;			     /* libcurl's, to be waited for only */
	int error;		     /* the first -errno; 0: sound */
	int reply_timeout_s;	     /* instead of what callers say; 0: as they say */
	const struct cancel *cancel; /* borrowed; NULL: never */
	struct buf in;		     /* received and not read */
};

void smtp_wire_release(struct smtp_wire *w);

/* Everything, taking in what the server says meanwhile: both sides may be stuck with full buffers otherwise. -ETIMEDOUT after
 * `timeout_s` without a byte leaving, -ECONNRESET, -ECANCELED, -EPROTO (a flood). */
int smtp_wire_send(struct smtp_wire *w, const void *data, size_t len, int timeout_s);

/* One reply with all its lines within `timeout_s`. -EPROTO when it is none, others as above. *ret is written in any case. */
int smtp_wire_reply(struct smtp_wire *w, int timeout_s, struct smtp_reply *ret);
/* After -ECANCELED from smtp_wire_reply(): the same reply may be waited for once more, and nothing cuts that short. False after any other error. */
bool smtp_wire_go_on(struct smtp_wire *w);

/* Without waiting, whether the server has said something that nobody read. An end of the connection is -ECONNRESET. */
int smtp_wire_has_input(struct smtp_wire *w);

#endif

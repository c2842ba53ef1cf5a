/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libetpan as far as it is used: SASL exchanges and the parsing of FETCH responses. The only file that calls it.
 *
 * It never sees the server's bytes but through the guard, one response at a time, and of those only what it is known to survive:
 * continuations of a SASL exchange, FETCH responses of the shape that was asked for, without bodies (imap_shape.h), and tagged lines reduced to OK, NO or
 * BAD. All else goes to the record and no further. One thread, that of its session.
 */
#ifndef MAILFS_IMAP_ETPAN_H
#define MAILFS_IMAP_ETPAN_H

#include "backend/imap_session.h"

struct imap_etpan;

/* Any thread, once before the others are started or by imap_etpan_new() itself. */
void imap_etpan_init(void);

/* `s` is borrowed. 0 or -ENOMEM. */
int imap_etpan_new(struct imap_session *s, struct imap_etpan **ret);
void imap_etpan_free(struct imap_etpan *e);

/*
 * AUTHENTICATE with one of SASL's mechanisms. 0: a tagged response came, see the record. -EOPNOTSUPP: SASL has no such mechanism or did not
 * like the server's words; the session goes on. Else the session is lost.
 */
int imap_etpan_authenticate(struct imap_etpan *e, const char *mechanism, const char *host, const char *user, const char *password);

/* A FETCH response. Borrowed. */
struct imap_items {
	uint32_t uid;	   /* 0: not told */
	const char *flags; /* canonical; NULL: not told */
	bool has_date, has_size, has_body;
	int64_t date_s, size_bytes;
	struct imap_text body; /* of BODY[…]; data NULL for NIL */
	bool body_diverted;
};

/*
 * Reads the responses of the FETCH command sent with `tag`. One more may have been sent behind it: the server may mix the answers to both, so `each` gets
 * those of either. What `each` returns below 0 ends the session. 0: the tagged response came, see the record. -EPROTO: a response that cannot be read; like all other
 * errors it costs the session.
 */
int imap_etpan_fetch(struct imap_etpan *e, unsigned tag, int (*each)(void *userdata, const struct imap_items *items),
		     void *userdata);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libetpan as far as it is used: SASL exchanges. The only file that calls it.
 *
 * It never sees the server's bytes but through the guard, one response at a time, and of those only what it is known to survive:
 * continuations of a SASL exchange, and tagged lines reduced to OK, NO or BAD. All else goes to the record and no further. One thread, that
 * of its session.
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

#endif

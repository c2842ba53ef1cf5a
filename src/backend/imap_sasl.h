/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SASL exchanges (RFC 9051 section 6.2.2), which libetpan leads. The only file that calls it.
 *
 * It never sees the server's bytes but through the guard, one response at a time, and of those only what it is known to survive:
 * continuations, and tagged lines reduced to OK, NO or BAD. All else goes to the record and no further. One thread, that of its
 * session.
 */
#ifndef MAILFS_IMAP_SASL_H
#define MAILFS_IMAP_SASL_H

#include "backend/imap_session.h"

/*
 * AUTHENTICATE with one of SASL's mechanisms. 0: a tagged response came, see the record. -EOPNOTSUPP: SASL has no such
 * mechanism or did not like the server's words; the session goes on. Else the session is lost.
 */
int imap_sasl_authenticate(struct imap_session *s, const char *mechanism, const char *user, const char *password);

#endif

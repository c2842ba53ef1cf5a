/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signing in (RFC 9051 sections 6.2.2 and 6.2.3): which mechanism, in what order, and what a refusal means.
 */
#ifndef MAILFS_IMAP_AUTH_H
#define MAILFS_IMAP_AUTH_H

#include "backend/imap_session.h"

/*
 * Signs in with the mechanism of the options, or, with "auto", the strongest that both sides have; one that fails for another
 * reason than wrong credentials gives way to the next. Sets s->mechanism. -EACCES: refused, or no way to sign in; -EAGAIN: not
 * now; else the session is lost. Never sends a secret without TLS but to loopback.
 */
int imap_auth_sign_in(struct imap_session *s);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One message after another over a signed-in connection: MAIL, RCPT, DATA, RSET, QUIT (RFC 5321, 2920, 6152, 1870, 3461, 6531).
 *
 * For smtp.c alone, whose thread it runs in. Knows nothing of how the connection came about.
 */
#ifndef MAILFS_SMTP_DIALOGUE_H
#define MAILFS_SMTP_DIALOGUE_H

#include "net/smtp.h"
#include "net/smtp_wire.h"

/* smtp_send() over `w`. */
int smtp_dialogue_send(struct smtp_wire *w, const struct smtp_capabilities *c, const struct smtp_message *m,
		       struct smtp_result *ret);

/* Says QUIT and waits a moment for the answer. */
void smtp_dialogue_quit(struct smtp_wire *w);

#endif

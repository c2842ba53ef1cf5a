/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What user.mail.dsn asks for: delivery status notifications (RFC 3461), as words that people write. Pure.
 *
 * `never`, or some of `success`, `failure` and `delay`; `ret=full` or `ret=hdrs`: how much of the message comes back. In any case, with commas, and
 * blanks if one likes, between them.
 */
#ifndef MAILFS_OUTBOX_DSN_H
#define MAILFS_OUTBOX_DSN_H

#include "net/smtp.h"

struct dsn {
	char notify[32]; /* the value of NOTIFY, "" where the server is to choose */
	const char *ret; /* the value of RET or NULL. Static */
	char envid[101]; /* the Message-ID without its angle brackets, "" where it is too long for an ENVID */
};

/* -EINVAL: other words, none, `never` among others, or both of `ret`. A word may stand twice. */
int dsn_parse(const char *text, struct dsn *ret);

/* Fills in the message's notices from user.mail.dsn (NULL, or no such text: none) and its Message-ID. They point into *d. */
void dsn_ask(const char *text, const char *message_id, struct dsn *d, struct smtp_message *message);

#endif

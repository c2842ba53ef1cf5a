/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An SMTP reply put together from its lines. Pure; for the smtp files alone.
 */
#ifndef MAILFS_SMTP_REPLY_H
#define MAILFS_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "net/smtp.h"

/* Takes one line, with or without its end, into a reply that was all zero before its first. 1: more lines follow, 0: that was
 * the last, -EPROTO: not a reply. */
int smtp_reply_add_line(struct smtp_reply *r, const char *line, size_t len);

/* 2 for 2yz, and so on; 0 for none. */
int smtp_reply_class(const struct smtp_reply *r);

/* Whether it concerns the session, not the message: 421 (going away) and 530 (sign-in needed). */
bool smtp_reply_ends_session(const struct smtp_reply *r);

/* One that the server did not send. `enhanced` may be "". */
void smtp_reply_make(struct smtp_reply *r, int code, const char *enhanced, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif

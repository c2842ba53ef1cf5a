/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a server says from its greeting to the end of AUTH, line by line, while libcurl speaks. Pure; for smtp.c alone.
 */
#ifndef MAILFS_SMTP_GREETING_H
#define MAILFS_SMTP_GREETING_H

#include <stdbool.h>
#include <stddef.h>

#include "net/smtp.h"

struct smtp_greeting {
	struct smtp_capabilities capabilities; /* of the last EHLO: none survives STARTTLS */
	char mechanisms[128];		       /* behind AUTH, "" where it was not offered */
	struct smtp_reply reply;	       /* the present one, or the last */
	bool is_within_reply;
	bool tls_is_next; /* since STARTTLS was accepted */
	int replies, lines;
};

/* 0, or -EPROTO: not SMTP, or no end of it. */
int smtp_greeting_add_line(struct smtp_greeting *g, const char *line, size_t len);

#endif

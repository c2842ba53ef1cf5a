/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A FETCH response as libetpan may see it: of the items that mailfs asks for, each in its plain form, those that describe the message. The body or header
 * fields are taken out, so that neither literals nor sections reach libetpan's parser, which costs it most of its time and has cost it its memory.
 *
 * One belongs to one session. Knows no session.
 */
#ifndef MAILFS_IMAP_SHAPE_H
#define MAILFS_IMAP_SHAPE_H

#include "backend/imap_reply.h"

struct imap_shape {
	struct buf lean; /* own; "* 5 FETCH (UID 7 FLAGS ())" and a line end */
	bool has_body;
	struct imap_text body; /* of BODY[…]; data NULL for NIL. In the response, or in `unquoted` */
	struct buf unquoted;   /* own */
};

/* Takes a FETCH response apart; valid as long as the response. False when it holds anything that was not asked for, or in a form that RFC 9051 does not have. */
bool imap_shape_read(struct imap_shape *shape, const struct imap_response *response);
void imap_shape_release(struct imap_shape *shape);

#endif

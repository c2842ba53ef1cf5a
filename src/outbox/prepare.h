/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message as it is sent, or as its copy is filed, made from the message as it was written.
 *
 * The same input gives the same bytes each time, so that nothing prepared needs to be kept. Streams from descriptor to descriptor; memory does not grow with the body.
 */
#ifndef MAILFS_OUTBOX_PREPARE_H
#define MAILFS_OUTBOX_PREPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "outbox/parts.h"
#include "outbox/survey.h"

/* All borrowed. */
struct prepare_options {
	const char *own;	/* the `from` key: its first is the From of a message that has none */
	const char *message_id; /* given to a message that has none */
	int64_t date_s;		/* and the Date */
	bool keeps_bcc;		/* the sent folder's copy */
	bool takes_eightbit;	/* the server offered 8BITMIME, or it is a copy */
};

struct prepared {
	int64_t size_bytes;
	bool is_eightbit;	 /* header or body */
	bool is_header_eightbit; /* an address in it is not ASCII: it needs SMTPUTF8 (RFC 6531 3.1) */
};

/* Writes to fd_out from its present position on. -EINVAL with `why` where it cannot be sent as it is and encoding it would alter it; else 0 or -errno. */
int prepare_message(int fd_in, int fd_out, const struct prepare_options *options, struct prepared *ret, struct buf *why);

/* prepare_header.c: appends the header as it is sent, the empty line included; `encoding` of the message as a part. */
int prepare_header(const struct survey *s, const struct prepare_options *options, enum part_encoding encoding, struct buf *out,
		   struct buf *why);
/* RFC 2045 6.1; NULL for PART_AS_IS. */
const char *prepare_encoding_name(enum part_encoding encoding);

/* prepare_body.c: writes what stands behind the header, each part encoded as planned. */
int prepare_body(int fd_in, const struct survey *s, const struct parts *parts, struct line_writer *w, struct buf *why);

/* prepare_field.c: appends a field that holds raw 8-bit bytes as ASCII (RFC 2047, for parameters RFC 2231), with CRLF. Addresses that are not ASCII themselves stay as they are. */
struct header_field;
int prepare_encode_field(const struct header_field *field, struct buf *out, struct buf *why);
/* `Alice <alice@example.com>` as it stands in a header. */
struct address;
int prepare_append_address(const struct address *a, struct buf *out);

#endif

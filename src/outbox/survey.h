/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One look over a message as it was written: its header, what its body is made of, and whether it can be sent at all.
 *
 * Pure but for reading the descriptor; memory does not grow with the body.
 */
#ifndef MAILFS_OUTBOX_SURVEY_H
#define MAILFS_OUTBOX_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
	SURVEY_HEADER_MAX = 1024 * 1024, /* bytes */
	SURVEY_LINE_MAX = 998,		 /* octets without CRLF: RFC 5322 2.1.1 */
};

struct survey {
	struct buf header;   /* own; every line with CRLF, the empty one at the end included, added where missing */
	int64_t body_offset; /* in the file */
	bool is_eightbit;    /* the body */
	bool is_utf8;	     /* its 8-bit bytes are valid UTF-8 */
	bool has_long_line;  /* over SURVEY_LINE_MAX in the body */
};

/*
 * -EINVAL with `why`: no header field at the start, a line in the header that is none, a header of over a megabyte or with a line over 998
 * octets, NUL or a bare CR anywhere, a multipart whose closing boundary is missing. Else 0 or -errno of reading.
 */
int survey_message(int fd, struct survey *ret, struct buf *why);
void survey_release(struct survey *s);

static inline void survey_cleanup(struct survey *s)
{
	survey_release(s);
}

#endif

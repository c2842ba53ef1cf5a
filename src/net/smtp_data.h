/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message in a file as what follows DATA (RFC 5321 4.5.2): dot-stuffed, and ended by CRLF.CRLF, in blocks of bounded memory.
 *
 * Refuses what is not CRLF lines: servers differ in where they see the end of a message around a bare CR or LF, and what one
 * takes for text another takes for the next command ("SMTP smuggling").
 */
#ifndef MAILFS_SMTP_DATA_H
#define MAILFS_SMTP_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct smtp_data {
	int fd; /* borrowed; its position is left alone */
	int64_t offset, size;
	bool at_line_start;
	bool after_cr;
};

void smtp_data_init(struct smtp_data *d, int fd, int64_t size_bytes);

/* Replaces `out` by the next block, with *ret_is_last where the message and its end are in it. -EIO when the file is shorter
 * than it should be or cannot be read, -EINVAL at a bare CR or LF, -ENOMEM. */
int smtp_data_next(struct smtp_data *d, struct buf *out, bool *ret_is_last);

/* Reads all of it, to know that the above will not fail. */
int smtp_data_check(int fd, int64_t size_bytes);

#endif

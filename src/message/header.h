/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header fields of an RFC 5322 message: found, unfolded, and told from the body. Tolerant: CRLF or LF lines, raw 8-bit,
 * missing fields, lines of any length, NULs. Pure.
 */
#ifndef MAILFS_HEADER_H
#define MAILFS_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* One field as it stands in the message. All pointers into the caller's bytes. */
struct header_field {
	const char *name;
	size_t name_len;
	const char *value; /* behind the colon, folding included, without the last line end */
	size_t value_len;
	const char *raw; /* the whole field with its last line end */
	size_t raw_len;
};

/* Steps through the fields: start with *offset 0. True while there is a field; false at the empty line, at a line that is no
 * field, or at the end, with *offset at the first byte behind the header (behind the empty line if there is one). */
bool header_next(const char *message, size_t len, size_t *offset, struct header_field *ret);

/* Length of the header including the empty line; without one, up to the first line that is no field, or `len`. */
size_t header_length(const char *message, size_t len);

/* The first field called `name` (without case). */
bool header_find(const char *message, size_t len, const char *name, struct header_field *ret);

/* Appends the field's value unfolded (RFC 5322 2.2.3), outer white space and NULs removed, still encoded. 0 or -ENOMEM. */
int header_unfold(const struct header_field *field, struct buf *out);

/* Finds, unfolds, decodes RFC 2047: UTF-8 text, one line, for people. -ENOENT when there is no such field. */
int header_text(const char *message, size_t len, const char *name, struct buf *out);

#endif

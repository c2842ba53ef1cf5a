/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a response that the guard has cut out: status texts with their codes (RFC 9051 section 7.1, RFC 5530), and a scanner over
 * atoms, strings, numbers and lists (section 4). Pure; looks at nothing behind the end it was given; every byte may be hostile.
 */
#ifndef MAILFS_IMAP_REPLY_H
#define MAILFS_IMAP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/imap_guard.h"
#include "base/buf.h"

enum imap_status { STATUS_OK, STATUS_NO, STATUS_BAD, STATUS_BYE, STATUS_PREAUTH, STATUS_NONE };

/* "OK [CODE arguments] text". Pieces of the response. */
struct imap_condition {
	enum imap_status status; /* STATUS_NONE: the response is not a status */
	struct imap_text code, arguments, text;
};

void imap_condition_read(const struct imap_response *response, struct imap_condition *ret);

/* The errno of a NO with this code (empty: none): -EDQUOT, -EACCES, -EEXIST, -ENXIO, -ENOLINK, -EAGAIN…, else -EIO. */
int imap_code_errno(struct imap_text code);

/* Appends `text` fit for a line: control characters and what is not UTF-8 become `?`, at most 400 bytes. */
void imap_text_show(struct imap_text text, struct buf *out);

/* A place in a response. Each scan_*() moves it behind what it read and returns true, or leaves it and returns false. */
struct imap_scan {
	const char *at, *end;
};

struct imap_scan imap_scan_text(struct imap_text text);
bool imap_scan_char(struct imap_scan *s, char c);
/* One or more characters that end before a space, a parenthesis or the end; quotes are no atom. */
bool imap_scan_atom(struct imap_scan *s, struct imap_text *ret);
bool imap_scan_number(struct imap_scan *s, uint64_t *ret);
/* An atom, a quoted string (unescaped) or a literal, into *out, which is emptied first. NIL as an atom is the text "NIL". */
bool imap_scan_string(struct imap_scan *s, struct buf *out);
/* NIL, without case, as a whole atom. */
bool imap_scan_nil(struct imap_scan *s);
/* Any value: atom, string, or a list with all that is in it (at most 16 deep). */
bool imap_scan_skip(struct imap_scan *s);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address lists of RFC 5322 3.4: mailboxes, groups, comments, quoted strings, obsolete routes; RFC 6532 UTF-8. Pure.
 */
#ifndef MAILFS_ADDRESS_H
#define MAILFS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct address {
	char *display; /* own; decoded UTF-8, NULL when there is none */
	char *local;   /* own; unquoted local part */
	char *domain;  /* own; NULL for a bare local name */
};

struct address_list {
	struct address *items; /* own */
	size_t n;
};

/* Parses unfolded `text` and appends to *list; group members stand flat in it, and semicolons separate like commas. -EINVAL where no
 * sense can be made of it (CR, LF or NUL anywhere, two words without <>, an empty local part or domain), -ENOMEM; *list is as before then. */
int address_parse(const char *text, size_t len, struct address_list *list);

/* The first mailbox alone; what follows it is not looked at, and may be cut off. */
int address_parse_first(const char *text, size_t len, struct address_list *list);

void address_list_release(struct address_list *list);

/* local@domain as an SMTP path wants it (RFC 5321 4.1.2): the local part quoted where it must be. */
int address_format(const struct address *a, struct buf *out);

/* Whether `a` is meant by one of `patterns` (the `from` key: comma-separated addresses with or without display names, `*@domain`);
 * domains and local parts compared without case. */
bool address_matches(const struct address *a, const char *patterns);

/* Whether any byte is outside ASCII in local part or domain: needs SMTPUTF8 (RFC 6531). */
bool address_is_international(const struct address *a);

static inline void address_list_cleanup(struct address_list *list)
{
	address_list_release(list);
}

#endif

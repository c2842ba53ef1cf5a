/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file name of a message. Made once, when the message is first seen; it never changes while UIDVALIDITY lasts, so it
 * depends on nothing but its arguments. Pure, any thread.
 *
 *   subject scheme   DATE_TIME_FROM_SUBJECT.UID.eml   at most 128 bytes
 *   uid scheme       UIDVALIDITY-UID.eml
 */
#ifndef MAILFS_NAME_H
#define MAILFS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message/date.h"

enum { MESSAGE_NAME_MAX = 128 };

/* The subject scheme. `header` holds the message's From, To/Cc and Subject fields as fetched (possibly cut off after 2048 bytes, possibly
 * empty). From's display name, else local part, at most 24 bytes; with `outgoing` (sent and drafts folders) `to-` and the first
 * recipient instead; Subject at most 72 bytes: RFC 2047 decoded to UTF-8, NFC, each run of what is neither letter, digit nor
 * combining mark one `-`, none at the ends; cut at a character. Empty: `unknown`, `no-subject`. */
void message_name_subject(const struct date_zone *zone, int64_t internaldate_s, const char *header, size_t header_len,
			  bool outgoing, uint32_t uid, char out[MESSAGE_NAME_MAX + 1]);

void message_name_uid(uint32_t uidvalidity, uint32_t uid, char out[MESSAGE_NAME_MAX + 1]);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Base64 (RFC 2045 6.8), read tolerantly and written on one line. Pure.
 */
#ifndef MAILFS_BASE64_H
#define MAILFS_BASE64_H

#include "base/buf.h"

/* Skips what is not of the alphabet; padding ends a group, more may follow it. 0 or -ENOMEM. */
int base64_decode(const char *text, size_t len, struct buf *out);

/* Padded, without line breaks. 0 or -ENOMEM. */
int base64_encode(const char *bytes, size_t len, struct buf *out);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IMAP's modified UTF-7 (RFC 3501 5.1.3), both ways. Pure.
 */
#ifndef MAILFS_MODIFIED_UTF7_H
#define MAILFS_MODIFIED_UTF7_H

#include "base/buf.h"

/* Appends UTF-8. -EINVAL, `out` untouched, when the bytes are not exactly what modified_utf7_encode() makes of the result, or hold a NUL. */
int modified_utf7_decode(const char *wire, size_t len, struct buf *out);

/* Appends the one canonical form. -EINVAL, `out` untouched, when `text` is not valid UTF-8 or holds a NUL. */
int modified_utf7_encode(const char *text, size_t len, struct buf *out);

#endif

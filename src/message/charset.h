/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text in any charset to UTF-8, through iconv, under the names that mail uses and with the supersets that browsers take
 * (iso-8859-1 is windows-1252, gb2312 is gb18030). Any thread; keeps nothing.
 */
#ifndef MAILFS_CHARSET_H
#define MAILFS_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * Appends `text` as valid UTF-8: what cannot be decoded becomes U+FFFD; control characters stay. `charset` is a MIME name or alias. NULL
 * or unknown: UTF-8 where the text is that (cut off within its last character or not), else windows-1252. 0 or -ENOMEM.
 */
int charset_to_utf8(const char *charset, const char *text, size_t len, struct buf *out);

bool charset_is_ascii(const char *text, size_t len);

/* Whether the text is valid UTF-8 throughout. */
bool charset_is_utf8(const char *text, size_t len);

#endif

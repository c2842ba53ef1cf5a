/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RFC 2047 encoded words, decoded and made; charsets through iconv. Output of decoding is always valid UTF-8 without control
 * characters: what cannot be decoded becomes U+FFFD, raw 8-bit text is taken as UTF-8 where it is that, else as
 * windows-1252. Adjacent encoded words are joined before charset decoding (a character may be split over two). Pure.
 */
#ifndef MAILFS_ENCODED_WORD_H
#define MAILFS_ENCODED_WORD_H

#include "base/buf.h"

int encoded_word_decode(const char *text, size_t len, struct buf *out);

/* Encodes UTF-8 `text` as unstructured header text: ASCII as is, else =?utf-8?…?= words of at most 75 bytes, folded by CRLF SP. */
int encoded_word_encode(const char *text, size_t len, struct buf *out);

/* Any charset (a MIME name or alias, NULL or unknown: as raw text above) to valid UTF-8. */
int charset_to_utf8(const char *charset, const char *text, size_t len, struct buf *out);

#endif

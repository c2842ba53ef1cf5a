/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RFC 2047 encoded words, decoded and made; charsets through iconv. Output of decoding is always valid UTF-8 without control
 * characters: what cannot be decoded becomes U+FFFD, raw 8-bit text is taken as UTF-8 where it is that, else as
 * windows-1252. Adjacent encoded words are joined before charset decoding (a character may be split over two). Pure.
 */
#ifndef MAILFS_ENCODED_WORD_H
#define MAILFS_ENCODED_WORD_H

#include "base/buf.h"
#include "message/charset.h"

/* Unfolded `text`, for people. Lines and control characters in it become spaces. 0 or -ENOMEM. */
int encoded_word_decode(const char *text, size_t len, struct buf *out);

/* Length of the encoded word that `text` begins with, 0 if it does not begin with one. */
size_t encoded_word_span(const char *text, size_t len);

/* Encodes UTF-8 `text` as unstructured header text: ASCII words as they are, what is from the first to the last other one as =?utf-8?b?…?=
 * words of at most 75 bytes, folded by CRLF SP. 0 or -ENOMEM. */
int encoded_word_encode(const char *text, size_t len, struct buf *out);

#endif

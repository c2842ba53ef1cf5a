/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/words.h"

#include <string.h>

#include "message/charset.h"

/* Of the character that stands first, which is no ASCII; 0 when there is none. */
static size_t character_length(const char *text)
{
	unsigned char c = (unsigned char)*text;
	size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	return strnlen(text, len) == len && charset_is_utf8(text, len) ? len : 0;
}

/* The length of a character that may be printed, else 0. */
static size_t harmless_length(const char *text)
{
	unsigned char c = (unsigned char)*text;

	if (c < 0x80)
		return c >= ' ' && c != 0x7f;
	/* U+0080 to U+009F */
	if (c == 0xc2 && (unsigned char)text[1] < 0xa0)
		return 0;
	return character_length(text);
}

/* How much is left out where that is 0: a C1 control is two bytes. */
static size_t harmful_length(const char *text)
{
	return (unsigned char)*text == 0xc2 && character_length(text) ? 2 : 1;
}

int words_append(struct buf *out, const char *words, char instead)
{
	int r = 0;

	while (*words && !r) {
		size_t len = harmless_length(words);

		r = len ? buf_append(out, words, len) : buf_append_char(out, instead);
		words += len ? len : harmful_length(words);
	}
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/encoded_word.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "message/base64.h"

enum { CHARSET_SIZE = 64 };

/* =?charset?encoding?payload?= within the caller's text. */
struct encoded_word {
	char charset[CHARSET_SIZE]; /* without the language of RFC 2231 */
	char encoding;		    /* 'b' or 'q' */
	const char *payload;
	size_t payload_len;
	const char *end; /* behind the closing ?= */
};

struct decoder {
	const char *end;     /* of the text */
	const char *closing; /* the first "?=" behind the last place asked for, `end` if there is none: nothing is searched twice */
	struct buf *out;
	struct buf pending; /* decoded bytes of adjacent words of one charset */
	char charset[CHARSET_SIZE];
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Control characters would let a subject forge lines or move a terminal's cursor: each becomes a space. C1 ones are two bytes. */
static void blank_control_characters(struct buf *out, size_t start)
{
	size_t kept = start;

	for (size_t i = start; i < out->len; i++) {
		unsigned char c = (unsigned char)out->data[i];

		if (c == 0xc2 && (unsigned char)out->data[i + 1] < 0xa0) {
			c = ' ';
			i++;
		}
		out->data[kept++] = c < ' ' || c == 0x7f ? ' ' : (char)c;
	}
	buf_truncate(out, kept);
}

static int append_text(const char *charset, const char *text, size_t len, struct buf *out)
{
	size_t start = out->len;
	int r = charset_to_utf8(charset, text, len, out);

	if (r == 0 && out->len > start)
		blank_control_characters(out, start);
	return r;
}

static const char *find_closing(struct decoder *d, const char *from)
{
	if (!d->closing || d->closing < from) {
		d->closing = memmem(from, (size_t)(d->end - from), "?=", 2);
		if (!d->closing)
			d->closing = d->end;
	}
	return d->closing < d->end ? d->closing : NULL;
}

static bool parse_word(struct decoder *d, const char *p, struct encoded_word *ret)
{
	const char *charset = p + 2;
	size_t len = 0;

	if (d->end - p < 2 || p[0] != '=' || p[1] != '?')
		return false;
	for (p = charset; p < d->end && *p != '?' && *p != '*'; p++, len++)
		if (len == CHARSET_SIZE - 1 || *p <= ' ' || *p >= 0x7f)
			return false;
	while (p < d->end && *p != '?' && !is_space(*p))
		p++;
	if (d->end - p < 3 || p[0] != '?' || p[2] != '?')
		return false;
	ret->encoding = (char)tolower((unsigned char)p[1]);
	ret->payload = p + 3;
	p = find_closing(d, ret->payload);
	if (!len || !p || (ret->encoding != 'b' && ret->encoding != 'q'))
		return false;
	memcpy(ret->charset, charset, len);
	ret->charset[len] = '\0';
	ret->payload_len = (size_t)(p - ret->payload);
	ret->end = p + 2;
	return true;
}

size_t encoded_word_span(const char *text, size_t len)
{
	enum { LONGEST = 1000 }; /* a header's longest line (RFC 5322 2.1.1); and no search through the rest for every =? */
	struct decoder d = { .end = text + (len < LONGEST ? len : LONGEST) };
	struct encoded_word word;

	return parse_word(&d, text, &word) ? (size_t)(word.end - text) : 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode_q(const char *p, size_t len, struct buf *out)
{
	const char *end = p + len;
	int r = buf_reserve(out, len);

	for (; r == 0 && p < end; p++) {
		bool escape = *p == '=' && end - p > 2 && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0;

		if (escape) {
			r = buf_append_char(out, (char)(hex_digit(p[1]) << 4 | hex_digit(p[2])));
			p += 2;
		} else {
			r = buf_append_char(out, *p == '_' ? ' ' : *p);
		}
	}
	return r;
}

static int flush(struct decoder *d)
{
	int r;

	if (!d->pending.len)
		return 0;
	r = append_text(d->charset, d->pending.data, d->pending.len, d->out);
	buf_truncate(&d->pending, 0);
	return r;
}

static int add_word(struct decoder *d, const struct encoded_word *word)
{
	int r = strcasecmp(d->charset, word->charset) ? flush(d) : 0;

	if (r < 0)
		return r;
	strcpy(d->charset, word->charset);
	if (word->encoding == 'q')
		return decode_q(word->payload, word->payload_len, &d->pending);
	return base64_decode(word->payload, word->payload_len, &d->pending);
}

/* Decodes words from *p on as long as only white space is between them, and leaves *p at the end of the last. */
static int decode_words(struct decoder *d, const char **p)
{
	struct encoded_word word;
	const char *next = *p;
	int r = 0;

	while (r == 0 && parse_word(d, next, &word)) {
		r = add_word(d, &word);
		*p = next = word.end;
		while (next < d->end && is_space(*next))
			next++;
	}
	return r < 0 ? r : flush(d);
}

static int decode(struct decoder *d, const char *p)
{
	const char *plain = p;

	while (p < d->end) {
		const char *start = memmem(p, (size_t)(d->end - p), "=?", 2);
		struct encoded_word word;
		int r;

		if (!start)
			break;
		if (!parse_word(d, start, &word)) {
			p = start + 2;
			continue;
		}
		r = append_text(NULL, plain, (size_t)(start - plain), d->out);
		if (r == 0)
			r = decode_words(d, &start);
		if (r < 0)
			return r;
		p = plain = start;
	}
	return append_text(NULL, plain, (size_t)(d->end - plain), d->out);
}

int encoded_word_decode(const char *text, size_t len, struct buf *out)
{
	struct decoder d = { .end = text + len, .out = out };
	size_t start = out->len;
	int r;

	if (!len)
		return 0;
	r = decode(&d, text);
	buf_release(&d.pending);
	if (r < 0)
		buf_truncate(out, start);
	return r;
}

static bool is_printable_ascii(char c)
{
	return (c >= ' ' && c < 0x7f) || c == '\t';
}

/* A word that would be read back as it stands. */
static bool is_plain(const char *p, const char *end)
{
	if (memmem(p, (size_t)(end - p), "=?", 2))
		return false;
	for (; p < end; p++)
		if (!is_printable_ascii(*p))
			return false;
	return true;
}

/* The end of the character at `p`: encoded words hold whole characters (RFC 2047 5). */
static const char *next_character(const char *p, const char *end)
{
	for (p++; p < end && ((unsigned char)*p & 0xc0) == 0x80;)
		p++;
	return p;
}

/* 45 bytes give 60 digits: with =?utf-8?b??= 72, and a line holds 76 (RFC 2047 2). The first shares its line with the field's name. */
static int encode_words(const char *p, const char *end, size_t room, struct buf *out)
{
	enum { ROOM = 45 };
	int r = 0;

	for (bool first = true; p < end && r == 0; first = false, room = ROOM) {
		const char *from = p;

		do
			p = next_character(p, end);
		while (p < end && (size_t)(next_character(p, end) - from) <= room);
		r = buf_append_str(out, first ? "=?utf-8?b?" : "\r\n =?utf-8?b?");
		if (r == 0)
			r = base64_encode(from, (size_t)(p - from), out);
		if (r == 0)
			r = buf_append_str(out, "?=");
	}
	return r;
}

/* The first byte of the blank-separated words that have to be encoded, and the end of the last; false when there are none. */
static bool find_foreign_words(const char *p, const char *end, const char **ret_first, const char **ret_last)
{
	bool found = false;

	while (p < end) {
		const char *word = p;

		while (p < end && *p != ' ')
			p++;
		if (!is_plain(word, p)) {
			if (!found)
				*ret_first = word;
			*ret_last = p;
			found = true;
		}
		while (p < end && *p == ' ')
			p++;
	}
	return found;
}

int encoded_word_encode(const char *text, size_t len, struct buf *out)
{
	enum { FIRST_ROOM = 33 };
	const char *end = text + len;
	const char *first = text, *last = text;
	size_t start = out->len;
	int r;

	if (!find_foreign_words(text, end, &first, &last))
		return buf_append(out, text, len);
	r = buf_append(out, text, (size_t)(first - text));
	if (r == 0)
		r = encode_words(first, last, FIRST_ROOM, out);
	if (r == 0)
		r = buf_append(out, last, (size_t)(end - last));
	if (r < 0)
		buf_truncate(out, start);
	return r;
}

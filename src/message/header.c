/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/header.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "message/encoded_word.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_name_byte(char c)
{
	return c > ' ' && c < 0x7f && c != ':';
}

/* The first byte behind the line that begins at `p`. */
static const char *next_line(const char *p, const char *end)
{
	const char *newline = memchr(p, '\n', (size_t)(end - p));

	return newline ? newline + 1 : end;
}

static bool is_empty_line(const char *p, const char *end)
{
	if (p < end && *p == '\r')
		p++;
	return p < end && *p == '\n';
}

/* Blanks before the colon are obsolete syntax (RFC 5322 4.5), and still sent. */
static bool parse_field(const char *p, const char *end, struct header_field *ret)
{
	const char *name_end = p;
	const char *colon;
	const char *behind;

	while (name_end < end && is_name_byte(*name_end))
		name_end++;
	for (colon = name_end; colon < end && is_blank(*colon);)
		colon++;
	if (name_end == p || colon == end || *colon != ':')
		return false;
	behind = next_line(colon, end);
	while (behind < end && is_blank(*behind))
		behind = next_line(behind, end);
	ret->name = ret->raw = p;
	ret->name_len = (size_t)(name_end - p);
	ret->raw_len = (size_t)(behind - p);
	ret->value = colon + 1;
	if (behind > ret->value && behind[-1] == '\n')
		behind--;
	if (behind > ret->value && behind[-1] == '\r')
		behind--;
	ret->value_len = (size_t)(behind - ret->value);
	return true;
}

bool header_next(const char *message, size_t len, size_t *offset, struct header_field *ret)
{
	const char *end = message + len;
	const char *p = message + *offset;

	if (*offset >= len)
		return false;
	if (parse_field(p, end, ret)) {
		*offset += ret->raw_len;
		return true;
	}
	if (is_empty_line(p, end))
		*offset = (size_t)(next_line(p, end) - message);
	return false;
}

size_t header_length(const char *message, size_t len)
{
	struct header_field field;
	size_t offset = 0;

	while (header_next(message, len, &offset, &field))
		;
	return offset;
}

bool header_find(const char *message, size_t len, const char *name, struct header_field *ret)
{
	size_t name_len = strlen(name);
	struct header_field field;
	size_t offset = 0;

	while (header_next(message, len, &offset, &field)) {
		if (field.name_len == name_len && !strncasecmp(field.name, name, name_len)) {
			*ret = field;
			return true;
		}
	}
	return false;
}

static bool is_line_noise(char c)
{
	return c == '\r' || c == '\n' || c == '\0';
}

static bool is_outer(char c)
{
	return is_blank(c) || is_line_noise(c);
}

int header_unfold(const struct header_field *field, struct buf *out)
{
	const char *p = field->value;
	const char *end = p + field->value_len;
	size_t start = out->len;

	while (p < end && is_outer(*p))
		p++;
	while (end > p && is_outer(end[-1]))
		end--;
	while (p < end) {
		const char *run = p;
		int r;

		while (p < end && !is_line_noise(*p))
			p++;
		r = buf_append(out, run, (size_t)(p - run));
		if (r < 0) {
			buf_truncate(out, start);
			return r;
		}
		while (p < end && is_line_noise(*p))
			p++;
	}
	return 0;
}

int header_text(const char *message, size_t len, const char *name, struct buf *out)
{
	CLEANUP(buf) struct buf unfolded = BUF_INIT;
	struct header_field field;
	int r;

	if (!header_find(message, len, name, &field))
		return -ENOENT;
	r = header_unfold(&field, &unfolded);
	if (r < 0)
		return r;
	return encoded_word_decode(buf_str(&unfolded), unfolded.len, out);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/mime.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "message/charset.h"
#include "message/header.h"

enum { CHARSET_SIZE = 64 };

/* One attribute=value; RFC 2231's marks split off the attribute: name*2* is section 2, extended. */
struct parameter {
	const char *name;
	size_t name_len;
	int section;	  /* -1: not in sections */
	bool extended;	  /* percent-encoded */
	struct buf value; /* own; unquoted */
};

static void parameter_release(struct parameter *p)
{
	buf_release(&p->value);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_spaces(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

static const char *skip_comment(const char *p, const char *end)
{
	int depth = 0;

	while (p < end) {
		char c = *p++;

		if (c == '\\' && p < end)
			p++;
		depth += (c == '(') - (c == ')');
		if (!depth)
			break;
	}
	return p;
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (is_blank(*p) || *p == '('))
		p = *p == '(' ? skip_comment(p, end) : p + 1;
	return p;
}

/* An unquoted value: up to the semicolon, for file names with blanks are common; without a comment behind a single word. */
static const char *read_bare(const char *p, const char *end, struct buf *out, int *r)
{
	const char *from = p;
	const char *behind = p;

	while (behind < end && *behind != ';')
		behind++;
	end = behind;
	while (end > from && is_blank(end[-1]))
		end--;
	while (p < end && !is_blank(*p))
		p++;
	if (p < end && end[-1] == ')' && *skip_spaces(p, end) == '(')
		end = p;
	*r = buf_append(out, from, (size_t)(end - from));
	return behind;
}

static const char *read_quoted(const char *p, const char *end, struct buf *out, int *r)
{
	for (p++; *r == 0 && p < end && *p != '"'; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		*r = buf_append_char(out, *p);
	}
	return p < end ? p + 1 : p;
}

/* Takes "*", "*2" and "*2*" off the end of the attribute. */
static void split_attribute(struct parameter *ret)
{
	const char *star = memchr(ret->name, '*', ret->name_len);
	const char *end = ret->name + ret->name_len;
	int section = 0;
	const char *p;

	ret->section = -1;
	ret->extended = false;
	if (!star)
		return;
	ret->name_len = (size_t)(star - ret->name);
	ret->extended = end[-1] == '*';
	for (p = star + 1; p < end && isdigit((unsigned char)*p) && section < 1000; p++)
		section = section * 10 + (*p - '0');
	if (p > star + 1)
		ret->section = section;
}

/* The next parameter behind a semicolon; false when there is none. *p moves behind it. */
static bool next_parameter(const char **p, const char *end, struct parameter *ret, int *r)
{
	const char *at = *p;

	buf_truncate(&ret->value, 0);
	for (;;) {
		at = skip_blanks(at, end);
		if (at == end)
			return false;
		if (*at == ';') {
			at++;
			continue;
		}
		ret->name = at;
		while (at < end && *at != '=' && *at != ';' && !is_blank(*at))
			at++;
		ret->name_len = (size_t)(at - ret->name);
		at = skip_blanks(at, end);
		if (at < end && *at == '=' && ret->name_len)
			break;
		while (at < end && *at != ';') /* words that are no parameter */
			at++;
	}
	at = skip_blanks(at + 1, end);
	*p = at < end && *at == '"' ? read_quoted(at, end, &ret->value, r) : read_bare(at, end, &ret->value, r);
	split_attribute(ret);
	return *r == 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int append_unescaped(const char *p, const char *end, struct buf *out)
{
	int r = 0;

	for (; r == 0 && p < end; p++) {
		if (*p == '%' && end - p > 2 && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
			r = buf_append_char(out, (char)(hex_digit(p[1]) << 4 | hex_digit(p[2])));
			p += 2;
		} else {
			r = buf_append_char(out, *p);
		}
	}
	return r;
}

/* A value under way: its sections joined, the charset of the first. */
struct assembly {
	struct buf bytes;
	char charset[CHARSET_SIZE];
};

/* charset'language'text, in the first section; later ones have the text alone. */
static int append_section(const struct parameter *p, bool first, struct assembly *a)
{
	const char *text = buf_str(&p->value);
	const char *end = text + p->value.len;
	const char *quote = first && p->extended ? memchr(text, '\'', p->value.len) : NULL;
	const char *second = quote ? memchr(quote + 1, '\'', (size_t)(end - quote - 1)) : NULL;

	if (!p->extended)
		return buf_append(&a->bytes, text, p->value.len);
	if (second) {
		if (quote - text < CHARSET_SIZE)
			snprintf(a->charset, sizeof a->charset, "%.*s", (int)(quote - text), text);
		text = second + 1;
	}
	return append_unescaped(text, end, &a->bytes);
}

/* Appends what parameter `name` has as section `section` (-1: as a whole) to *a. -ENOENT when there is none. */
static int find_section(const char *value, size_t len, const char *name, int section, bool extended_only, struct assembly *a)
{
	const char *end = value + len;
	const char *p = memchr(value, ';', len);
	struct parameter parameter = { .value = BUF_INIT };
	size_t name_len = strlen(name);
	int r = 0;
	int found = -ENOENT;

	while (p && found == -ENOENT && next_parameter(&p, end, &parameter, &r)) {
		if (parameter.name_len != name_len || strncasecmp(parameter.name, name, name_len) || parameter.section != section)
			continue;
		if (parameter.extended || !extended_only)
			found = append_section(&parameter, section <= 0, a);
	}
	parameter_release(&parameter);
	return r < 0 ? r : found;
}

/* The encoded forms first: who sends them sends the plain one for readers that know no better. */
static int assemble(const char *value, size_t len, const char *name, struct assembly *a)
{
	enum { MOST_SECTIONS = 100 }; /* each is a search of its own */
	int r = find_section(value, len, name, -1, true, a);

	if (r != -ENOENT)
		return r;
	for (int section = 0; section < MOST_SECTIONS; section++) {
		r = find_section(value, len, name, section, false, a);
		if (r == -ENOENT && section)
			return 0;
		if (r < 0)
			break;
	}
	return r == -ENOENT ? find_section(value, len, name, -1, false, a) : r;
}

int mime_parameter(const char *value, size_t len, const char *name, struct buf *out)
{
	struct assembly a = { .bytes = BUF_INIT };
	size_t start = out->len;
	int r = assemble(value, len, name, &a);

	if (r == 0 && *a.charset)
		r = charset_to_utf8(a.charset, buf_str(&a.bytes), a.bytes.len, out);
	else if (r == 0)
		r = buf_append(out, buf_str(&a.bytes), a.bytes.len);
	buf_release(&a.bytes);
	if (r < 0)
		buf_truncate(out, start);
	return r;
}

static bool ends_line(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	return p == end || *p == '\n';
}

/* Whether --boundary-- stands on a line of its own (RFC 2046 5.1.1). */
static bool has_closing_line(const char *body, size_t len, const char *line, size_t line_len)
{
	const char *end = body + len;
	const char *p = body;

	while ((p = memmem(p, (size_t)(end - p), line, line_len))) {
		if ((p == body || p[-1] == '\n') && ends_line(p + line_len, end))
			return true;
		p++;
	}
	return false;
}

bool mime_is_unfinished(const char *message, size_t len)
{
	CLEANUP(buf) struct buf type = BUF_INIT;
	CLEANUP(buf) struct buf line = BUF_INIT;
	struct header_field field;
	size_t header_len;

	if (!header_find(message, len, "Content-Type", &field) || header_unfold(&field, &type) < 0)
		return false;
	if (strncasecmp(buf_str(&type), "multipart/", 10))
		return false;
	if (buf_append_str(&line, "--") < 0)
		return false;
	if (mime_parameter(type.data, type.len, "boundary", &line) < 0)
		return true;
	if (buf_append_str(&line, "--") < 0)
		return false;
	header_len = header_length(message, len);
	return !has_closing_line(message + header_len, len - header_len, line.data, line.len);
}

bool message_is_plausible(const char *message, size_t len)
{
	struct header_field field;
	size_t offset = 0;

	return header_next(message, len, &offset, &field);
}

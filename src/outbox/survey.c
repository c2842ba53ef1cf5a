/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/survey.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "message/header.h"
#include "message/mime.h"
#include "outbox/lines.h"

/* Where in a sequence of UTF-8 (RFC 3629) the last byte left us. */
struct utf8 {
	unsigned char low, high; /* the next byte's bounds */
	int missing;
	bool is_invalid;
};

static void utf8_byte(struct utf8 *u, unsigned char c)
{
	if (u->missing) {
		u->is_invalid |= c < u->low || c > u->high;
		u->missing--;
		u->low = 0x80;
		u->high = 0xbf;
		return;
	}
	u->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	u->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c >= 0xc2 && c <= 0xdf)
		u->missing = 1;
	else if (c >= 0xe0 && c <= 0xef)
		u->missing = 2;
	else if (c >= 0xf0 && c <= 0xf4)
		u->missing = 3;
	else
		u->is_invalid |= c >= 0x80;
}

/* What the lines so far have told. */
struct look {
	struct survey survey;
	struct line_reader reader;
	int64_t line_number;
	struct utf8 utf8;
	struct buf closing; /* own; "--boundary--" of a multipart that still has to come */
};

static void look_cleanup(struct look *l)
{
	survey_release(&l->survey);
	buf_release(&l->closing);
}

static int refuse(const struct look *l, struct buf *why, const char *what)
{
	int r = buf_printf(why, "line %lld %s", (long long)l->line_number, what);

	return r < 0 ? r : -EINVAL;
}

static int check_bytes(const struct look *l, const struct line *line, struct buf *why)
{
	if (memchr(line->text, '\0', line->len))
		return refuse(l, why, "holds a NUL byte, which mail cannot carry");
	if (memchr(line->text, '\r', line->len))
		return refuse(l, why, "holds a carriage return that is not followed by a line feed");
	return 0;
}

static int look_at_header(struct look *l, struct buf *why)
{
	struct buf *header = &l->survey.header;
	struct line line;
	int r;

	while ((r = line_reader_next(&l->reader, &line)) > 0) {
		l->line_number++;
		r = check_bytes(l, &line, why);
		if (r < 0)
			return r;
		if (line.len > SURVEY_LINE_MAX || !line.is_last)
			return refuse(l, why, "of the header is longer than the 998 bytes that mail allows: fold it");
		r = buf_append(header, line.text, line.len);
		if (!r)
			r = buf_append(header, "\r\n", 2);
		if (r < 0)
			return r;
		if (line.len == 0)
			return 0;
		if (header->len > SURVEY_HEADER_MAX)
			return refuse(l, why, "of the header is past its first megabyte");
	}
	return r < 0 ? r : buf_append(header, "\r\n", 2);
}

/* The line on which header_next() stopped. */
static int refuse_line_at(struct look *l, size_t offset, struct buf *why)
{
	const char *header = l->survey.header.data;

	l->line_number = 1;
	for (size_t i = 0; i < offset; i++)
		l->line_number += header[i] == '\n';
	return refuse(l, why, "is neither a header field nor the empty line before the text");
}

static int check_header(struct look *l, struct buf *why)
{
	const struct buf *header = &l->survey.header;
	struct header_field field;
	size_t offset = 0;
	int r;

	if (!message_is_plausible(header->data, header->len)) {
		r = buf_append_str(why, "not a message: it does not begin with a header field such as To: or Subject:");
		return r < 0 ? r : -EINVAL;
	}
	while (header_next(header->data, header->len, &offset, &field))
		;
	return offset < header->len ? refuse_line_at(l, offset, why) : 0;
}

static int find_boundary(struct look *l, struct buf *why)
{
	CLEANUP(buf) struct buf type = BUF_INIT;
	struct header_field field;
	int r;

	if (!header_find(l->survey.header.data, l->survey.header.len, "Content-Type", &field))
		return 0;
	r = header_unfold(&field, &type);
	if (r < 0 || strncasecmp(buf_str(&type), "multipart/", 10))
		return r;
	r = buf_append_str(&l->closing, "--");
	if (!r)
		r = mime_parameter(type.data, type.len, "boundary", &l->closing);
	if (r == -ENOENT) {
		r = buf_append_str(why, "a multipart that names no boundary");
		return r < 0 ? r : -EINVAL;
	}
	return r < 0 ? r : buf_append_str(&l->closing, "--");
}

static bool is_closing(const struct look *l, const struct line *line)
{
	if (!l->closing.len || line->len < l->closing.len || memcmp(line->text, l->closing.data, l->closing.len))
		return false;
	for (size_t i = l->closing.len; i < line->len; i++)
		if (line->text[i] != ' ' && line->text[i] != '\t')
			return false;
	return true;
}

static int look_at_body(struct look *l, struct buf *why)
{
	struct survey *s = &l->survey;
	bool is_start = true;
	size_t line_len = 0;
	struct line line;
	int r;

	while ((r = line_reader_next(&l->reader, &line)) > 0) {
		l->line_number += is_start;
		r = check_bytes(l, &line, why);
		if (r < 0)
			return r;
		if (is_start && line.is_last && is_closing(l, &line))
			buf_release(&l->closing);
		for (size_t i = 0; i < line.len; i++) {
			s->is_eightbit |= (unsigned char)line.text[i] >= 0x80;
			utf8_byte(&l->utf8, (unsigned char)line.text[i]);
		}
		line_len += line.len;
		s->has_long_line |= line_len > SURVEY_LINE_MAX;
		is_start = line.is_last;
		if (!line.is_last)
			continue;
		l->utf8.is_invalid |= l->utf8.missing > 0;
		line_len = 0;
	}
	s->is_utf8 = !l->utf8.is_invalid;
	return r;
}

int survey_message(int fd, struct survey *ret, struct buf *why)
{
	CLEANUP(look) struct look l = { .survey = { .header = BUF_INIT } };
	int r;

	line_reader_init(&l.reader, fd, 0);
	r = look_at_header(&l, why);
	if (!r)
		r = check_header(&l, why);
	if (!r)
		r = find_boundary(&l, why);
	if (r < 0)
		return r;
	l.survey.body_offset = l.reader.offset - (int64_t)(l.reader.end - l.reader.start);
	r = look_at_body(&l, why);
	if (r < 0)
		return r;
	if (l.closing.len) {
		r = buf_append_str(why, "cut off: the closing boundary of the multipart is missing");
		return r < 0 ? r : -EINVAL;
	}
	*ret = l.survey;
	l.survey = (struct survey){ .header = BUF_INIT };
	return 0;
}

void survey_release(struct survey *s)
{
	buf_release(&s->header);
}

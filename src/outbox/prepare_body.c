/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include <strings.h>

#include "message/base64.h"
#include "message/header.h"
#include "outbox/prepare.h"

enum { ENCODED_LINE_MAX = 76 }; /* RFC 2045 6.7, 6.8: what stands for a line break of the encoding included */

/* The part that is being written. */
struct part_writer {
	struct line_writer *out;
	enum part_encoding encoding;
	size_t column;	   /* quoted-printable */
	struct buf group;  /* own; base64: bytes that make no line yet */
	bool has_line_end; /* base64: the last line's, which is the part's only if another line follows (RFC 2046 5.1.1) */
};

static inline void part_writer_cleanup(struct part_writer *w)
{
	buf_release(&w->group);
}

static int put_quoted(struct line_writer *w, const struct line *line, size_t *column)
{
	static const char hex[] = "0123456789ABCDEF";
	int r = 0;

	for (size_t i = 0; i < line->len && !r; i++) {
		unsigned char c = (unsigned char)line->text[i];
		/* White space at the end of a line would be lost, and a dot alone on it is nobody's business but SMTP's. */
		bool is_literal = (c > ' ' && c < 0x7f && c != '=') || ((c == ' ' || c == '\t') && i + 1 < line->len);
		const char code[] = { '=', hex[c >> 4], hex[c & 15] };
		size_t len = is_literal ? 1 : sizeof code;

		if (*column + len > ENCODED_LINE_MAX - 1) {
			r = line_writer_put(w, "=\r\n", 3);
			*column = 0;
		}
		if (!r)
			r = is_literal ? line_writer_put(w, line->text + i, 1) : line_writer_put(w, code, sizeof code);
		*column += len;
	}
	return r;
}

static int put_group(struct part_writer *w, size_t len)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	int r = base64_encode(w->group.data, len, &text);

	if (r == 0)
		r = buf_append_str(&text, "\r\n");
	if (r == 0)
		r = line_writer_put(w->out, text.data, text.len);
	buf_consume(&w->group, len);
	return r;
}

static int put_base64(struct part_writer *w, const char *bytes, size_t len)
{
	enum { GROUP_BYTES = ENCODED_LINE_MAX / 4 * 3 };
	int r = buf_append(&w->group, bytes, len);

	while (r == 0 && w->group.len >= GROUP_BYTES)
		r = put_group(w, GROUP_BYTES);
	return r;
}

static int put_base64_line(struct part_writer *w, const struct line *line)
{
	int r = w->has_line_end ? put_base64(w, "\r\n", 2) : 0;

	w->has_line_end = line->is_last;
	return r < 0 ? r : put_base64(w, line->text, line->len);
}

static int put_plain(struct part_writer *w, const struct line *line)
{
	int r = line_writer_put(w->out, line->text, line->len);

	return r < 0 || !line->is_last ? r : line_writer_put(w->out, "\r\n", 2);
}

static int put_quoted_line(struct part_writer *w, const struct line *line)
{
	int r = put_quoted(w->out, line, &w->column);

	if (r < 0 || !line->is_last)
		return r;
	w->column = 0;
	return line_writer_put(w->out, "\r\n", 2);
}

static int put_line(struct part_writer *w, const struct line *line)
{
	switch (w->encoding) {
	case PART_QUOTED_PRINTABLE:
		return put_quoted_line(w, line);
	case PART_BASE64:
		return put_base64_line(w, line);
	case PART_AS_IS:
	case PART_SEVENBIT:
		break;
	}
	return put_plain(w, line);
}

/* The last line end before a delimiter is the delimiter's; at the end of the message it is the part's. */
static int end_part(struct part_writer *w, bool is_end_of_message)
{
	int r = w->has_line_end && is_end_of_message ? put_base64(w, "\r\n", 2) : 0;

	if (r == 0 && w->group.len)
		r = put_group(w, w->group.len);
	w->has_line_end = false;
	w->column = 0;
	return r;
}

/* A part's header; where it is encoded, with that instead of what it said. */
static int put_header(struct line_writer *out, const struct buf *header, enum part_encoding encoding)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct header_field field;
	size_t at = 0, end = 0;
	int r;

	if (encoding == PART_AS_IS)
		return header->len ? line_writer_put(out, header->data, header->len) : 0;
	r = buf_printf(&text, "Content-Transfer-Encoding: %s\r\n", prepare_encoding_name(encoding));
	while (r == 0 && header_next(header->data, header->len, &at, &field)) {
		end = (size_t)(field.raw - header->data) + field.raw_len;
		if (field.name_len != strlen("Content-Transfer-Encoding") ||
		    strncasecmp(field.name, "Content-Transfer-Encoding", field.name_len))
			r = buf_append(&text, field.raw, field.raw_len);
	}
	if (r == 0)
		r = buf_append(&text, header->data + end, header->len - end);
	return r < 0 ? r : line_writer_put(out, text.data, text.len);
}

static int put_walked(struct parts_walk *walk, const struct parts *parts, int kind, const struct line *line, struct part_writer *w)
{
	int r = 0;

	switch (kind) {
	case PARTS_HEADER:
		return 0;
	case PARTS_HEADER_END:
		return put_header(w->out, &walk->header, parts_encoding(parts, walk->current));
	case PARTS_BODY:
		w->encoding = parts_encoding(parts, walk->current);
		return put_line(w, line);
	case PARTS_DELIMITER:
		r = end_part(w, false);
		if (r == 0)
			r = put_header(w->out, &walk->header, PART_AS_IS);
		break;
	default:
		break;
	}
	return r < 0 ? r : put_plain(w, line);
}

static int walk_body(struct line_reader *reader, const struct survey *s, const struct parts *parts, struct part_writer *w,
		     struct buf *why)
{
	CLEANUP(parts_walk) struct parts_walk walk;
	struct line line;
	int r = parts_walk_init(&walk, &s->header, why);

	while (r >= 0 && (r = line_reader_next(reader, &line)) > 0) {
		r = parts_walk_next(&walk, &line, why);
		if (r >= 0)
			r = put_walked(&walk, parts, r, &line, w);
	}
	if (r == 0 && !walk.is_entering && !walk.is_delimited)
		r = put_header(w->out, &walk.header, PART_AS_IS);
	return r < 0 ? r : end_part(w, true);
}

int prepare_body(int fd_in, const struct survey *s, const struct parts *parts, struct line_writer *w, struct buf *why)
{
	CLEANUP(part_writer) struct part_writer writer = { .out = w, .group = BUF_INIT };
	struct line_reader reader;
	struct line line;
	int r;

	line_reader_init(&reader, fd_in, s->body_offset);
	if (parts->list)
		return walk_body(&reader, s, parts, &writer, why);
	while ((r = line_reader_next(&reader, &line)) > 0) {
		r = put_plain(&writer, &line);
		if (r < 0)
			return r;
	}
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/prepare.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "message/header.h"
#include "outbox/lines.h"

enum { QUOTED_PRINTABLE_LINE_MAX = 76 }; /* RFC 2045 6.7, its soft line break included */

/* The value of a field, "" when there is none. */
static int field_text(const struct survey *s, const char *name, struct buf *out)
{
	struct header_field field;

	return header_find(s->header.data, s->header.len, name, &field) ? header_unfold(&field, out) : 0;
}

/* Whether `value` is one of the n words, parameters and comments behind it aside. */
static bool is_one_of(const char *value, const char *const *words, size_t n)
{
	size_t len = strcspn(value, " \t;(");

	for (size_t i = 0; i < n; i++)
		if (strlen(words[i]) == len && !strncasecmp(value, words[i], len))
			return true;
	return false;
}

int prepare_choose_encoding(const struct survey *s, bool takes_eightbit, enum prepare_encoding *ret, struct buf *why)
{
	static const char *const plain[] = { "", "7bit", "8bit", "binary" };
	CLEANUP(buf) struct buf type = BUF_INIT;
	CLEANUP(buf) struct buf encoding = BUF_INIT;
	const char *reason =
		s->has_long_line ? "a line is longer than the 998 bytes that mail allows" : "the server takes no 8-bit text";
	int r;

	if (!s->has_long_line && (takes_eightbit || !s->is_eightbit)) {
		*ret = PREPARE_AS_IS;
		return 0;
	}
	r = field_text(s, "Content-Type", &type);
	if (!r)
		r = field_text(s, "Content-Transfer-Encoding", &encoding);
	if (r < 0)
		return r;
	if ((type.len && strncasecmp(type.data, "text/", 5)) ||
	    !is_one_of(buf_str(&encoding), plain, sizeof plain / sizeof *plain)) {
		r = buf_printf(why, "%s, and only a message of one text part is encoded here: encode its parts", reason);
		return r < 0 ? r : -EINVAL;
	}
	*ret = PREPARE_QUOTED_PRINTABLE;
	return 0;
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

		if (*column + len > QUOTED_PRINTABLE_LINE_MAX - 1) {
			r = line_writer_put(w, "=\r\n", 3);
			*column = 0;
		}
		if (!r)
			r = is_literal ? line_writer_put(w, line->text + i, 1) : line_writer_put(w, code, sizeof code);
		*column += len;
	}
	return r;
}

static int put_body(struct line_reader *reader, struct line_writer *w, enum prepare_encoding encoding)
{
	size_t column = 0;
	struct line line;
	int r;

	while ((r = line_reader_next(reader, &line)) > 0) {
		if (encoding == PREPARE_QUOTED_PRINTABLE)
			r = put_quoted(w, &line, &column);
		else
			r = line_writer_put(w, line.text, line.len);
		if (!r && line.is_last) {
			r = line_writer_put(w, "\r\n", 2);
			column = 0;
		}
		if (r < 0)
			return r;
	}
	return r;
}

int prepare_message(int fd_in, int fd_out, const struct prepare_options *options, struct prepared *ret, struct buf *why)
{
	CLEANUP(survey) struct survey s = { .header = BUF_INIT };
	CLEANUP(buf) struct buf header = BUF_INIT;
	enum prepare_encoding encoding;
	struct line_reader reader;
	struct line_writer writer;
	bool is_header_eightbit;
	int r;

	r = survey_message(fd_in, &s, why);
	if (!r)
		r = prepare_choose_encoding(&s, options->takes_eightbit, &encoding, why);
	if (!r)
		r = prepare_header(&s, options, encoding, &header, why);
	if (r < 0)
		return r;
	line_reader_init(&reader, fd_in, s.body_offset);
	line_writer_init(&writer, fd_out);
	r = line_writer_put(&writer, header.data, header.len);
	is_header_eightbit = writer.is_eightbit;
	if (!r)
		r = put_body(&reader, &writer, encoding);
	if (!r)
		r = line_writer_flush(&writer);
	if (r < 0)
		return r;
	*ret = (struct prepared){ writer.size_bytes, writer.is_eightbit, is_header_eightbit };
	return 0;
}

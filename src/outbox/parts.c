/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "message/charset.h"
#include "message/header.h"
#include "message/mime.h"

static int refuse(struct buf *why, const char *what)
{
	int r = buf_append_str(why, what);

	return r < 0 ? r : -EINVAL;
}

/* ------------------------------------------------------------ what a part is */

/* The value of a field, "" when there is none. */
static int field_text(const struct buf *header, const char *name, struct buf *out)
{
	struct header_field field;

	return header_find(buf_str(header), header->len, name, &field) ? header_unfold(&field, out) : 0;
}

static bool begins(const char *value, const char *with)
{
	return !strncasecmp(value, with, strlen(with));
}

/* The value without parameters and comments. */
static bool is_word(const char *value, const char *word)
{
	size_t len = strcspn(value, " \t;(");

	return len == strlen(word) && !strncasecmp(value, word, len);
}

static void note_encoding(struct part *p, const char *encoding)
{
	p->says_eightbit = is_word(encoding, "8bit") || is_word(encoding, "binary");
	p->is_encoded = *encoding && !p->says_eightbit && !is_word(encoding, "7bit");
}

static int add_part(struct parts_walk *w, bool is_sealed, struct buf *why)
{
	struct part *more;

	if (w->n == PARTS_MAX)
		return refuse(why, "it has too many parts");
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 16;
		more = realloc(w->list, w->cap * sizeof *more);
		if (!more)
			return -ENOMEM;
		w->list = more;
	}
	w->current = w->n++;
	w->list[w->current] = (struct part){ .is_sealed = is_sealed };
	return 0;
}

static int open_multipart(struct parts_walk *w, const char *type, struct buf *why)
{
	struct parts_level *level = &w->levels[w->depth];
	int r;

	if (w->depth == PARTS_DEPTH_MAX)
		return refuse(why, "its parts are nested too deep");
	buf_truncate(&level->delimiter, 0);
	r = buf_append_str(&level->delimiter, "--");
	if (r == 0)
		r = mime_parameter(type, strlen(type), "boundary", &level->delimiter);
	if (r < 0)
		return r;
	level->part = w->current;
	level->is_digest = is_word(type, "multipart/digest");
	w->list[w->current].is_composite = true;
	w->list[w->current].is_sealed |= is_word(type, "multipart/signed") || is_word(type, "multipart/encrypted");
	w->depth++;
	w->state = PARTS_BETWEEN;
	return 0;
}

/* A message in a message has a header of its own. */
static int open_message(struct parts_walk *w, struct buf *why)
{
	w->list[w->current].is_composite = true;
	w->state = PARTS_HEADER;
	w->is_in_digest = false;
	return add_part(w, w->list[w->current].is_sealed, why);
}

/* The current part's header is whole: what follows is its body, or parts of it. */
static int enter(struct parts_walk *w, const struct buf *header, struct buf *why)
{
	CLEANUP(buf) struct buf type = BUF_INIT;
	CLEANUP(buf) struct buf encoding = BUF_INIT;
	struct part *p = &w->list[w->current];
	int r = field_text(header, "Content-Type", &type);

	if (r == 0)
		r = field_text(header, "Content-Transfer-Encoding", &encoding);
	if (r == 0 && !type.len && w->is_in_digest)
		r = buf_append_str(&type, "message/rfc822"); /* RFC 2046 5.1.5 */
	if (r < 0)
		return r;
	note_encoding(p, buf_str(&encoding));
	p->is_text = !type.len || begins(buf_str(&type), "text/");
	w->state = PARTS_BODY;
	if (p->is_encoded)
		return 0;
	if (is_word(buf_str(&type), "message/rfc822"))
		return open_message(w, why);
	r = begins(buf_str(&type), "multipart/") ? open_multipart(w, type.data, why) : 0;
	/* One without a boundary, which nobody can look into, and pieces, references and the like (RFC 2046 5.2.2, 5.2.3). */
	w->list[w->current].is_sealed |= r == -ENOENT || begins(buf_str(&type), "message/");
	return r == -ENOENT ? 0 : r;
}

/* ------------------------------------------------------------ the walk */

int parts_walk_init(struct parts_walk *w, const struct buf *header, struct buf *why)
{
	int r;

	*w = (struct parts_walk){ .is_start = true };
	r = add_part(w, false, why);
	return r < 0 ? r : enter(w, header, why);
}

void parts_walk_release(struct parts_walk *w)
{
	free(w->list);
	w->list = NULL;
	buf_release(&w->header);
	for (size_t i = 0; i < PARTS_DEPTH_MAX; i++)
		buf_release(&w->levels[i].delimiter);
}

static bool is_delimiter(const struct parts_level *level, const struct line *line, bool *ret_closes)
{
	size_t len = level->delimiter.len;

	if (line->len < len || memcmp(line->text, level->delimiter.data, len))
		return false;
	*ret_closes = line->len >= len + 2 && !memcmp(line->text + len, "--", 2);
	for (len += *ret_closes ? 2 : 0; len < line->len; len++)
		if (line->text[len] != ' ' && line->text[len] != '\t')
			return false;
	return true;
}

/* The line may end more than the innermost multipart (RFC 2046 5.1.2). False when it is none. */
static bool find_delimiter(const struct parts_walk *w, const struct line *line, size_t *ret_level, bool *ret_closes)
{
	if (!w->is_start || !line->is_last || line->len < 2 || memcmp(line->text, "--", 2))
		return false;
	for (size_t i = w->depth; i > 0; i--)
		if (is_delimiter(&w->levels[i - 1], line, ret_closes)) {
			*ret_level = i - 1;
			return true;
		}
	return false;
}

static int delimit(struct parts_walk *w, size_t level, bool closes, struct buf *why)
{
	size_t of = w->levels[level].part;

	w->depth = level + !closes;
	w->current = of;
	w->is_in_digest = w->levels[level].is_digest;
	w->state = closes ? PARTS_BETWEEN : PARTS_HEADER;
	return closes ? 0 : add_part(w, w->list[of].is_sealed, why);
}

static int take_header(struct parts_walk *w, const struct line *line, bool is_start, struct buf *why)
{
	int r;

	if (w->header.len > SURVEY_HEADER_MAX)
		return refuse(why, "the header of one of its parts is over a megabyte");
	r = buf_append(&w->header, line->text, line->len);
	if (r == 0 && line->is_last)
		r = buf_append(&w->header, "\r\n", 2);
	if (r < 0 || !is_start || !line->is_last || line->len)
		return r < 0 ? r : PARTS_HEADER;
	return PARTS_HEADER_END;
}

/* What the last call left as it was for its caller to see. */
static int go_on(struct parts_walk *w, struct buf *why)
{
	int r = w->is_entering ? enter(w, &w->header, why) : 0;

	if (w->is_entering || w->is_delimited)
		buf_truncate(&w->header, 0);
	w->is_entering = w->is_delimited = false;
	return r;
}

int parts_walk_next(struct parts_walk *w, const struct line *line, struct buf *why)
{
	bool is_start = w->is_start, closes;
	size_t level;
	int r = go_on(w, why);

	if (r < 0)
		return r;
	if (is_start && find_delimiter(w, line, &level, &closes)) {
		w->is_delimited = true;
		r = delimit(w, level, closes, why);
		return r < 0 ? r : PARTS_DELIMITER;
	}
	w->is_start = line->is_last;
	if (w->state != PARTS_HEADER)
		return (int)w->state;
	r = take_header(w, line, is_start, why);
	w->is_entering = r == PARTS_HEADER_END;
	return r;
}

/* ------------------------------------------------------------ the plan */

static void note_line(struct parts_walk *w, struct parts *between, enum parts_line kind, const struct line *line, size_t line_len)
{
	bool is_eightbit = !charset_is_ascii(line->text, line->len), is_long = line_len > SURVEY_LINE_MAX;
	struct part *part = &w->list[w->current];

	if (kind == PARTS_BODY) {
		part->is_eightbit |= is_eightbit;
		part->is_long |= is_long;
	} else {
		between->is_eightbit |= is_eightbit;
		between->is_long |= is_long;
	}
}

static int look(int fd, const struct survey *s, struct parts *ret, struct buf *why)
{
	CLEANUP(parts_walk) struct parts_walk w;
	struct line_reader reader;
	size_t line_len = 0;
	struct line line;
	int r = parts_walk_init(&w, &s->header, why);

	line_reader_init(&reader, fd, s->body_offset);
	while (r >= 0 && (r = line_reader_next(&reader, &line)) > 0) {
		line_len += line.len;
		r = parts_walk_next(&w, &line, why);
		if (r >= 0)
			note_line(&w, ret, (enum parts_line)r, &line, line_len);
		line_len = line.is_last ? 0 : line_len;
	}
	ret->n = w.n;
	ret->list = steal_pointer(&w.list);
	return r;
}

static int refuse_altering(struct buf *why, bool is_long, const char *where)
{
	int r = buf_printf(why, "%s, and %s",
			   is_long ? "a line is longer than the 998 bytes that mail allows" : "the server takes no 8-bit text",
			   where);

	return r < 0 ? r : -EINVAL;
}

static int plan_part(struct part *p, bool is_first, bool takes_eightbit, struct buf *why)
{
	if (p->is_composite) {
		p->encoding = !takes_eightbit && (p->says_eightbit || is_first) ? PART_SEVENBIT : PART_AS_IS;
		return 0;
	}
	if (!p->is_long && (takes_eightbit || !p->is_eightbit))
		return 0;
	if (p->is_encoded)
		return refuse_altering(why, p->is_long, "what holds it says that it is encoded already");
	if (p->is_sealed)
		return refuse_altering(why, p->is_long, "what holds it is signed, encrypted or a piece: encoding would change it");
	p->encoding = p->is_text ? PART_QUOTED_PRINTABLE : PART_BASE64;
	return 0;
}

int parts_plan(int fd, const struct survey *s, bool takes_eightbit, struct parts *ret, struct buf *why)
{
	CLEANUP(parts) struct parts p = { .list = NULL };
	int r = 0;

	*ret = p;
	if (!s->has_long_line && (takes_eightbit || !s->is_eightbit))
		return 0;
	r = look(fd, s, &p, why);
	if (r == 0 && (p.is_long || (p.is_eightbit && !takes_eightbit)))
		r = refuse_altering(why, p.is_long, "it stands between its parts or in the header of one");
	for (size_t i = 0; r == 0 && i < p.n; i++)
		r = plan_part(&p.list[i], i == 0, takes_eightbit, why);
	if (r < 0)
		return r;
	*ret = p;
	p.list = NULL;
	return 0;
}

void parts_release(struct parts *p)
{
	free(p->list);
	p->list = NULL;
}

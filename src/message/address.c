/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/address.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "message/charset.h"
#include "message/encoded_word.h"

/*
 * One mailbox while it is read. What stands outside <> may turn out to be a display name or the address itself, so it is gathered
 * both ways: `phrase` with a space between words, `spec` without.
 */
struct reader {
	const char *p;
	const char *end;
	struct buf phrase;
	struct buf spec;
	struct buf comment; /* the last one: old mailers put the name there */
	size_t at;	    /* in spec, of the unquoted @; SIZE_MAX: there is none */
	bool spec_broken;   /* holds what no address can: two words, a second @, a stray bracket */
	bool in_angle, had_angle;
	bool pending_blank;
	struct address_list *list;
};

static void forget(struct reader *s)
{
	buf_truncate(&s->phrase, 0);
	buf_truncate(&s->spec, 0);
	buf_truncate(&s->comment, 0);
	s->at = SIZE_MAX;
	s->spec_broken = s->in_angle = s->had_angle = s->pending_blank = false;
}

/* Words behind <> mean nothing. */
static bool is_behind_angle(const struct reader *s)
{
	return s->had_angle && !s->in_angle;
}

/* A byte of a word; a blank before it parts two words of a phrase. */
static int put(struct reader *s, char c)
{
	int r = 0;

	if (is_behind_angle(s))
		return 0;
	if (!s->in_angle && s->pending_blank && s->phrase.len)
		r = buf_append_char(&s->phrase, ' ');
	s->pending_blank = false;
	if (r == 0 && !s->in_angle)
		r = buf_append_char(&s->phrase, c);
	return r == 0 ? buf_append_char(&s->spec, c) : r;
}

static void break_spec(struct reader *s)
{
	if (!is_behind_angle(s))
		s->spec_broken = true;
}

/* Within an address, blanks are legal round dots and the @ alone. */
static void check_gap(struct reader *s, char next)
{
	char last = s->spec.len ? s->spec.data[s->spec.len - 1] : '.';

	if (s->pending_blank && last != '.' && last != '@' && next != '.' && next != '@')
		break_spec(s);
}

/* "…" from the quote at s->p on. An unclosed one ends with the text. */
static int read_quoted(struct reader *s)
{
	int r = 0;

	check_gap(s, 'x');
	for (s->p++; r == 0 && s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		r = put(s, *s->p);
	}
	if (s->p < s->end)
		s->p++;
	else
		break_spec(s);
	return r;
}

/* (…), nested. */
static int read_comment(struct reader *s)
{
	int depth = 1;
	int r = 0;

	buf_truncate(&s->comment, 0);
	s->pending_blank = true;
	for (s->p++; r == 0 && s->p < s->end; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		else if (*s->p == '(')
			depth++;
		else if (*s->p == ')' && --depth == 0)
			break;
		r = buf_append_char(&s->comment, *s->p);
	}
	if (s->p < s->end)
		s->p++;
	return r;
}

/* [192.0.2.1], brackets kept: they are part of the domain. */
static int read_literal(struct reader *s)
{
	int r = 0;

	if (s->at == SIZE_MAX || s->at + 1 != s->spec.len)
		break_spec(s);
	for (; r == 0 && s->p < s->end && *s->p != ']'; s->p++)
		r = put(s, *s->p);
	if (r == 0 && s->p < s->end)
		r = put(s, *s->p++);
	return r;
}

static int open_angle(struct reader *s)
{
	if (s->had_angle)
		return -EINVAL;
	s->in_angle = s->had_angle = true;
	s->pending_blank = s->spec_broken = false;
	s->at = SIZE_MAX;
	buf_truncate(&s->spec, 0);
	s->p++;
	return 0;
}

/* A colon: the end of an obsolete route inside <>, else of a group's name. */
static int read_colon(struct reader *s)
{
	bool is_route = s->in_angle && s->spec.len && s->spec.data[0] == '@';

	if (!is_route && (s->had_angle || s->at != SIZE_MAX))
		return -EINVAL;
	s->p++;
	if (!is_route) {
		forget(s);
		return 0;
	}
	buf_truncate(&s->spec, 0);
	s->at = SIZE_MAX;
	s->spec_broken = s->pending_blank = false;
	return 0;
}

static int read_atom_byte(struct reader *s)
{
	char c = *s->p++;

	check_gap(s, c);
	if ((c == '@' && s->at != SIZE_MAX) || (c >= 0 && c < ' ') || c == 0x7f || c == '\\' || c == ']' || c == '>')
		break_spec(s);
	if (c == '@' && !is_behind_angle(s))
		s->at = s->spec.len;
	return put(s, c);
}

/* Unencoded commas and brackets within an encoded word are not allowed, and common. */
static int read_encoded_word(struct reader *s, size_t len)
{
	int r = 0;

	check_gap(s, 'x');
	for (; r == 0 && len; len--)
		r = put(s, *s->p++);
	return r;
}

static int copy_text(const char *text, size_t len, char **ret)
{
	*ret = strndup(text, len);
	return *ret ? 0 : -ENOMEM;
}

static int set_display(const struct reader *s, struct address *a)
{
	const struct buf *source = s->had_angle && s->phrase.len ? &s->phrase : &s->comment;
	CLEANUP(buf) struct buf text = BUF_INIT;
	int r = encoded_word_decode(buf_str(source), source->len, &text);

	if (r < 0 || !text.len)
		return r;
	a->display = buf_steal(&text);
	return 0;
}

static void address_release(struct address *a)
{
	free(a->display);
	free(a->local);
	free(a->domain);
}

static int add(struct address_list *list, const struct address *a)
{
	struct address *items = list->items;

	/* Grows by doubling: a list can have thousands. */
	if (!(list->n & (list->n - 1)))
		items = reallocarray(list->items, list->n ? list->n * 2 : 1, sizeof *items);
	if (!items)
		return -ENOMEM;
	list->items = items;
	list->items[list->n++] = *a;
	return 0;
}

static bool has_control_character(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return true;
	return false;
}

/* Quotes cannot smuggle into a domain what would end an SMTP path. */
static bool is_domain(const char *text, size_t len)
{
	bool literal = len > 2 && text[0] == '[' && text[len - 1] == ']';

	if (literal) {
		text++;
		len -= 2;
	}
	for (size_t i = 0; i < len; i++)
		if (strchr(literal ? " []<>\"\\" : " []()<>,;:@\"\\", text[i]))
			return false;
	return len;
}

static int build(const struct reader *s, struct address *a)
{
	size_t local_len = s->at == SIZE_MAX ? s->spec.len : s->at;
	const char *spec = buf_str(&s->spec);
	int r;

	if (s->spec_broken || !local_len || has_control_character(spec, s->spec.len) || !charset_is_utf8(spec, s->spec.len))
		return -EINVAL;
	if (s->at != SIZE_MAX && !is_domain(spec + local_len + 1, s->spec.len - local_len - 1))
		return -EINVAL;
	r = copy_text(spec, local_len, &a->local);
	if (r == 0 && s->at != SIZE_MAX)
		r = copy_text(spec + local_len + 1, s->spec.len - local_len - 1, &a->domain);
	return r < 0 ? r : set_display(s, a);
}

/* At a separator or the end: what was gathered becomes an address; nothing at all (obsolete empty elements) is nothing. */
static int finish(struct reader *s)
{
	struct address a = { 0 };
	int r;

	if (s->in_angle)
		return -EINVAL;
	if (!s->spec.len && !s->had_angle) {
		forget(s);
		return 0;
	}
	r = build(s, &a);
	if (r == 0)
		r = add(s->list, &a);
	if (r < 0)
		address_release(&a);
	forget(s);
	return r;
}

static int read_next(struct reader *s)
{
	size_t encoded;

	switch (*s->p) {
	case ' ':
	case '\t':
		s->p++;
		s->pending_blank = true;
		return 0;
	case '"':
		return read_quoted(s);
	case '(':
		return read_comment(s);
	case '[':
		return read_literal(s);
	case '<':
		return open_angle(s);
	case ':':
		return read_colon(s);
	case '>':
		if (!s->in_angle)
			return read_atom_byte(s);
		s->p++;
		s->in_angle = s->pending_blank = false;
		return 0;
	case ',':
		s->p++;
		return s->in_angle && s->spec.len && s->spec.data[0] == '@' ? 0 : finish(s); /* of a route: nothing */
	case ';':
		s->p++;
		return finish(s);
	default:
		encoded = s->in_angle ? 0 : encoded_word_span(s->p, (size_t)(s->end - s->p));
		return encoded ? read_encoded_word(s, encoded) : read_atom_byte(s);
	}
}

/* Until the list has `max` more items. */
static int parse(const char *text, size_t len, size_t max, struct address_list *list)
{
	struct reader s = { .p = text, .end = text + len, .at = SIZE_MAX, .list = list };
	size_t before = list->n;
	int r = 0;

	if (memchr(text, '\0', len) || memchr(text, '\r', len) || memchr(text, '\n', len))
		return -EINVAL;
	while (r == 0 && s.p < s.end && list->n - before < max)
		r = read_next(&s);
	if (r == 0 && list->n - before < max)
		r = finish(&s);
	while (r < 0 && list->n > before)
		address_release(&list->items[--list->n]);
	buf_release(&s.phrase);
	buf_release(&s.spec);
	buf_release(&s.comment);
	return r;
}

int address_parse(const char *text, size_t len, struct address_list *list)
{
	return parse(text, len, SIZE_MAX, list);
}

int address_parse_first(const char *text, size_t len, struct address_list *list)
{
	return parse(text, len, 1, list);
}

void address_list_release(struct address_list *list)
{
	if (!list)
		return;
	while (list->n)
		address_release(&list->items[--list->n]);
	free(list->items);
	list->items = NULL;
}

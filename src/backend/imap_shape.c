/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_shape.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool shape_word(struct imap_scan *s, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(s->end - s->at) < len || strncasecmp(s->at, word, len))
		return false;
	s->at += len;
	return true;
}

static bool shape_u32(struct imap_scan *s)
{
	uint64_t value;

	return imap_scan_number(s, &value) && value <= UINT32_MAX;
}

static bool shape_modseq(struct imap_scan *s)
{
	uint64_t value;

	return imap_scan_char(s, '(') && imap_scan_number(s, &value) && imap_scan_char(s, ')');
}

static bool is_flag_char(unsigned char c)
{
	return c > 0x20 && c < 0x7f && !strchr("(){%*\"\\]", c);
}

static bool shape_flags(struct imap_scan *s)
{
	const char *first;

	if (!imap_scan_char(s, '('))
		return false;
	while (!imap_scan_char(s, ')')) {
		imap_scan_char(s, '\\');
		for (first = s->at; s->at < s->end && is_flag_char((unsigned char)*s->at); s->at++)
			;
		if (s->at == first)
			return false;
		if (!imap_scan_char(s, ' ') && !(s->at < s->end && *s->at == ')'))
			return false;
	}
	return true;
}

/* No escapes, no control characters: fit for INTERNALDATE and for the strings of a section. */
static bool shape_quoted(struct imap_scan *s)
{
	if (!imap_scan_char(s, '"'))
		return false;
	while (s->at < s->end && *s->at != '"') {
		if ((unsigned char)*s->at < 0x20 || *s->at == '\\')
			return false;
		s->at++;
	}
	return imap_scan_char(s, '"');
}

static bool shape_literal(struct imap_scan *s, struct imap_text *ret)
{
	uint64_t size;

	if (!imap_scan_char(s, '{') || !imap_scan_number(s, &size) || !imap_scan_char(s, '}'))
		return false;
	imap_scan_char(s, '\r');
	if (!imap_scan_char(s, '\n') || size > (uint64_t)(s->end - s->at))
		return false;
	*ret = (struct imap_text){ s->at, (size_t)size };
	s->at += size;
	return true;
}

static bool shape_body(struct imap_shape *shape, struct imap_scan *s)
{
	shape->body = (struct imap_text){ NULL, 0 };
	if (imap_scan_nil(s) || shape_literal(s, &shape->body))
		return true;
	if (s->at == s->end || *s->at != '"' || !imap_scan_string(s, &shape->unquoted))
		return false;
	shape->body = (struct imap_text){ buf_str(&shape->unquoted), shape->unquoted.len };
	return true;
}

static bool shape_field_name(struct imap_scan *s)
{
	const char *first = s->at;

	while (s->at < s->end && (isalnum((unsigned char)*s->at) || *s->at == '-'))
		s->at++;
	return s->at > first;
}

/* BODY[…]<origin> up to its value: sections are nothing, or HEADER.FIELDS with names. */
static bool shape_section(struct imap_scan *s)
{
	if (!imap_scan_char(s, ']')) {
		if (!shape_word(s, "HEADER.FIELDS ("))
			return false;
		do {
			if (!shape_quoted(s) && !shape_field_name(s))
				return false;
		} while (imap_scan_char(s, ' '));
		if (!imap_scan_char(s, ')') || !imap_scan_char(s, ']'))
			return false;
	}
	return !imap_scan_char(s, '<') || (shape_u32(s) && imap_scan_char(s, '>'));
}

/* One item; whether it stays in the lean response. */
static bool shape_item(struct imap_shape *shape, struct imap_scan *s, bool *ret_stays)
{
	*ret_stays = true;
	if (shape_word(s, "UID ") || shape_word(s, "RFC822.SIZE "))
		return shape_u32(s);
	if (shape_word(s, "FLAGS "))
		return shape_flags(s);
	if (shape_word(s, "INTERNALDATE "))
		return shape_quoted(s);
	*ret_stays = false;
	if (shape_word(s, "MODSEQ "))
		return shape_modseq(s);
	if (shape->has_body || !shape_word(s, "BODY["))
		return false;
	shape->has_body = true;
	return shape_section(s) && imap_scan_char(s, ' ') && shape_body(shape, s);
}

bool imap_shape_read(struct imap_shape *shape, const struct imap_response *response)
{
	struct imap_scan s = imap_scan_text(response->rest);
	const char *from = response->all.data, *item;
	bool stays, first = true;

	shape->has_body = false;
	buf_truncate(&shape->lean, 0);
	if (!imap_scan_char(&s, '(') || buf_append(&shape->lean, from, (size_t)(s.at - from)) < 0)
		return false;
	do {
		item = s.at;
		if (!shape_item(shape, &s, &stays))
			return false;
		if (!stays)
			continue;
		if ((!first && buf_append_char(&shape->lean, ' ') < 0) || buf_append(&shape->lean, item, (size_t)(s.at - item)) < 0)
			return false;
		first = false;
	} while (imap_scan_char(&s, ' '));
	return !first && imap_scan_char(&s, ')') && s.at == s.end && buf_append_str(&shape->lean, ")\r\n") == 0;
}

void imap_shape_release(struct imap_shape *shape)
{
	buf_release(&shape->lean);
	buf_release(&shape->unquoted);
}

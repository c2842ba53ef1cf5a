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
static bool shape_quoted(struct imap_scan *s, bool escapes)
{
	if (!imap_scan_char(s, '"'))
		return false;
	for (; s->at < s->end && *s->at != '"'; s->at++) {
		if ((unsigned char)*s->at < 0x20)
			return false;
		if (*s->at != '\\')
			continue;
		if (!escapes || ++s->at == s->end || (*s->at != '"' && *s->at != '\\'))
			return false;
	}
	return imap_scan_char(s, '"');
}

static bool shape_literal(struct imap_scan *s)
{
	uint64_t size;

	if (!imap_scan_char(s, '{') || !shape_u32(&(struct imap_scan){ s->at, s->end }) || !imap_scan_number(s, &size) ||
	    !imap_scan_char(s, '}'))
		return false;
	if (!imap_scan_char(s, '\r') || !imap_scan_char(s, '\n') || size > (uint64_t)(s->end - s->at))
		return false;
	s->at += size;
	return true;
}

static bool shape_nstring(struct imap_scan *s)
{
	return imap_scan_nil(s) || shape_quoted(s, true) || shape_literal(s);
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
			if (!shape_quoted(s, false) && !shape_field_name(s))
				return false;
		} while (imap_scan_char(s, ' '));
		if (!imap_scan_char(s, ')') || !imap_scan_char(s, ']'))
			return false;
	}
	return !imap_scan_char(s, '<') || (shape_u32(s) && imap_scan_char(s, '>'));
}

static bool shape_item(struct imap_scan *s)
{
	if (shape_word(s, "UID ") || shape_word(s, "RFC822.SIZE "))
		return shape_u32(s);
	if (shape_word(s, "FLAGS "))
		return shape_flags(s);
	if (shape_word(s, "INTERNALDATE "))
		return shape_quoted(s, false);
	if (shape_word(s, "MODSEQ "))
		return shape_modseq(s);
	if (shape_word(s, "BODY["))
		return shape_section(s) && imap_scan_char(s, ' ') && shape_nstring(s);
	return false;
}

bool imap_shape_is_plain(struct imap_text items)
{
	struct imap_scan s = imap_scan_text(items);

	if (!imap_scan_char(&s, '('))
		return false;
	do {
		if (!shape_item(&s))
			return false;
	} while (imap_scan_char(&s, ' '));
	return imap_scan_char(&s, ')') && s.at == s.end;
}

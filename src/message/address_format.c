/* SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "message/address.h"
#include "message/charset.h"

/* RFC 5322 3.2.3, and 8-bit bytes for RFC 6532. */
static bool is_atom_byte(char c)
{
	return (unsigned char)c >= 0x80 || isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Atoms with single dots between them need no quotes. */
static bool is_dot_atom(const char *text)
{
	char last = '.';

	for (; *text; last = *text++)
		if (*text == '.' ? last == '.' : !is_atom_byte(*text))
			return false;
	return last != '.';
}

static int append_quoted(const char *text, struct buf *out)
{
	int r = buf_append_char(out, '"');

	for (; r == 0 && *text; text++) {
		if (*text == '"' || *text == '\\')
			r = buf_append_char(out, '\\');
		if (r == 0)
			r = buf_append_char(out, *text);
	}
	return r < 0 ? r : buf_append_char(out, '"');
}

int address_format(const struct address *a, struct buf *out)
{
	size_t start = out->len;
	int r = is_dot_atom(a->local) ? buf_append_str(out, a->local) : append_quoted(a->local, out);

	if (r == 0 && a->domain)
		r = buf_append_char(out, '@');
	if (r == 0 && a->domain)
		r = buf_append_str(out, a->domain);
	if (r < 0)
		buf_truncate(out, start);
	return r;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? !strcasecmp(a, b) : a == b;
}

bool address_matches(const struct address *a, const char *patterns)
{
	CLEANUP(address_list) struct address_list list = { 0 };

	if (address_parse(patterns, strlen(patterns), &list) < 0)
		return false;
	for (size_t i = 0; i < list.n; i++) {
		const struct address *pattern = &list.items[i];
		bool any_local = pattern->domain && !strcmp(pattern->local, "*");

		if (is_same(a->domain, pattern->domain) && (any_local || is_same(a->local, pattern->local)))
			return true;
	}
	return false;
}

bool address_is_international(const struct address *a)
{
	return !charset_is_ascii(a->local, strlen(a->local)) || (a->domain && !charset_is_ascii(a->domain, strlen(a->domain)));
}

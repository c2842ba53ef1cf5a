/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_reply.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { SCAN_DEPTH = 16, SHOWN_MAX = 400 };

void imap_condition_read(const struct imap_response *response, struct imap_condition *ret)
{
	static const char *const words[] = { "OK", "NO", "BAD", "BYE", "PREAUTH" };
	struct imap_text rest = response->rest;
	const char *close, *space;

	*ret = (struct imap_condition){ .status = STATUS_NONE };
	if (response->kind == RESPONSE_CONTINUATION)
		return;
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (imap_text_is(response->word, words[i]))
			ret->status = (enum imap_status)i;
	ret->text = rest;
	if (ret->status == STATUS_NONE || !rest.len || rest.data[0] != '[')
		return;
	close = memchr(rest.data, ']', rest.len);
	if (!close)
		return;
	ret->code = (struct imap_text){ rest.data + 1, (size_t)(close - rest.data) - 1 };
	ret->text = (struct imap_text){ close + 1, rest.len - (size_t)(close + 1 - rest.data) };
	if (ret->text.len && ret->text.data[0] == ' ') {
		ret->text.data++;
		ret->text.len--;
	}
	space = memchr(ret->code.data, ' ', ret->code.len);
	if (!space)
		return;
	ret->arguments = (struct imap_text){ space + 1, ret->code.len - (size_t)(space + 1 - ret->code.data) };
	ret->code.len = (size_t)(space - ret->code.data);
}

int imap_code_errno(struct imap_text code)
{
	static const struct {
		const char *code;
		int error;
	} table[] = {
		{ "OVERQUOTA", -EDQUOT },
		{ "NOPERM", -EACCES },
		{ "ALREADYEXISTS", -EEXIST },
		{ "NONEXISTENT", -ENXIO },
		{ "TRYCREATE", -ENOLINK },
		{ "LIMIT", -EAGAIN },
		{ "INUSE", -EAGAIN },
		{ "UNAVAILABLE", -EAGAIN },
		{ "TOOBIG", -EFBIG },
		{ "CANNOT", -EPERM },
		{ "HASCHILDREN", -ENOTEMPTY },
		{ "AUTHENTICATIONFAILED", -EACCES },
		{ "AUTHORIZATIONFAILED", -EACCES },
		{ "EXPIRED", -EACCES },
		{ "PRIVACYREQUIRED", -EACCES },
		{ "CONTACTADMIN", -EACCES },
		{ "EXPUNGEISSUED", -EAGAIN },
		{ "UNKNOWN-CTE", -EINVAL },
		{ "READ-ONLY", -EROFS },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (imap_text_is(code, table[i].code))
			return table[i].error;
	return -EIO;
}

void imap_text_show(struct imap_text text, struct buf *out)
{
	for (size_t i = 0; i < text.len && i < SHOWN_MAX; i++) {
		unsigned char c = (unsigned char)text.data[i];

		buf_append_char(out, c < 0x20 || c >= 0x7f ? '?' : (char)c);
	}
}

struct imap_scan imap_scan_text(struct imap_text text)
{
	const char *data = text.data ? text.data : "";

	return (struct imap_scan){ data, data + text.len };
}

bool imap_scan_char(struct imap_scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool is_atom_end(char c)
{
	return c == ' ' || c == '(' || c == ')' || c == '"' || (unsigned char)c < 0x20;
}

bool imap_scan_atom(struct imap_scan *s, struct imap_text *ret)
{
	const char *at = s->at;

	while (at < s->end && !is_atom_end(*at))
		at++;
	if (at == s->at || *s->at == '{')
		return false;
	*ret = (struct imap_text){ s->at, (size_t)(at - s->at) };
	s->at = at;
	return true;
}

bool imap_scan_number(struct imap_scan *s, uint64_t *ret)
{
	const char *at = s->at;
	uint64_t value = 0;

	for (; at < s->end && isdigit((unsigned char)*at); at++) {
		if (value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (uint64_t)(*at - '0');
	}
	if (at == s->at)
		return false;
	*ret = value;
	s->at = at;
	return true;
}

static bool scan_quoted(struct imap_scan *s, struct buf *out)
{
	const char *at = s->at + 1;

	for (; at < s->end && *at != '"'; at++) {
		if (*at == '\\' && ++at == s->end)
			return false;
		if (out && buf_append_char(out, *at) < 0)
			return false;
	}
	if (at == s->end)
		return false;
	s->at = at + 1;
	return true;
}

static bool scan_literal(struct imap_scan *s, struct buf *out)
{
	struct imap_scan t = *s;
	uint64_t size;

	if (!imap_scan_char(&t, '{') || !imap_scan_number(&t, &size) || !imap_scan_char(&t, '}'))
		return false;
	imap_scan_char(&t, '\r');
	if (!imap_scan_char(&t, '\n') || size > (uint64_t)(t.end - t.at))
		return false;
	if (out && buf_append(out, t.at, (size_t)size) < 0)
		return false;
	s->at = t.at + size;
	return true;
}

/* `out` NULL: only passed over. */
static bool scan_string(struct imap_scan *s, struct buf *out)
{
	struct imap_text atom;

	if (s->at < s->end && *s->at == '"')
		return scan_quoted(s, out);
	if (scan_literal(s, out))
		return true;
	if (!imap_scan_atom(s, &atom))
		return false;
	return !out || buf_append(out, atom.data, atom.len) == 0;
}

bool imap_scan_string(struct imap_scan *s, struct buf *out)
{
	buf_truncate(out, 0);
	return scan_string(s, out);
}

bool imap_scan_nil(struct imap_scan *s)
{
	struct imap_scan t = *s;
	struct imap_text atom;

	if (!imap_scan_atom(&t, &atom) || !imap_text_is(atom, "NIL"))
		return false;
	*s = t;
	return true;
}

bool imap_scan_skip(struct imap_scan *s)
{
	struct imap_scan t = *s;
	int depth = 0;

	do {
		if (imap_scan_char(&t, '(')) {
			if (++depth > SCAN_DEPTH)
				return false;
		} else if (depth && imap_scan_char(&t, ')')) {
			depth--;
		} else if (!(depth && imap_scan_char(&t, ' ')) && !scan_string(&t, NULL)) {
			return false;
		}
	} while (depth);
	*s = t;
	return true;
}

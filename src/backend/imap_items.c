/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_items.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "backend/imap_command.h"
#include "message/date.h"
#include "message/flags.h"
#include "message/modified_utf7.h"

void imap_items_reader_release(struct imap_items_reader *r)
{
	buf_release(&r->raw_flags);
	buf_release(&r->flags);
	buf_release(&r->unquoted);
	buf_release(&r->label);
	buf_release(&r->labels);
}

static bool items_word(struct imap_scan *s, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(s->end - s->at) < len || strncasecmp(s->at, word, len))
		return false;
	s->at += len;
	return true;
}

static bool items_u32(struct imap_scan *s, uint32_t *ret)
{
	uint64_t value;

	if (!imap_scan_number(s, &value) || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* ------------------------------------------------------------ flags */

static int read_flags(struct imap_items_reader *r, struct imap_text raw)
{
	int error;

	if (r->flags.data && raw.len == r->raw_flags.len && !memcmp(raw.data, r->raw_flags.data, raw.len))
		return 0;
	buf_truncate(&r->raw_flags, 0);
	buf_truncate(&r->flags, 0);
	error = buf_append(&r->raw_flags, raw.data, raw.len);
	if (error == 0)
		error = buf_reserve(&r->flags, 0);
	if (error == 0)
		error = flags_canonical_lenient(buf_str(&r->raw_flags), &r->flags);
	if (error < 0)
		buf_truncate(&r->raw_flags, 0); /* else the next one would take these flags for its own */
	return error;
}

static int items_flags(struct imap_items_reader *r, struct imap_scan *s, struct imap_items *ret)
{
	const char *close = s->at < s->end ? memchr(s->at, ')', (size_t)(s->end - s->at)) : NULL;
	struct imap_text raw;
	int error;

	if (!close || !imap_scan_char(s, '('))
		return -EPROTO;
	raw = (struct imap_text){ s->at, (size_t)(close - s->at) };
	for (size_t i = 0; i < raw.len; i++)
		if (strchr("(\"{", raw.data[i]) || (unsigned char)raw.data[i] < 0x20)
			return -EPROTO;
	s->at = close + 1;
	error = read_flags(r, raw);
	ret->flags = buf_str(&r->flags);
	return error;
}

/* ------------------------------------------------------------ date, body */

/* A quoted string without escapes or control characters: INTERNALDATE's, and those of a section. */
static bool items_quoted(struct imap_scan *s, struct imap_text *ret)
{
	const char *first = s->at + 1;

	if (!imap_scan_char(s, '"'))
		return false;
	while (s->at < s->end && *s->at != '"') {
		if ((unsigned char)*s->at < 0x20 || *s->at == '\\')
			return false;
		s->at++;
	}
	*ret = (struct imap_text){ first, (size_t)(s->at - first) };
	return imap_scan_char(s, '"');
}

static bool items_literal(struct imap_scan *s, struct imap_text *ret)
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

static bool items_field_name(struct imap_scan *s)
{
	const char *first = s->at;
	struct imap_text quoted;

	if (items_quoted(s, &quoted))
		return true;
	while (s->at < s->end && (isalnum((unsigned char)*s->at) || *s->at == '-'))
		s->at++;
	return s->at > first;
}

/* BODY[…]<origin> up to its value: sections are nothing, or HEADER.FIELDS with names. */
static bool items_section(struct imap_scan *s)
{
	uint32_t origin;

	if (!imap_scan_char(s, ']')) {
		if (!items_word(s, "HEADER.FIELDS ("))
			return false;
		do {
			if (!items_field_name(s))
				return false;
		} while (imap_scan_char(s, ' '));
		if (!imap_scan_char(s, ')') || !imap_scan_char(s, ']'))
			return false;
	}
	return !imap_scan_char(s, '<') || (items_u32(s, &origin) && imap_scan_char(s, '>'));
}

static bool items_body(struct imap_items_reader *r, struct imap_scan *s, struct imap_items *ret)
{
	if (ret->has_body || !items_section(s) || !imap_scan_char(s, ' '))
		return false;
	ret->has_body = true;
	if (imap_scan_nil(s) || items_literal(s, &ret->body))
		return true;
	if (s->at == s->end || *s->at != '"' || !imap_scan_string(s, &r->unquoted))
		return false;
	ret->body = (struct imap_text){ buf_str(&r->unquoted), r->unquoted.len };
	return true;
}

/* ------------------------------------------------------------ Gmail's labels */

static bool needs_quotes(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == '"' || *p == 0x7f)
			return true;
	return !*text;
}

static int add_label(struct buf *labels, const char *text)
{
	int r = labels->len ? buf_append_char(labels, ' ') : 0;
	bool quotes = needs_quotes(text);

	if (!quotes)
		return r < 0 ? r : buf_append_str(labels, text);
	if (r == 0)
		r = buf_append_char(labels, '"');
	for (; r == 0 && *text; text++) {
		if (*text == '"' || *text == '\\')
			r = buf_append_char(labels, '\\');
		if (r == 0)
			r = buf_append_char(labels, *text);
	}
	return r < 0 ? r : buf_append_char(labels, '"');
}

/* One that is no modified UTF-7 stays as it is. */
static int decode_label(struct imap_items_reader *r, struct buf *decoded)
{
	int error = modified_utf7_decode(buf_str(&r->label), r->label.len, decoded);

	return error == -EINVAL ? buf_append(decoded, buf_str(&r->label), r->label.len) : error;
}

static int items_label(struct imap_items_reader *r, struct imap_scan *s)
{
	CLEANUP(buf) struct buf decoded = BUF_INIT;
	int error;

	if (!imap_scan_string(s, &r->label))
		return -EPROTO;
	error = decode_label(r, &decoded);
	return error < 0 ? error : add_label(&r->labels, buf_str(&decoded));
}

static int items_labels(struct imap_items_reader *r, struct imap_scan *s, struct imap_items *ret)
{
	int error = 0;

	buf_truncate(&r->labels, 0);
	if (!imap_scan_nil(s)) {
		if (!imap_scan_char(s, '('))
			return -EPROTO;
		while (error == 0 && !imap_scan_char(s, ')')) {
			error = items_label(r, s);
			imap_scan_char(s, ' ');
		}
	}
	ret->gmail_labels = buf_str(&r->labels);
	return error;
}

/* ------------------------------------------------------------ all of it */

static bool items_size(struct imap_scan *s, struct imap_items *ret)
{
	uint64_t value;

	if (!imap_scan_number(s, &value) || value > INT64_MAX)
		return false;
	ret->has_size = true;
	ret->size_bytes = (int64_t)value;
	return true;
}

static bool items_date(struct imap_scan *s, struct imap_items *ret)
{
	struct imap_text text;

	ret->has_date = items_quoted(s, &text) && date_parse_internal(text.data, text.len, &ret->date_s) == 0;
	return ret->has_date;
}

static bool items_modseq(struct imap_scan *s)
{
	uint64_t value;

	return imap_scan_char(s, '(') && imap_scan_number(s, &value) && imap_scan_char(s, ')');
}

static int items_one(struct imap_items_reader *r, struct imap_scan *s, struct imap_items *ret)
{
	bool ok;

	if (items_word(s, "FLAGS "))
		return items_flags(r, s, ret);
	if (items_word(s, "X-GM-LABELS "))
		return items_labels(r, s, ret);
	if (items_word(s, "UID "))
		ok = items_u32(s, &ret->uid);
	else if (items_word(s, "RFC822.SIZE "))
		ok = items_size(s, ret);
	else if (items_word(s, "INTERNALDATE "))
		ok = items_date(s, ret);
	else if (items_word(s, "MODSEQ "))
		ok = items_modseq(s);
	else if (items_word(s, "X-GM-MSGID "))
		ok = imap_scan_number(s, &ret->gmail_message_id);
	else if (items_word(s, "X-GM-THRID "))
		ok = imap_scan_number(s, &ret->gmail_thread_id);
	else
		ok = items_word(s, "BODY[") && items_body(r, s, ret);
	return ok ? 0 : -EPROTO;
}

int imap_items_read(struct imap_items_reader *reader, const struct imap_response *response, struct imap_items *ret)
{
	struct imap_scan s = imap_scan_text(response->rest);
	int r;

	*ret = (struct imap_items){ .body_diverted = response->body_diverted };
	if (!imap_scan_char(&s, '('))
		return -EPROTO;
	do {
		r = items_one(reader, &s, ret);
		if (r < 0)
			return r;
	} while (imap_scan_char(&s, ' '));
	return imap_scan_char(&s, ')') && s.at == s.end ? 0 : -EPROTO;
}

struct items_wait {
	struct imap_session *session;
	int (*each)(void *userdata, const struct imap_items *items);
	void *userdata;
};

static int on_untagged(void *userdata, const struct imap_response *response)
{
	struct items_wait *w = userdata;
	struct imap_items items;
	int r;

	/* A body that went to the sink must be told whose it is. */
	if (!response->number || !imap_text_is(response->word, "FETCH"))
		return response->body_diverted ? -EPROTO : 0;
	r = imap_items_read(&w->session->items, response, &items);
	if (r == -EPROTO)
		return imap_guard_fail(&w->session->guard, r, "the server described a message in a way that cannot be read");
	return r < 0 ? r : w->each(w->userdata, &items);
}

int imap_items_await(struct imap_session *s, unsigned tag, int (*each)(void *userdata, const struct imap_items *items),
		     void *userdata)
{
	struct items_wait w = { s, each, userdata };

	return imap_command_await(s, tag, on_untagged, &w);
}

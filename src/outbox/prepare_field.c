/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A header field with raw 8-bit bytes, written so that every mail server passes it on: text as encoded words (RFC 2047), display names of
 * addresses as well, parameters of Content- fields as RFC 2231 says.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "message/address.h"
#include "message/base64.h"
#include "message/charset.h"
#include "message/encoded_word.h"
#include "message/header.h"
#include "outbox/prepare.h"

enum {
	WORD_TEXT_MAX = 45, /* bytes of text in one encoded word: 60 of base64, 72 with its frame, of the 75 allowed */
	SECTION_MAX = 60,   /* bytes of a parameter's value on one line */
};

/* The whole of a phrase: what is left raw between encoded words may hold a comma. */
static int append_encoded_phrase(const char *text, struct buf *out)
{
	size_t left = strlen(text);
	int r = 0;

	while (left && !r) {
		size_t n = left < WORD_TEXT_MAX ? left : WORD_TEXT_MAX;

		while (n > 1 && n < left && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
		r = buf_append_str(out, "=?utf-8?B?");
		if (!r)
			r = base64_encode(text, n, out);
		if (!r)
			r = buf_append_str(out, "?=");
		text += n;
		left -= n;
		if (!r && left)
			r = buf_append_str(out, "\r\n ");
	}
	return r;
}

static int append_quoted_phrase(const char *text, struct buf *out)
{
	int r = buf_append_char(out, '"');

	for (; *text && !r; text++) {
		if (*text == '"' || *text == '\\')
			r = buf_append_char(out, '\\');
		if (!r)
			r = buf_append_char(out, *text);
	}
	return r < 0 ? r : buf_append_char(out, '"');
}

int prepare_append_address(const struct address *a, struct buf *out)
{
	int r;

	if (!a->display || !*a->display)
		return address_format(a, out);
	if (!charset_is_ascii(a->display, strlen(a->display)))
		r = append_encoded_phrase(a->display, out);
	else if (strpbrk(a->display, "()<>[]:;@\\,.\"") || strstr(a->display, "=?"))
		r = append_quoted_phrase(a->display, out);
	else
		r = buf_append_str(out, a->display);
	if (!r)
		r = buf_append_str(out, " <");
	if (!r)
		r = address_format(a, out);
	return r < 0 ? r : buf_append_char(out, '>');
}

/* `text` is unfolded. A group's name goes, its members stay. */
static int encode_addresses(const struct buf *text, struct buf *out, struct buf *why)
{
	CLEANUP(address_list) struct address_list list = { NULL, 0 };
	CLEANUP(buf) struct buf utf8 = BUF_INIT;
	int r = charset_to_utf8(NULL, text->data, text->len, &utf8);

	if (!r)
		r = address_parse(buf_str(&utf8), utf8.len, &list);
	if (r == -EINVAL) {
		r = buf_printf(why, "not a list of addresses: %s", buf_str(text));
		return r < 0 ? r : -EINVAL;
	}
	for (size_t i = 0; i < list.n && !r; i++) {
		if (i)
			r = buf_append_str(out, ",\r\n ");
		if (!r)
			r = prepare_append_address(&list.items[i], out);
	}
	return r;
}

static bool is_attribute_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && c < 0x80 && strchr("!#$&+-.^_`|~", c));
}

/* The value of a parameter without its quotes, as RFC 2231 writes it. */
static int encode_value(const char *value, const char *end, struct buf *out)
{
	int r = 0;

	if (value < end && *value == '"') {
		value++;
		end -= value < end && end[-1] == '"';
	}
	for (; value < end && !r; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '\\' && value + 1 < end)
			c = (unsigned char)*++value;
		r = is_attribute_char(c) ? buf_append_char(out, (char)c) : buf_printf(out, "%%%02X", c);
	}
	return r;
}

/* How much of an encoded value goes on one line: never half of a %XX. */
static size_t section_length(const char *value, size_t len)
{
	size_t n = len < SECTION_MAX ? len : SECTION_MAX;

	for (size_t back = 1; n < len && back <= 2; back++)
		if (value[n - back] == '%')
			return n - back;
	return n;
}

/* One `name=value` or `name="value"`: as name*=utf-8''…, in sections name*0*=…; where it is long. */
static int encode_parameter(const char *text, size_t len, struct buf *out)
{
	CLEANUP(buf) struct buf value = BUF_INIT;
	const char *equals = memchr(text, '=', len);
	size_t blank_len = strspn(text, " \t");
	int r = encode_value(equals + 1, text + len, &value);

	if (!r && value.len <= SECTION_MAX) {
		r = buf_append(out, text, (size_t)(equals - text));
		return r < 0 ? r : buf_printf(out, "*=utf-8''%s", buf_str(&value));
	}
	for (size_t at = 0, number = 0, n; !r && at < value.len; at += n, number++) {
		n = section_length(value.data + at, value.len - at);
		r = number ? buf_append_str(out, ";\r\n ") : buf_append(out, text, blank_len);
		if (!r)
			r = buf_append(out, text + blank_len, (size_t)(equals - text) - blank_len);
		if (!r)
			r = buf_printf(out, "*%zu*=%s%.*s", number, number ? "" : "utf-8''", (int)n, value.data + at);
	}
	return r;
}

/* Up to the next `;` that stands in no quoted string. */
static size_t parameter_length(const char *text)
{
	bool is_quoted = false;
	size_t i;

	for (i = 0; text[i] && (is_quoted || text[i] != ';'); i++) {
		if (text[i] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && text[i] == '\\' && text[i + 1])
			i++;
	}
	return i;
}

static int encode_parameters(const struct buf *text, struct buf *out)
{
	CLEANUP(buf) struct buf utf8 = BUF_INIT;
	int r = charset_to_utf8(NULL, text->data, text->len, &utf8);

	for (const char *at = buf_str(&utf8); *at && !r;) {
		size_t len = parameter_length(at);

		if (charset_is_ascii(at, len) || !memchr(at, '=', len))
			r = buf_append(out, at, len);
		else
			r = encode_parameter(at, len, out);
		at += len;
		if (!r && *at == ';') {
			r = buf_append_str(out, ";\r\n");
			if (!r && at[1] != ' ' && at[1] != '\t')
				r = buf_append_char(out, ' ');
			at++;
		}
	}
	return r;
}

/* Words that are encoded already are read first, so that the white space between them and the raw ones is kept. */
static int encode_text(const struct buf *text, struct buf *out)
{
	CLEANUP(buf) struct buf utf8 = BUF_INIT;
	int r = encoded_word_decode(text->data, text->len, &utf8);

	return r < 0 ? r : encoded_word_encode(buf_str(&utf8), utf8.len, out);
}

static bool is_one_of(const struct header_field *field, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (field->name_len == strlen(names[i]) && !strncasecmp(field->name, names[i], field->name_len))
			return true;
	return false;
}

int prepare_encode_field(const struct header_field *field, struct buf *out, struct buf *why)
{
	static const char *const with_addresses[] = {
		"From",	       "Sender",	"Reply-To",	   "To",	"Cc",	     "Bcc",
		"Resent-From", "Resent-Sender", "Resent-Reply-To", "Resent-To", "Resent-Cc", "Resent-Bcc"
	};
	static const char *const with_parameters[] = { "Content-Type", "Content-Disposition" };
	CLEANUP(buf) struct buf text = BUF_INIT;
	int r = header_unfold(field, &text);

	if (!r)
		r = buf_append(out, field->name, field->name_len);
	if (!r)
		r = buf_append_str(out, ": ");
	if (r < 0)
		return r;
	if (is_one_of(field, with_addresses, sizeof with_addresses / sizeof *with_addresses))
		r = encode_addresses(&text, out, why);
	else if (is_one_of(field, with_parameters, sizeof with_parameters / sizeof *with_parameters))
		r = encode_parameters(&text, out);
	else
		r = encode_text(&text, out);
	return r < 0 ? r : buf_append_str(out, "\r\n");
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/prepare.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "message/charset.h"
#include "message/date.h"
#include "message/header.h"
#include "outbox/envelope.h"

static bool is_called(const struct header_field *field, const char *name)
{
	return field->name_len == strlen(name) && !strncasecmp(field->name, name, field->name_len);
}

static bool has(const char *text, size_t len, const char *name)
{
	struct header_field field;

	return header_find(text, len, name, &field);
}

static bool is_empty(const struct header_field *field)
{
	for (size_t i = 0; i < field->value_len; i++)
		if (!strchr(" \t\r\n", field->value[i]))
			return false;
	return true;
}

static bool has_filled(const char *text, size_t len, const char *name)
{
	struct header_field field;
	size_t at = 0;

	while (header_next(text, len, &at, &field))
		if (is_called(&field, name) && !is_empty(&field))
			return true;
	return false;
}

/* A Message-ID or Date without a value: one with a value is written for it. Those of a message that is passed on are its own, the latest block of Resent- fields aside. */
static bool is_blank(const struct header_field *field, const char *prefix)
{
	size_t len = strlen(prefix);
	struct header_field rest = *field;

	if (field->name_len <= len || strncasecmp(field->name, prefix, len))
		return false;
	rest.name += len;
	rest.name_len -= len;
	return is_empty(field) && (is_called(&rest, "Message-ID") || is_called(&rest, "Date"));
}

/* What the one who sends must not pass on (RFC 5322 3.6.3, RFC 5321 4.4), or what is written anew. */
static bool is_dropped(const struct header_field *field, const struct prepare_options *options, enum part_encoding encoding)
{
	if (encoding != PART_AS_IS && is_called(field, "Content-Transfer-Encoding"))
		return true;
	if (options->keeps_bcc)
		return false;
	return is_called(field, "Bcc") || is_called(field, "Resent-Bcc") || is_called(field, "Return-Path");
}

static int append_date(const char *prefix, int64_t date_s, struct buf *out)
{
	char date[DATE_RFC5322_SIZE];

	date_format_rfc5322(date_s, date);
	return buf_printf(out, "%sDate: %s\r\n", prefix, date);
}

static int append_from(const char *prefix, const char *own, struct buf *out, struct buf *why)
{
	CLEANUP(address_list) struct address_list first = { NULL, 0 };
	int r = envelope_first_own(own, &first);

	if (r == -ENOENT) {
		r = buf_append_str(why, "no From: set `from` in mailfs.conf, or write one");
		return r < 0 ? r : -EINVAL;
	}
	if (!r)
		r = buf_printf(out, "%sFrom: ", prefix);
	if (!r)
		r = prepare_append_address(&first.items[0], out);
	return r < 0 ? r : buf_append_str(out, "\r\n");
}

/* Date, From and Message-ID that are missing among the fields in `text`. */
static int append_missing(const char *text, size_t len, const char *prefix, const struct prepare_options *options, struct buf *out,
			  struct buf *why)
{
	char name[32];
	int r = 0;

	snprintf(name, sizeof name, "%sDate", prefix);
	if (!has_filled(text, len, name))
		r = append_date(prefix, options->date_s, out);
	snprintf(name, sizeof name, "%sFrom", prefix);
	if (!r && !has(text, len, name))
		r = append_from(prefix, options->own, out, why);
	snprintf(name, sizeof name, "%sMessage-ID", prefix);
	if (!r && !has_filled(text, len, name))
		r = buf_printf(out, "%sMessage-ID: %s\r\n", prefix, options->message_id);
	return r;
}

const char *prepare_encoding_name(enum part_encoding encoding)
{
	static const char *const names[] = { NULL, "quoted-printable", "base64", "7bit" };

	return names[encoding];
}

/* What the body needs to be understood (RFC 2045). A message that is passed on keeps its own words as far as they do. */
static int append_mime(const struct survey *s, enum part_encoding encoding, bool is_resent, struct buf *out)
{
	const struct buf *header = &s->header;
	bool has_type = has(header->data, header->len, "Content-Type");
	bool has_encoding = has(header->data, header->len, "Content-Transfer-Encoding");
	bool needs_type = !has_type && s->is_eightbit;
	bool needs_encoding = encoding != PART_AS_IS || (s->is_eightbit && !has_encoding);
	int r = 0;

	if (!has(header->data, header->len, "MIME-Version") && (!is_resent || needs_type || needs_encoding))
		r = buf_append_str(out, "MIME-Version: 1.0\r\n");
	if (!r && needs_type)
		r = buf_printf(out, "Content-Type: text/plain; charset=%s\r\n", s->is_utf8 ? "utf-8" : "unknown-8bit");
	if (!r && needs_encoding)
		r = buf_printf(out, "Content-Transfer-Encoding: %s\r\n", encoding ? prepare_encoding_name(encoding) : "8bit");
	return r;
}

/* Encoding may have made a line too long that had no place to be folded. */
static int check_lines(const struct buf *header, struct buf *why)
{
	size_t line_len = 0;
	int r;

	for (size_t i = 0; i < header->len; i++) {
		line_len = header->data[i] == '\n' ? 0 : line_len + 1;
		if (line_len <= SURVEY_LINE_MAX + 1)
			continue;
		r = buf_append_str(why, "a header field with 8-bit characters is too long to be encoded");
		return r < 0 ? r : -EINVAL;
	}
	return 0;
}

int prepare_header(const struct survey *s, const struct prepare_options *options, enum part_encoding encoding, struct buf *out,
		   struct buf *why)
{
	const struct buf *header = &s->header;
	size_t at = 0, start = 0, resent_start = 0, resent_len = 0;
	bool is_resent = envelope_resent_block(header, &resent_start, &resent_len), is_ours;
	struct header_field field;
	int r = 0;

	for (; !r && header_next(header->data, header->len, &at, &field); start = at) {
		if (is_resent && start == resent_start)
			r = append_missing(header->data + resent_start, resent_len, "Resent-", options, out, why);
		is_ours = !is_resent || (start >= resent_start && start < resent_start + resent_len);
		if (r < 0 || is_dropped(&field, options, encoding) || (is_ours && is_blank(&field, is_resent ? "Resent-" : "")))
			continue;
		r = charset_is_ascii(field.raw, field.raw_len) ? buf_append(out, field.raw, field.raw_len)
							       : prepare_encode_field(&field, out, why);
	}
	/* The Message-ID in the record is that of the resending: the message itself goes on without one if it never had one. */
	if (!r && !is_resent)
		r = append_missing(header->data, header->len, "", options, out, why);
	if (!r)
		r = append_mime(s, encoding, is_resent, out);
	if (!r)
		r = buf_append_str(out, "\r\n");
	return r < 0 ? r : check_lines(out, why);
}

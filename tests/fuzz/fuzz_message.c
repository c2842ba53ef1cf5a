/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What src/message reads from servers and users, fuzzed: the first byte chooses the parser, the rest is its input. Beside crashes, each
 * target checks what its header promises.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message/address.h"
#include "message/charset.h"
#include "message/date.h"
#include "message/encoded_word.h"
#include "message/flags.h"
#include "message/folder_name.h"
#include "message/header.h"
#include "message/mime.h"
#include "message/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_at(bool holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "line %d: not true: %s\n", line, what);
	abort();
}

#define require(what) require_at(what, #what, __LINE__)

static void require_clean(const struct buf *text)
{
	require(charset_is_utf8(buf_str(text), text->len));
	for (size_t i = 0; i < text->len; i++)
		require((unsigned char)text->data[i] >= ' ' && text->data[i] != 0x7f);
}

static void fuzz_encoded_word(const char *text, size_t len)
{
	CLEANUP(buf) struct buf decoded = BUF_INIT;
	CLEANUP(buf) struct buf wire = BUF_INIT;
	CLEANUP(buf) struct buf again = BUF_INIT;

	require(encoded_word_decode(text, len, &decoded) == 0);
	require_clean(&decoded);
	require(encoded_word_encode(buf_str(&decoded), decoded.len, &wire) == 0);
	require(charset_is_ascii(buf_str(&wire), wire.len));
	require(encoded_word_decode(buf_str(&wire), wire.len, &again) == 0);
	require(!strcmp(buf_str(&again), buf_str(&decoded)));
	require(encoded_word_span(text, len) <= len);
}

static void require_same_address(const struct address *a, const struct address *b)
{
	require(!strcmp(a->local, b->local));
	require(!a->domain == !b->domain && (!a->domain || !strcmp(a->domain, b->domain)));
}

static void fuzz_address(const char *text, size_t len)
{
	CLEANUP(address_list) struct address_list list = { 0 };
	CLEANUP(address_list) struct address_list first = { 0 };

	if (address_parse(text, len, &list) < 0) {
		require(!list.n);
		return;
	}
	require(address_parse_first(text, len, &first) == 0 && first.n == (list.n ? 1 : 0));
	for (size_t i = 0; i < list.n; i++) {
		CLEANUP(address_list) struct address_list again = { 0 };
		CLEANUP(buf) struct buf path = BUF_INIT;

		require(address_format(&list.items[i], &path) == 0);
		require(!strpbrk(path.data, "\r\n"));
		require(address_parse(path.data, path.len, &again) == 0 && again.n == 1);
		require_same_address(&list.items[i], &again.items[0]);
		address_matches(&list.items[i], "*@example.com, a@b");
	}
}

static void fuzz_header(const char *text, size_t len)
{
	CLEANUP(buf) struct buf subject = BUF_INIT;
	struct header_field field;
	size_t offset = 0;
	size_t last = 0;

	while (header_next(text, len, &offset, &field)) {
		require(field.raw == text + last && field.raw + field.raw_len == text + offset);
		require(field.value >= field.raw && field.value + field.value_len <= text + offset);
		require(field.name_len && field.name + field.name_len < field.value);
		last = offset;
	}
	require(offset <= len && header_length(text, len) == offset);
	if (header_text(text, len, "Subject", &subject) == 0)
		require_clean(&subject);
}

static void fuzz_name(const char *text, size_t len)
{
	char name[MESSAGE_NAME_MAX + 1];

	for (int outgoing = 0; outgoing < 2; outgoing++) {
		message_name_subject(NULL, 1776159000, text, len, outgoing, 7, name);
		require(strlen(name) <= MESSAGE_NAME_MAX && charset_is_utf8(name, strlen(name)));
		require(!strncmp(name, "2026-04-14_0930_", 16) && !strcmp(name + strlen(name) - 6, ".7.eml"));
		for (const char *p = name; *p; p++)
			require((unsigned char)*p > ' ' && *p != '/' && *p != 0x7f);
	}
}

static void check_folder_name(const char *wire, size_t len, bool utf8, bool top)
{
	CLEANUP(buf) struct buf component = BUF_INIT;
	CLEANUP(buf) struct buf back = BUF_INIT;

	if (folder_name_to_component(wire, len, utf8, top, &component) < 0)
		return;
	require_clean(&component);
	require(component.len <= 255 && component.data[0] != '.' && !strchr(component.data, '/'));
	require(folder_name_from_component(component.data, utf8, top, &back) == 0);
	if (top && !strcmp(component.data, "INBOX"))
		require(!strcmp(back.data, "INBOX"));
	else
		require(back.len == len && !memcmp(back.data, wire, len));
}

static void fuzz_folder_name(const char *text, size_t len)
{
	CLEANUP(buf) struct buf wire = BUF_INIT;
	CLEANUP(free) char *component = strndup(text, len);

	for (int how = 0; how < 4; how++) {
		check_folder_name(text, len, how & 1, how & 2);
		buf_truncate(&wire, 0);
		if (component && folder_name_from_component(component, how & 1, how & 2, &wire) == 0)
			check_folder_name(buf_str(&wire), wire.len, how & 1, how & 2);
	}
	if (component)
		folder_name_selected(component, "a/b c/INBOX");
}

static void fuzz_mime(const char *text, size_t len)
{
	static const char *const names[] = { "boundary", "charset", "filename", "name" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		CLEANUP(buf) struct buf out = BUF_INIT;

		if (mime_parameter(text, len, names[i], &out) < 0)
			require(!out.len);
	}
	mime_is_unfinished(text, len);
	message_is_plausible(text, len);
}

static void fuzz_flags(const char *text, size_t len)
{
	CLEANUP(free) char *words = strndup(text, len);
	CLEANUP(buf) struct buf strict = BUF_INIT;
	CLEANUP(buf) struct buf lenient = BUF_INIT;
	CLEANUP(buf) struct buf again = BUF_INIT;

	if (!words)
		return;
	require(flags_canonical_lenient(words, &lenient) == 0);
	require(flags_canonical(buf_str(&lenient), &again) == 0 && !strcmp(buf_str(&again), buf_str(&lenient)));
	if (flags_canonical(words, &strict) == 0)
		require(!strcmp(buf_str(&strict), buf_str(&lenient)));
}

static void fuzz_date(const char *text, size_t len)
{
	char out[DATE_INTERNAL_SIZE];
	int64_t s, again;

	if (date_parse_internal(text, len, &s) == 0 && s >= -62167219200 && s < 253402300800) {
		date_format_internal(s, out);
		require(date_parse_internal(out, strlen(out), &again) == 0 && again == s);
	}
	date_parse_rfc5322(text, len, &s);
}

/* The charset's name, a line end, the text. */
static void fuzz_charset(const char *text, size_t len)
{
	const char *newline = memchr(text, '\n', len);
	CLEANUP(free) char *charset = newline ? strndup(text, (size_t)(newline - text)) : NULL;
	CLEANUP(buf) struct buf out = BUF_INIT;

	if (newline) {
		len -= (size_t)(newline + 1 - text);
		text = newline + 1;
	}
	require(charset_to_utf8(charset, text, len, &out) == 0);
	require(charset_is_utf8(buf_str(&out), out.len));
}

static void (*const targets[])(const char *, size_t) = { fuzz_encoded_word, fuzz_address,     fuzz_header,
							 fuzz_name,	    fuzz_folder_name, fuzz_mime,
							 fuzz_flags,	    fuzz_date,	      fuzz_charset };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		targets[data[0] % (sizeof targets / sizeof targets[0])]((const char *)data + 1, size - 1);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/name.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "message/address.h"
#include "message/charset.h"
#include "message/encoded_word.h"
#include "message/header.h"

enum { STAMP_LEN = 15, WHO_MAX = 24, SUBJECT_MAX = 72, UID_MAX = 10 };

/* DATE_TIME, _, FROM, _, SUBJECT, ., UID, .eml */
_Static_assert(STAMP_LEN + 1 + WHO_MAX + 1 + SUBJECT_MAX + 1 + UID_MAX + 4 == MESSAGE_NAME_MAX,
	       "a name's parts are as long as the whole");

/* A part of the name while it is made. */
struct part {
	char *out;
	size_t len;
	size_t max;
	bool gap;  /* characters were left out since the last one */
	bool full; /* nothing more is taken, however short */
};

static void put_character(struct part *part, const char *bytes, size_t len)
{
	bool hyphen = part->gap && part->len;

	if (part->full || part->len + hyphen + len > part->max) {
		part->full = true;
		return;
	}
	if (hyphen)
		part->out[part->len++] = '-';
	part->gap = false;
	memcpy(part->out + part->len, bytes, len);
	part->len += len;
}

static bool is_ascii_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void put_ascii(struct part *part, const char *text, size_t len)
{
	for (size_t i = 0; i < len && !part->full; i++) {
		if (is_ascii_word_byte(text[i]))
			put_character(part, text + i, 1);
		else
			part->gap = true;
	}
}

/* A mark whose base was left out goes with it: emoji are followed by invisible ones. */
static bool belongs_to_word(ucs4_t c, bool gap)
{
	if (c < 0x80)
		return is_ascii_word_byte((char)c);
	if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_Nd))
		return true;
	return !gap && uc_is_general_category_withtable(c, UC_CATEGORY_MASK_M);
}

static void put_utf8(struct part *part, const uint8_t *text, size_t len)
{
	while (len && !part->full) {
		ucs4_t c;
		int used = u8_mbtouc(&c, text, len);

		if (c != 0xfffd && belongs_to_word(c, part->gap || !part->len))
			put_character(part, (const char *)text, (size_t)used);
		else
			part->gap = true;
		text += used;
		len -= (size_t)used;
	}
}

/* Valid UTF-8 of any normalisation. */
static void put_text(struct part *part, const char *text, size_t len)
{
	uint8_t memory[1024];
	uint8_t *normal;
	size_t size = sizeof memory;

	if (charset_is_ascii(text, len)) {
		put_ascii(part, text, len);
		return;
	}
	normal = u8_normalize(UNINORM_NFC, (const uint8_t *)text, len, memory, &size);
	if (!normal)
		return;
	put_utf8(part, normal, size);
	if (normal != memory)
		free(normal);
}

/* Text as it stands in a header. Most is plain ASCII and needs no memory. */
static void put_field(struct part *part, const struct header_field *field)
{
	CLEANUP(buf) struct buf unfolded = BUF_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT;

	if (charset_is_ascii(field->value, field->value_len) && !memmem(field->value, field->value_len, "=?", 2)) {
		put_ascii(part, field->value, field->value_len);
		return;
	}
	if (header_unfold(field, &unfolded) == 0 && encoded_word_decode(buf_str(&unfolded), unfolded.len, &text) == 0)
		put_text(part, buf_str(&text), text.len);
}

/* The first mailbox of an address field: its display name, else its local part, else, where it makes no sense, the words that are there. */
static void put_mailbox(struct part *part, const struct header_field *field)
{
	CLEANUP(buf) struct buf unfolded = BUF_INIT;
	CLEANUP(address_list) struct address_list list = { 0 };
	size_t empty = part->len;

	if (header_unfold(field, &unfolded) < 0)
		return;
	if (address_parse_first(buf_str(&unfolded), unfolded.len, &list) < 0) {
		put_field(part, field);
		return;
	}
	if (!list.n)
		return;
	if (list.items[0].display)
		put_text(part, list.items[0].display, strlen(list.items[0].display));
	if (part->len == empty)
		put_text(part, list.items[0].local, strlen(list.items[0].local));
}

static void put_who(struct part *part, const char *header, size_t len, bool outgoing)
{
	static const char *const incoming_fields[] = { "From", NULL };
	static const char *const outgoing_fields[] = { "To", "Cc", NULL };
	const char *const *name = outgoing ? outgoing_fields : incoming_fields;
	struct header_field field;
	size_t empty;

	if (outgoing) {
		memcpy(part->out, "to-", 3);
		part->len = 3;
	}
	empty = part->len;
	for (; *name && part->len == empty; name++)
		if (header_find(header, len, *name, &field))
			put_mailbox(part, &field);
	if (part->len == empty) {
		*part = (struct part){ .out = part->out, .len = part->len, .max = part->max };
		put_ascii(part, "unknown", 7);
	}
}

static void put_subject(struct part *part, const char *header, size_t len)
{
	struct header_field field;

	if (header_find(header, len, "Subject", &field))
		put_field(part, &field);
	if (part->len)
		return;
	memcpy(part->out, "no-subject", 10);
	part->len = 10;
}

static size_t put_number(char *out, uint32_t n)
{
	char digits[UID_MAX];
	size_t len = 0;

	do
		digits[len++] = (char)('0' + n % 10);
	while (n /= 10);
	for (size_t i = 0; i < len; i++)
		out[i] = digits[len - 1 - i];
	return len;
}

void message_name_subject(const struct date_zone *zone, int64_t internaldate_s, const char *header, size_t header_len,
			  bool outgoing, uint32_t uid, char out[MESSAGE_NAME_MAX + 1])
{
	struct part who = { .out = out + STAMP_LEN + 1, .max = WHO_MAX };
	struct part subject = { .max = SUBJECT_MAX };
	char *end;

	date_format_stamp(zone, internaldate_s, out);
	out[STAMP_LEN] = '_';
	put_who(&who, header, header_len, outgoing);
	who.out[who.len] = '_';
	subject.out = who.out + who.len + 1;
	put_subject(&subject, header, header_len);
	end = subject.out + subject.len;
	*end++ = '.';
	end += put_number(end, uid);
	memcpy(end, ".eml", 5);
}

void message_name_uid(uint32_t uidvalidity, uint32_t uid, char out[MESSAGE_NAME_MAX + 1])
{
	snprintf(out, MESSAGE_NAME_MAX + 1, "%u-%u.eml", uidvalidity, uid);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The first line; the last is "end", so that a file cut short is told from a whole one. */
static const char first_line[] = "mailfs outbox entry 1";
static const char last_line[] = "end";

static const char *const state_names[] = {
	[OUTBOX_WRITING] = "writing",	  [OUTBOX_SCRATCH] = "scratch",	    [OUTBOX_HELD] = "held",
	[OUTBOX_QUEUED] = "queued",	  [OUTBOX_SENDING] = "sending",	    [OUTBOX_RETRY] = "retry",
	[OUTBOX_FAILED_STATE] = "failed", [OUTBOX_UNCERTAIN] = "uncertain", [OUTBOX_SENT] = "sent",
};
static const char *const place_names[] = { [OUTBOX_QUEUE] = "queue", [OUTBOX_FAILED] = "failed" };
static const char *const copy_names[] = { [RECORD_COPY_NONE] = "none", [RECORD_COPY_DUE] = "due", [RECORD_COPY_DONE] = "done" };

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum field_type { FIELD_NAME, FIELD_TEXT, FIELD_LIST, FIELD_INT64, FIELD_INT, FIELD_MODE, FIELD_BOOL, FIELD_WORD };

static const struct field {
	const char *key;
	enum field_type type;
	size_t offset;
	const char *const *words; /* FIELD_WORD: an enum as its name */
	size_t n_words;
} fields[] = {
	{ "name", FIELD_NAME, offsetof(struct record, name) },
	{ "place", FIELD_WORD, offsetof(struct record, place), place_names, COUNT(place_names) },
	{ "state", FIELD_WORD, offsetof(struct record, state), state_names, COUNT(state_names) },
	{ "mode", FIELD_MODE, offsetof(struct record, mode) },
	{ "rcpt", FIELD_TEXT, offsetof(struct record, rcpt) },
	{ "dsn", FIELD_TEXT, offsetof(struct record, dsn) },
	{ "force", FIELD_BOOL, offsetof(struct record, is_forced) },
	{ "error", FIELD_TEXT, offsetof(struct record, error) },
	{ "sender", FIELD_TEXT, offsetof(struct record, sender) },
	{ "recipient", FIELD_LIST, offsetof(struct record, recipients) },
	{ "refused", FIELD_LIST, offsetof(struct record, refused) },
	{ "refusal", FIELD_LIST, offsetof(struct record, refusals) },
	{ "bounce-due", FIELD_BOOL, offsetof(struct record, is_bounce_due) },
	{ "message-id", FIELD_TEXT, offsetof(struct record, message_id) },
	{ "resent", FIELD_BOOL, offsetof(struct record, is_resent) },
	{ "key", FIELD_TEXT, offsetof(struct record, key) },
	{ "date", FIELD_INT64, offsetof(struct record, date_s) },
	{ "next", FIELD_INT64, offsetof(struct record, next_s) },
	{ "attempts", FIELD_INT, offsetof(struct record, attempts) },
	{ "failures", FIELD_INT, offsetof(struct record, failures) },
	{ "copy", FIELD_WORD, offsetof(struct record, copy), copy_names, COUNT(copy_names) },
	{ "accepted", FIELD_INT64, offsetof(struct record, accepted_s) },
	{ "repeat", FIELD_BOOL, offsetof(struct record, is_repeat) },
	{ "unchecked", FIELD_BOOL, offsetof(struct record, is_unchecked) },
	{ "replaces", FIELD_INT64, offsetof(struct record, replaces) },
};

/* An enum has the size of an int here, so that one table can hold the three. */
_Static_assert(sizeof(enum outbox_state) == sizeof(int), "enums are ints");

const char *outbox_state_name(enum outbox_state state)
{
	return state_names[state];
}

void record_release(struct record *r)
{
	free(r->rcpt);
	free(r->dsn);
	free(r->error);
	free(r->sender);
	free(r->message_id);
	free(r->key);
	string_list_release(&r->recipients);
	string_list_release(&r->refused);
	string_list_release(&r->refusals);
	*r = (struct record){ .name = "" };
}

int record_set(char **field, const char *value)
{
	char *copy = NULL;

	if (value) {
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
	}
	free(*field);
	*field = copy;
	return 0;
}

const char *record_id_field(const struct record *r)
{
	return r->is_resent ? "Resent-Message-ID" : "Message-ID";
}

/* A file's name, and an attribute's value, may hold any byte: those that would end a line, and `%`, go as %XX. */
static int append_escaped(struct buf *out, const char *text)
{
	int r = 0;

	for (; *text && !r; text++) {
		unsigned char c = (unsigned char)*text;

		r = c < ' ' || c == '%' ? buf_printf(out, "%%%02X", c) : buf_append_char(out, (char)c);
	}
	return r;
}

static int append_line(struct buf *out, const char *key, const char *value)
{
	int r = buf_printf(out, "%s=", key);

	if (!r)
		r = append_escaped(out, value);
	return r ? r : buf_append_char(out, '\n');
}

static int append_list(struct buf *out, const char *key, const struct string_list *list)
{
	int r = 0;

	for (size_t i = 0; i < list->n && !r; i++)
		r = append_line(out, key, list->items[i]);
	return r;
}

static int append_field(struct buf *out, const struct field *f, const void *value)
{
	char number[32];

	switch (f->type) {
	case FIELD_NAME:
		return append_line(out, f->key, value);
	case FIELD_TEXT:
		return *(char *const *)value ? append_line(out, f->key, *(char *const *)value) : 0;
	case FIELD_LIST:
		return append_list(out, f->key, value);
	case FIELD_INT64:
		snprintf(number, sizeof number, "%" PRId64, *(const int64_t *)value);
		break;
	case FIELD_INT:
		snprintf(number, sizeof number, "%d", *(const int *)value);
		break;
	case FIELD_MODE:
		snprintf(number, sizeof number, "%o", (unsigned)*(const mode_t *)value);
		break;
	case FIELD_BOOL:
		return *(const bool *)value ? append_line(out, f->key, "1") : 0;
	case FIELD_WORD:
		return append_line(out, f->key, f->words[*(const int *)value]);
	}
	return append_line(out, f->key, number);
}

int record_format(const struct record *r, struct buf *out)
{
	int e = buf_printf(out, "%s\n", first_line);

	for (size_t i = 0; i < COUNT(fields) && !e; i++)
		e = append_field(out, &fields[i], (const char *)r + fields[i].offset);
	return e ? e : buf_printf(out, "%s\n", last_line);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int unescape(const char *text, size_t len, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; i < len && !r; i++) {
		char c = text[i];

		if (c == '%' && len - i > 2 && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
			c = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
			i += 2;
		}
		r = buf_append_char(out, c);
	}
	return r;
}

static int parse_field(const struct field *f, const char *text, void *value)
{
	char *end = NULL;

	switch (f->type) {
	case FIELD_NAME:
		if (strlen(text) > NAME_MAX || !*text || strchr(text, '/'))
			return -EUCLEAN;
		memcpy(value, text, strlen(text) + 1);
		return 0;
	case FIELD_TEXT:
		return record_set(value, text);
	case FIELD_LIST:
		return string_list_add(value, text);
	case FIELD_INT64:
		*(int64_t *)value = strtoll(text, &end, 10);
		break;
	case FIELD_INT:
		*(int *)value = (int)strtol(text, &end, 10);
		break;
	case FIELD_MODE:
		*(mode_t *)value = (mode_t)strtoul(text, &end, 8);
		break;
	case FIELD_BOOL:
		*(bool *)value = !strcmp(text, "1");
		return 0;
	case FIELD_WORD:
		for (size_t i = 0; i < f->n_words; i++)
			if (!strcmp(f->words[i], text)) {
				*(int *)value = (int)i;
				return 0;
			}
		return -EUCLEAN;
	}
	return end != text && !*end ? 0 : -EUCLEAN;
}

/* A key of a later version is passed over. */
static int parse_line(const char *line, size_t len, struct record *r)
{
	CLEANUP(buf) struct buf value = BUF_INIT;
	const char *equals = memchr(line, '=', len);
	int e;

	if (!equals)
		return -EUCLEAN;
	e = unescape(equals + 1, len - (size_t)(equals + 1 - line), &value);
	if (e < 0)
		return e;
	for (size_t i = 0; i < COUNT(fields); i++)
		if (strlen(fields[i].key) == (size_t)(equals - line) && !memcmp(fields[i].key, line, (size_t)(equals - line)))
			return parse_field(&fields[i], buf_str(&value), (char *)r + fields[i].offset);
	return 0;
}

int record_parse(const char *text, size_t len, struct record *ret)
{
	CLEANUP(record) struct record r = { .mode = 0600 };
	const char *line = text, *end = text + len, *newline;
	bool is_ended = false;

	for (size_t n = 0; !is_ended && (newline = memchr(line, '\n', (size_t)(end - line))); n++, line = newline + 1) {
		size_t line_len = (size_t)(newline - line);
		int e = 0;

		if (n == 0)
			e = line_len == strlen(first_line) && !memcmp(line, first_line, line_len) ? 0 : -EUCLEAN;
		else if (line_len == strlen(last_line) && !memcmp(line, last_line, line_len))
			is_ended = true;
		else
			e = parse_line(line, line_len, &r);
		if (e < 0)
			return e;
	}
	if (!is_ended || !*r.name)
		return -EUCLEAN;
	*ret = r;
	r = (struct record){ .name = "" };
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/envelope.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/clock.h"
#include "message/charset.h"
#include "message/header.h"

/* A run of fields, and what their names begin with. */
struct source {
	const char *text;
	size_t len;
	const char *prefix; /* "" or "Resent-" */
};

static bool is_called(const struct header_field *field, const char *prefix, const char *name)
{
	size_t prefix_len = strlen(prefix);

	return field->name_len == prefix_len + strlen(name) && !strncasecmp(field->name, prefix, prefix_len) &&
	       !strncasecmp(field->name + prefix_len, name, strlen(name));
}

static bool is_resent(const struct header_field *field)
{
	return field->name_len > 7 && !strncasecmp(field->name, "Resent-", 7);
}

static bool names_recipients(const struct header_field *field, const char *prefix)
{
	return is_called(field, prefix, "To") || is_called(field, prefix, "Cc") || is_called(field, prefix, "Bcc");
}

/* Whether the block from `start` to `end` has a field of this one's name: then this one begins an older block. */
static bool block_has(const struct buf *header, size_t start, size_t end, const struct header_field *field)
{
	struct header_field other;

	for (size_t at = start; at < end && header_next(header->data, header->len, &at, &other) && at <= end;)
		if (other.name_len == field->name_len && !strncasecmp(other.name, field->name, field->name_len))
			return true;
	return false;
}

bool envelope_resent_block(const struct buf *header, size_t *ret_start, size_t *ret_len)
{
	size_t at = 0, field_start = 0, start = 0, end = 0;
	bool has_recipients = false;
	struct header_field field;

	for (; header_next(header->data, header->len, &at, &field); field_start = at) {
		if (!is_resent(&field)) {
			if (end)
				break;
			continue;
		}
		if (!end)
			start = field_start;
		else if (block_has(header, start, end, &field))
			break;
		end = at;
		has_recipients |= names_recipients(&field, "Resent-");
	}
	if (!has_recipients)
		return false;
	*ret_start = start;
	*ret_len = end - start;
	return true;
}

static struct source source_of(const struct buf *header)
{
	size_t start, len;

	if (envelope_resent_block(header, &start, &len))
		return (struct source){ header->data + start, len, "Resent-" };
	return (struct source){ header->data, header->len, "" };
}

static int refuse(struct buf *why, int error, const char *what, const char *detail)
{
	int r = buf_printf(why, "%s%s", what, detail);

	return r < 0 ? r : error;
}

int envelope_add_recipient(const struct address *a, struct string_list *list, struct buf *why)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	int r;

	/* Half of an unquoted `Miller, Bob <bob@example.com>`, more often than a name that the server would complete. */
	if (!a->domain && strcasecmp(a->local, "postmaster"))
		return refuse(why, -EINVAL, "a recipient without a domain: ", a->local);
	r = address_format(a, &path);
	if (r < 0)
		return r;
	return string_list_has(list, buf_str(&path)) ? 0 : string_list_add(list, buf_str(&path));
}

static int add_recipients(struct string_list *list, const char *text, size_t len, struct buf *why)
{
	CLEANUP(address_list) struct address_list found = { NULL, 0 };
	int r = address_parse(text, len, &found);

	if (r == -EINVAL)
		return refuse(why, r, "not a list of addresses: ", text);
	for (size_t i = 0; i < found.n && !r; i++)
		r = envelope_add_recipient(&found.items[i], list, why);
	return r;
}

int envelope_recipients(const struct buf *header, struct string_list *list, struct buf *why)
{
	struct source s = source_of(header);
	struct header_field field;
	size_t at = 0;
	int r = 0;

	while (!r && header_next(s.text, s.len, &at, &field)) {
		CLEANUP(buf) struct buf text = BUF_INIT;

		if (!names_recipients(&field, s.prefix))
			continue;
		r = header_unfold(&field, &text);
		if (!r && text.len)
			r = add_recipients(list, text.data, text.len, why);
	}
	return r;
}

static bool find(const struct source *s, const char *name, struct header_field *ret)
{
	size_t at = 0;

	while (header_next(s->text, s->len, &at, ret))
		if (is_called(ret, s->prefix, name))
			return true;
	return false;
}

int envelope_first_own(const char *own, struct address_list *ret_list)
{
	CLEANUP(address_list) struct address_list list = { NULL, 0 };
	int r = own ? address_parse(own, strlen(own), &list) : -ENOENT;

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		struct address first = list.items[i];

		if (!first.domain || strchr(first.local, '*') || strchr(first.domain, '*'))
			continue;
		list.items[i] = list.items[0];
		list.items[0] = first;
		*ret_list = list;
		list = (struct address_list){ NULL, 0 };
		return 0;
	}
	return -ENOENT;
}

static int format_sender(struct envelope *e, const struct address *a)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	int r = address_format(a, &path);

	return r < 0 ? r : (e->sender = buf_steal(&path)) ? 0 : -ENOMEM;
}

/* The first of one's own addresses; where only patterns are known, whoever the message is from. */
static int sender_from_own(struct envelope *e, const char *own, const struct address_list *from, struct buf *why)
{
	CLEANUP(address_list) struct address_list first = { NULL, 0 };
	int r = envelope_first_own(own, &first);

	if (!r)
		return format_sender(e, &first.items[0]);
	if (r != -ENOENT)
		return r;
	if (from->n)
		return format_sender(e, &from->items[0]);
	return refuse(why, -EINVAL, "no From: set `from` in mailfs.conf, or write one", "");
}

/* A resending that does not say by whom is judged by the message's own From. */
static bool find_from(const struct buf *header, struct header_field *ret)
{
	const struct source s = source_of(header), whole = { header->data, header->len, "" };

	return find(&s, "From", ret) || find(&whole, "From", ret);
}

int envelope_from(const struct buf *header, struct address_list *list)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct header_field field;
	int r = find_from(header, &field) ? header_unfold(&field, &text) : -ENOENT;

	return r < 0 ? r : address_parse(buf_str(&text), text.len, list);
}

/* The trace that a delivery leaves (RFC 5321 4.4): whoever wrote it, it was not written to be sent from here. */
static bool was_delivered(const struct buf *header)
{
	struct header_field field;

	return header_find(header->data, header->len, "Received", &field) ||
	       header_find(header->data, header->len, "Return-Path", &field);
}

static int sender_without_from(struct envelope *e, const struct buf *header, const char *own, bool is_forced, struct buf *why)
{
	const struct address_list none = { NULL, 0 };

	if (!is_forced && was_delivered(header))
		return refuse(why, -EPERM, "no From, in a message that has been delivered before (Received, Return-Path)", "");
	return sender_from_own(e, own, &none, why);
}

static int read_sender(struct envelope *e, const struct buf *header, const char *own, bool is_forced, struct buf *why)
{
	CLEANUP(address_list) struct address_list list = { NULL, 0 };
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct header_field field;
	int r;

	if (!find_from(header, &field))
		return sender_without_from(e, header, own, is_forced, why);
	r = header_unfold(&field, &text);
	if (r < 0)
		return r;
	r = address_parse(buf_str(&text), text.len, &list);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || !list.n)
		return refuse(why, -EINVAL, "no address in From: ", buf_str(&text));
	for (size_t i = 0; own && i < list.n; i++)
		if (address_matches(&list.items[i], own))
			return sender_from_own(e, own, &list, why);
	if (is_forced)
		return sender_from_own(e, own, &list, why);
	if (!own)
		return refuse(why, -EPERM, "set `from` in mailfs.conf to your own addresses: it is not known whether this is one: ",
			      buf_str(&text));
	return refuse(why, -EPERM, "From is none of your own addresses (`from` in mailfs.conf): ", buf_str(&text));
}

/* The first that is not empty. Encoded it would be another one, and as it is no server has to take it. */
static int read_message_id(struct envelope *e, const struct source *s, struct buf *why)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct header_field field;
	size_t at = 0;
	int r = 0;

	while (!r && !text.len && header_next(s->text, s->len, &at, &field))
		if (is_called(&field, s->prefix, "Message-ID"))
			r = header_unfold(&field, &text);
	if (r < 0 || !text.len)
		return r;
	if (!charset_is_ascii(text.data, text.len))
		return refuse(why, -EINVAL, "a Message-ID with 8-bit characters: ", text.data);
	e->message_id = buf_steal(&text);
	return 0;
}

int envelope_read(const struct buf *header, const char *own, const char *rcpt, bool is_forced, struct envelope *ret,
		  struct buf *why)
{
	CLEANUP(envelope) struct envelope e = { .sender = NULL };
	struct source s = source_of(header);
	int r;

	e.is_resent = *s.prefix;
	r = rcpt ? add_recipients(&e.recipients, rcpt, strlen(rcpt), why) : envelope_recipients(header, &e.recipients, why);
	if (!r && !e.recipients.n)
		r = refuse(why, -EINVAL, "no recipient: no address in To, Cc or Bcc", "");
	if (!r)
		r = read_sender(&e, header, own, is_forced, why);
	if (!r)
		r = read_message_id(&e, &s, why);
	if (r < 0)
		return r;
	*ret = e;
	e = (struct envelope){ .sender = NULL };
	return 0;
}

void envelope_release(struct envelope *e)
{
	free(e->sender);
	free(e->message_id);
	string_list_release(&e->recipients);
	*e = (struct envelope){ .sender = NULL };
}

int envelope_new_message_id(const char *sender, struct buf *out)
{
	const char *at = strrchr(sender, '@');
	uint64_t random[2];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	return buf_printf(out, "<%016llx%08llx.%llx@%s>", (unsigned long long)random[0], (unsigned long long)(random[1] >> 32),
			  (unsigned long long)clock_realtime_s(), at && at[1] ? at + 1 : "localhost");
}

int envelope_key(const char *message_id, const struct string_list *recipients, struct buf *out)
{
	CLEANUP(string_list) struct string_list sorted = { NULL, 0 };
	size_t start;
	int r = 0;

	for (size_t i = 0; i < recipients->n && !r; i++)
		r = string_list_add(&sorted, recipients->items[i]);
	if (!r)
		r = buf_printf(out, "%s ", message_id);
	if (r < 0)
		return r;
	string_list_sort(&sorted);
	start = out->len;
	r = string_list_join(&sorted, " ", out);
	for (size_t i = start; i < out->len; i++)
		out->data[i] = (char)tolower((unsigned char)out->data[i]);
	return r;
}

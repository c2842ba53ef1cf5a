/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/letter.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>
#include <unistd.h>

#include "ctl/interrupt.h"
#include "message/header.h"
#include "outbox/envelope.h"
#include "outbox/prepare.h"
#include "outbox/survey.h"

enum { BLOCK_BYTES = 16384 };

/* Whole lines only: half a field's name is none. */
static size_t whole_lines(const struct buf *b)
{
	const char *last = b->len ? memrchr(b->data, '\n', b->len) : NULL;

	return last ? (size_t)(last - b->data) + 1 : 0;
}

/* True when nothing stands there that could still become one. */
static bool drop_mailbox_line(struct buf *b)
{
	static const char mark[] = "From ";
	size_t compared = b->len < sizeof mark - 1 ? b->len : sizeof mark - 1;
	const char *end;

	if (compared && memcmp(b->data, mark, compared))
		return true;
	end = b->len ? memchr(b->data, '\n', b->len) : NULL;
	if (end)
		buf_consume(b, (size_t)(end - b->data) + 1);
	return end;
}

int letter_read(int fd, struct letter *ret)
{
	CLEANUP(letter) struct letter l = { .start = BUF_INIT };
	bool has_started = false, is_whole = false;
	char block[BLOCK_BYTES];
	ssize_t n = 1;

	while (n > 0 && !is_whole && l.start.len < SURVEY_HEADER_MAX) {
		size_t lines;

		n = interrupted() ? -1 : read(fd, block, sizeof block);
		if (n < 0)
			return interrupted() ? -EINTR : -errno;
		if (buf_append(&l.start, block, (size_t)n) < 0)
			return -ENOMEM;
		has_started = has_started || drop_mailbox_line(&l.start);
		lines = has_started ? whole_lines(&l.start) : 0;
		is_whole = lines && header_length(l.start.data, lines) < lines;
	}
	l.header_len = l.start.len ? header_length(l.start.data, l.start.len) : 0;
	*ret = l;
	l = (struct letter){ .start = BUF_INIT };
	return 0;
}

void letter_release(struct letter *l)
{
	buf_release(&l->start);
}

static struct buf header_of(const struct letter *l)
{
	return (struct buf){ l->start.data, l->header_len, 0 };
}

int letter_from(const struct letter *l, struct address_list *list)
{
	const struct buf header = header_of(l);

	return envelope_from(&header, list) == -ENOMEM ? -ENOMEM : 0;
}

static bool is_this_user(const char *name)
{
	const struct passwd *user = getpwuid(getuid());

	return !strcmp(name, "root") || (user && !strcmp(name, user->pw_name));
}

int letter_recipients(const struct letter *l, struct string_list *list, struct buf *why)
{
	const struct buf header = header_of(l);

	return envelope_recipients(&header, list, why);
}

static int add_operand(const struct address *a, const struct address_list *own, struct string_list *list, struct buf *why)
{
	return envelope_add_recipient(!a->domain && own->n && is_this_user(a->local) ? &own->items[0] : a, list, why);
}

static int first_own(const char *own, struct address_list *list)
{
	int r = own ? envelope_first_own(own, list) : 0;

	return r == -ENOENT ? 0 : r;
}

int letter_add_recipients(const char *text, const char *own, struct string_list *list, struct buf *why)
{
	CLEANUP(address_list) struct address_list mine = { NULL, 0 };
	CLEANUP(address_list) struct address_list found = { NULL, 0 };
	int r = address_parse(text, strlen(text), &found);

	if (r == -EINVAL || (r == 0 && found.n == 0)) {
		r = buf_printf(why, "not an address: %s", text);
		return r < 0 ? r : -EINVAL;
	}
	if (r == 0)
		r = first_own(own, &mine);
	for (size_t i = 0; !r && i < found.n; i++)
		r = add_operand(&found.items[i], &mine, list, why);
	return r;
}

/* One that a server could not answer to: no list of addresses counts as one. */
static bool lacks_an_address(const struct address_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].domain)
			return false;
	return list->n;
}

static int append_field(const struct address *mine, const char *name, struct buf *out)
{
	const struct address sender = { (char *)(name ? name : mine->display), mine->local, mine->domain };
	int r = buf_append_str(out, "From: ");

	if (!r)
		r = prepare_append_address(&sender, out);
	return r < 0 ? r : buf_append_char(out, '\n');
}

static int parse(const struct header_field *field, struct address_list *list)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	int r = header_unfold(field, &text);

	return r < 0 ? r : address_parse(buf_str(&text), text.len, list);
}

/* In place of `old`, or at the very top. */
static int put_field(struct letter *l, const struct header_field *old, const struct buf *field)
{
	CLEANUP(buf) struct buf start = BUF_INIT;
	size_t before = old ? (size_t)(old->raw - l->start.data) : 0;
	size_t after = before + (old ? old->raw_len : 0);
	int r = buf_append(&start, l->start.data, before);

	if (!r)
		r = buf_append(&start, field->data, field->len);
	if (!r)
		r = buf_append(&start, l->start.data + after, l->start.len - after);
	if (r < 0)
		return r;
	l->header_len = l->header_len - (after - before) + field->len;
	buf_release(&l->start);
	l->start = start;
	start = BUF_INIT;
	return 0;
}

int letter_set_sender(struct letter *l, const char *own, const char *name)
{
	CLEANUP(address_list) struct address_list mine = { NULL, 0 }, old = { NULL, 0 };
	CLEANUP(buf) struct buf field = BUF_INIT;
	struct header_field found;
	bool has_from = l->header_len && header_find(l->start.data, l->header_len, "From", &found);
	int r = first_own(own, &mine);

	if (r < 0 || !mine.n || !l->header_len)
		return r;
	if (has_from && parse(&found, &old) == -ENOMEM)
		return -ENOMEM;
	if (has_from ? !lacks_an_address(&old) : !name)
		return 0;
	r = append_field(&mine.items[0], name || !old.n || !old.items[0].display ? name : old.items[0].display, &field);
	return r < 0 ? r : put_field(l, has_from ? &found : NULL, &field);
}

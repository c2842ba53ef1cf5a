/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the files of an outbox are shown.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/amount.h"
#include "ctl/outbox_items.h"
#include "ctl/words.h"
#include "message/charset.h"

/* "in 4 min 10 s" until the next attempt, or "2 d 4 h ago", when it was written. */
static void add_time(struct buf *out, const struct outbox_item *item, int64_t now_s)
{
	if (item->next_s > now_s) {
		buf_append_str(out, "in ");
		amount_duration(out, item->next_s - now_s);
	} else if (item->next_s) {
		buf_append_str(out, "now");
	} else {
		amount_duration(out, now_s - item->mtime_s);
		buf_append_str(out, " ago");
	}
}

/* How wide the columns are. */
struct widths {
	size_t size, time;
};

static void widen(size_t *width, const struct buf *text)
{
	if (text->len > *width)
		*width = text->len;
}

static struct widths measure(const struct outbox_items *items, int64_t now_s)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct widths widths = { 0 };

	for (size_t i = 0; i < items->n; i++) {
		buf_truncate(&text, 0);
		amount_size(&text, items->items[i].size_bytes);
		widen(&widths.size, &text);
		buf_truncate(&text, 0);
		add_time(&text, &items->items[i], now_s);
		widen(&widths.time, &text);
	}
	return widths;
}

static void print_item(const struct outbox_item *item, const struct widths *widths, int64_t now_s)
{
	CLEANUP(buf) struct buf size = BUF_INIT, time = BUF_INIT, name = BUF_INIT, error = BUF_INIT;

	amount_size(&size, item->size_bytes);
	add_time(&time, item, now_s);
	words_append(&name, item->name, '?');
	printf("%-10s%*s  %-*s  %s\n", item->state, (int)widths->size, buf_str(&size), (int)widths->time, buf_str(&time),
	       buf_str(&name));
	if (!item->error)
		return;
	words_append(&error, item->error, ' ');
	printf("%-10s%s\n", "", buf_str(&error));
}

/* What is not UTF-8 cannot be JSON: its bytes become U+FFFD. */
static json_t *json_of(const char *text)
{
	CLEANUP(buf) struct buf utf8 = BUF_INIT;

	return charset_to_utf8("utf-8", text, strlen(text), &utf8) < 0 ? NULL : json_string(buf_str(&utf8));
}

static void print_json(const struct outbox_item *item)
{
	json_t *json = json_object();
	CLEANUP(free) char *line = NULL;

	json_object_set_new(json, "name", json_of(item->name));
	json_object_set_new(json, "state", json_of(item->state));
	json_object_set_new(json, "size", json_integer(item->size_bytes));
	json_object_set_new(json, "written", json_integer(item->mtime_s));
	if (item->next_s)
		json_object_set_new(json, "next", json_integer(item->next_s));
	if (item->error)
		json_object_set_new(json, "error", json_of(item->error));
	line = json_dumps(json, JSON_COMPACT);
	if (line)
		puts(line);
	json_decref(json);
}

void outbox_items_print(const struct outbox_items *items, int64_t now_s)
{
	struct widths widths = measure(items, now_s);

	for (size_t i = 0; i < items->n; i++)
		print_item(&items->items[i], &widths, now_s);
}

void outbox_items_print_json(const struct outbox_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		print_json(&items->items[i]);
}

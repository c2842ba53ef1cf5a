/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/string_list.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "message/charset.h"

void string_list_release(struct string_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct string_list){ NULL, 0 };
}

int string_list_add(struct string_list *list, const char *text)
{
	CLEANUP(free) char *copy = strdup(text);
	char **items;

	if (!copy)
		return -ENOMEM;
	items = reallocarray(list->items, list->n + 1, sizeof *items);
	if (!items)
		return -ENOMEM;
	list->items = items;
	list->items[list->n++] = steal_pointer(&copy);
	return 0;
}

bool string_list_has(const struct string_list *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcasecmp(list->items[i], text))
			return true;
	return false;
}

bool string_list_is_ascii(const struct string_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (!charset_is_ascii(list->items[i], strlen(list->items[i])))
			return false;
	return true;
}

static int compare(const void *a, const void *b)
{
	return strcasecmp(*(char *const *)a, *(char *const *)b);
}

void string_list_sort(struct string_list *list)
{
	if (list->n)
		qsort(list->items, list->n, sizeof *list->items, compare);
}

int string_list_join(const struct string_list *list, const char *separator, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; i < list->n && !r; i++) {
		if (i)
			r = buf_append_str(out, separator);
		if (!r)
			r = buf_append_str(out, list->items[i]);
	}
	return r;
}

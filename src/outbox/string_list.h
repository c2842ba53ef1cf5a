/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list of strings that it owns: the recipients of a message. Not locked.
 */
#ifndef MAILFS_OUTBOX_STRING_LIST_H
#define MAILFS_OUTBOX_STRING_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct string_list {
	char **items; /* own, each too */
	size_t n;
};

void string_list_release(struct string_list *list);
/* A copy of `text` at the end. 0 or -ENOMEM. */
int string_list_add(struct string_list *list, const char *text);
/* Without case, as addresses are compared. */
bool string_list_has(const struct string_list *list, const char *text);
bool string_list_is_ascii(const struct string_list *list);
/* Ascending, without case. */
void string_list_sort(struct string_list *list);
/* Joined by `separator`, appended to `out`. 0 or -ENOMEM. */
int string_list_join(const struct string_list *list, const char *separator, struct buf *out);

static inline void string_list_cleanup(struct string_list *list)
{
	string_list_release(list);
}

#endif

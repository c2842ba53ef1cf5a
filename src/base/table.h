/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hash table from a row number to a pointer. Not locked; owns its slots, never what the pointers point to.
 */
#ifndef MAILFS_TABLE_H
#define MAILFS_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table {
	struct table_slot *slots; /* own */
	size_t n, cap;		  /* cap is a power of two or 0 */
};

#define TABLE_INIT ((struct table){ NULL, 0, 0 })

void table_release(struct table *t);
/* NULL when there is none. `key` is never 0. */
void *table_get(const struct table *t, int64_t key);
/* Sets or replaces; -ENOMEM. */
int table_set(struct table *t, int64_t key, void *value);
void table_remove(struct table *t, int64_t key);
/* Every value, in no order; start with *i 0; NULL at the end. The table must not change meanwhile. */
void *table_next(const struct table *t, size_t *i);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>

enum { TABLE_FIRST_CAPACITY = 64 };

struct table_slot {
	int64_t key; /* 0: free */
	void *value;
};

static size_t home(const struct table *t, int64_t key)
{
	return (size_t)(((uint64_t)key * 0x9E3779B97F4A7C15u) >> 20) & (t->cap - 1);
}

/* The slot that holds `key`, or the free one where it belongs. The table is never full. */
static struct table_slot *find(const struct table *t, int64_t key)
{
	size_t i = home(t, key);

	while (t->slots[i].key && t->slots[i].key != key)
		i = (i + 1) & (t->cap - 1);
	return &t->slots[i];
}

static int grow(struct table *t)
{
	struct table bigger = { .cap = t->cap ? t->cap * 2 : TABLE_FIRST_CAPACITY, .n = t->n };

	bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i].key)
			*find(&bigger, t->slots[i].key) = t->slots[i];
	free(t->slots);
	*t = bigger;
	return 0;
}

void table_release(struct table *t)
{
	free(t->slots);
	*t = TABLE_INIT;
}

void *table_get(const struct table *t, int64_t key)
{
	return t->cap ? find(t, key)->value : NULL;
}

int table_set(struct table *t, int64_t key, void *value)
{
	struct table_slot *slot;

	if (2 * (t->n + 1) > t->cap && grow(t) < 0)
		return -ENOMEM;
	slot = find(t, key);
	if (!slot->key)
		t->n++;
	*slot = (struct table_slot){ key, value };
	return 0;
}

/* Open addressing without tombstones: those that were displaced past the free slot move up. */
void table_remove(struct table *t, int64_t key)
{
	struct table_slot *hole;
	size_t i;

	if (!t->cap || !(hole = find(t, key))->key)
		return;
	*hole = (struct table_slot){ 0, NULL };
	t->n--;
	for (i = (size_t)(hole - t->slots + 1) & (t->cap - 1); t->slots[i].key; i = (i + 1) & (t->cap - 1)) {
		struct table_slot moved = t->slots[i];

		t->slots[i] = (struct table_slot){ 0, NULL };
		*find(t, moved.key) = moved;
	}
}

void *table_next(const struct table *t, size_t *i)
{
	while (*i < t->cap)
		if (t->slots[(*i)++].key)
			return t->slots[*i - 1].value;
	return NULL;
}

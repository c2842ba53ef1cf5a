/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of a mounted outbox, and what their attributes say: read as any program can. One thread.
 */
#ifndef MAILFS_CTL_OUTBOX_ITEMS_H
#define MAILFS_CTL_OUTBOX_ITEMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* What names in outbox/failed begin with here. */
#define OUTBOX_FAILED_PREFIX "failed/"

/* A file of the outbox. */
struct outbox_item {
	char *name;	    /* own; below outbox/: "a.eml" or "failed/a.eml" */
	char *state;	    /* own */
	char *error;	    /* own; NULL: none */
	int64_t size_bytes; /* as written */
	int64_t mtime_s;    /* seconds since 1970, as all times here */
	int64_t next_s;	    /* of the next attempt; 0: there is none to come, or it is under way */
};

struct outbox_items {
	struct outbox_item *items; /* own, what is in each too */
	size_t n;
};

void outbox_item_release(struct outbox_item *item);
void outbox_items_release(struct outbox_items *items);

/* The path of `name` below the outbox of the mount at `point`, into `ret` anew. */
int outbox_items_path(const char *point, const char *name, struct buf *ret);
/* -ENOENT: no such file, or a directory. */
int outbox_item_read(const char *point, const char *name, struct outbox_item *ret);
/* All of outbox/, then of outbox/failed/, each in order of arrival. 0 or -errno; the caller releases either way. */
int outbox_items_read(const char *point, struct outbox_items *items);

/* A line or two for each: state, size, when it is tried or was written, name, the last words on it. */
void outbox_items_print(const struct outbox_items *items, int64_t now_s);
/* A JSON object a line for each. */
void outbox_items_print_json(const struct outbox_items *items);

static inline void outbox_item_cleanup(struct outbox_item *item)
{
	outbox_item_release(item);
}

static inline void outbox_items_cleanup(struct outbox_items *items)
{
	outbox_items_release(items);
}

#endif

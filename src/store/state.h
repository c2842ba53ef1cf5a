/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must outlive the cache: STATE/state.db (SQLite). Facts learned once (the zone of the names, who files sent mail), and the record of
 * what was sent.
 *
 * Any thread; every write is durable (fsync) before it returns.
 */
#ifndef MAILFS_STATE_H
#define MAILFS_STATE_H

#include <stdint.h>

#include "base/buf.h"

struct state;

/* A damaged state database is never deleted: -EUCLEAN, for a person to look at. */
int state_open(const char *state_dir, struct state **ret);
void state_close(struct state *s);

/* -ENOENT when it was never set. */
int state_get(struct state *s, const char *key, struct buf *out);
int state_set(struct state *s, const char *key, const char *value);

/* The record of sent messages: 1 when `digest` (hex) was recorded since `since_s`, 0 when not. */
int state_sent_has(struct state *s, const char *digest, int64_t since_s);
/* Records it at `now_s`; forgets those from before `forget_before_s`. */
int state_sent_add(struct state *s, const char *digest, int64_t now_s, int64_t forget_before_s);
int state_sent_remove(struct state *s, const char *digest);

#endif

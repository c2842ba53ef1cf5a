/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * News about the tree, collected while a transaction is open and told once it is committed. On the caller's stack, one thread.
 */
#ifndef MAILFS_NEWS_H
#define MAILFS_NEWS_H

#include <stddef.h>
#include <stdint.h>

#include "mailbox/change.h"

struct mailbox;

struct news {
	struct change *items; /* own; names own */
	size_t n, cap;
};

int news_add(struct news *news, enum change_kind kind, int64_t folder, int64_t row, const char *name);
/* Tells all of it and empties it. No transaction, no lock. */
void news_tell(struct mailbox *mb, struct news *news);
void news_release(struct news *news);

static inline void news_cleanup(struct news *n)
{
	news_release(n);
}

#endif

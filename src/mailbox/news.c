/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/news.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mailbox/mailbox_private.h"

int news_add(struct news *news, enum change_kind kind, int64_t folder, int64_t row, const char *name)
{
	struct change *items;
	char *copy;

	if (!news)
		return 0;
	if (news->n == news->cap) {
		items = reallocarray(news->items, news->cap ? news->cap * 2 : 16, sizeof *items);
		if (!items)
			return -ENOMEM;
		news->items = items;
		news->cap = news->cap ? news->cap * 2 : 16;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	news->items[news->n++] = (struct change){ kind, folder, row, copy };
	return 0;
}

void news_release(struct news *news)
{
	for (size_t i = 0; i < news->n; i++)
		free((char *)news->items[i].name);
	free(news->items);
	*news = (struct news){ 0 };
}

void news_tell(struct mailbox *mb, struct news *news)
{
	for (size_t i = 0; i < news->n; i++) {
		const struct change *c = &news->items[i];

		mailbox_tell(mb, c->kind, c->folder, c->row, c->name);
	}
	news_release(news);
}

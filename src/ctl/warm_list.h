/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which messages are still to be fetched: what lies below some paths and is not in the cache, in the order in which folders list it (the
 * daemon reads ahead in that order). One thread.
 */
#ifndef MAILFS_CTL_WARM_LIST_H
#define MAILFS_CTL_WARM_LIST_H

#include <stddef.h>
#include <stdint.h>

struct warm_item {
	char *path; /* own */
	int64_t size_bytes;
};

struct warm_list {
	struct warm_item *items; /* own */
	size_t n, room;
	int64_t bytes;		 /* of all items */
	int64_t messages_cached; /* passed over */
	size_t failures;	 /* folders and files that could not be looked at; each was named on stderr */
};

/* Adds what is at and below `path`, folder by folder. Leaves out hidden names, links, and files that are no messages (the outbox). 0, -EINTR
 * once interrupted(), -ENOMEM. */
int warm_list_add(struct warm_list *list, const char *path);

void warm_list_release(struct warm_list *list);

static inline void warm_list_cleanup(struct warm_list *list)
{
	warm_list_release(list);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fetch*.c files share: one job that brings bodies, on a worker from run() on. Nobody else includes it.
 */
#ifndef MAILFS_FETCH_H
#define MAILFS_FETCH_H

#include "mailbox/mailbox_private.h"
#include "store/journal.h"

struct fetch {
	struct job job;
	struct mailbox *mb;
	struct index_folder folder; /* own; filled in when it runs */
	/* The literal that is arriving: */
	struct body *body; /* whose it is; NULL while the server has not told */
	int fd;		   /* own while `body` is NULL, else the body's */
	int64_t offset, announced, written;
	bool is_again;		 /* an earlier one was in vain */
	unsigned folder_changes; /* the mailbox's as of its start */
	size_t n;
	struct body *bodies[]; /* own references; ascending by UID */
};

/* fetch_arrival.c: bytes and sizes as they come. Lock not held. 0 or -errno. */
/* The true size is known: openers may go on. -EPROTO when readers were told another one. */
int fetch_settle_size(struct mailbox *mb, struct body *b, int64_t size);
/* A descriptor for the body's bytes: *fd, or a new one when that is -1. */
int fetch_give_file(struct mailbox *mb, struct body *b, int *fd);
/* The data() of a sink whose userdata is the struct fetch. */
int fetch_on_data(void *userdata, const void *data, size_t len);
/* Everything is there: into the cache. Without room for a name it still serves those who have it open. */
void fetch_publish(struct mailbox *mb, struct body *b);

/* fetch_whole.c, fetch_range.c: on a worker. */
int fetch_whole(struct fetch *f, struct backend **session);
int fetch_ranges(struct fetch *f, struct backend **session);

#endif

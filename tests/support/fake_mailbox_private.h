/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two halves of the fake mailbox share. The lock is held in every call but fake_tell().
 */
#ifndef MAILFS_TESTS_FAKE_MAILBOX_PRIVATE_H
#define MAILFS_TESTS_FAKE_MAILBOX_PRIVATE_H

#include <pthread.h>

#include "fake_mailbox.h"

struct node {
	int64_t row, parent;
	bool is_folder, is_gone, is_hidden, is_trusted;
	bool is_local;	    /* its bytes, in body-ROW, were not uploaded */
	bool is_written;    /* somebody has it open for writing */
	bool is_edited;	    /* a stored draft, its new bytes in edit-ROW */
	bool is_committing; /* a verdict is waited for */
	bool is_fetched;    /* what mailbox_edit() or mailbox_rename() waits for */
	mode_t mode;
	int64_t internaldate_s, set_mtime_ns;
	char *name, *flags;
	int64_t said_size, size; /* said_size -1: the truth */
	int64_t mtime_ns;
	int64_t *children; /* rows, ascending; folders and messages */
	size_t n_children, capacity;
	uint32_t folders, messages;
	int64_t next_in_bucket;
};

struct body {
	struct node *node;
	int fd;
	bool was_wrong, is_there;
};

/* A kept waiter. */
struct kept {
	struct kept *next;
	struct waiter *waiter;
	int64_t due_ms; /* INT64_MAX: never */
	int result;
	struct body *body;
	struct node *node;
	enum fake_operation operation;
};

enum { BUCKETS = 1 << 17 };

/* What is told once the lock is free. */
struct news {
	struct news *next;
	struct change change;
	char *name;
};

struct mailbox {
	pthread_mutex_t lock; /* protects all */
	pthread_cond_t news;
	pthread_t answerer;
	bool is_ending;
	char *directory;
	struct node **nodes; /* by row - 1 */
	int64_t n, capacity;
	int64_t buckets[BUCKETS];
	struct kept *kept;
	struct fake_behaviour behaviours[FAKE_OPERATIONS];
	struct fake_counts counts;
	_Atomic uint64_t index_state;
	int64_t used, limit;
	struct news *news_first, **news_last;
	bool is_safe; /* what is being committed */
};

struct node *fake_node(struct mailbox *mb, int64_t row);
struct node *fake_find(struct mailbox *mb, int64_t parent, const char *name);
struct node *fake_add_node(struct mailbox *mb, int64_t parent, const char *name, bool is_folder);
/* Another name, another folder. */
void fake_move_node(struct mailbox *mb, struct node *node, int64_t parent, const char *name);
void fake_remove_node(struct mailbox *mb, struct node *node);
int64_t fake_now_ns(void);
int fake_open_bytes(struct mailbox *mb, const char *kind, int64_t row, int flags);
/* -EINPROGRESS, or the answer there is now. */
int fake_keep(struct mailbox *mb, enum fake_operation operation, struct waiter *w, struct body *body, struct node *node);
/* The verdict of a commit that was kept; what it is answered. */
int fake_judged(struct mailbox *mb, struct node *node, int verdict);

void fake_note(struct mailbox *mb, enum change_kind kind, int64_t folder, int64_t row, const char *name);
void fake_tell(struct mailbox *mb);

#endif

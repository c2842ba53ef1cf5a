/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells the kernel what it must forget: one thread, in the order it was told. Any thread may tell; nobody waits.
 *
 * News of what the kernel itself asked for may come as well: a name that it knows anew is forgotten, which costs a lookup, and nothing that lives
 * on is told to be gone for good. The kernel may make the notifier wait for a directory's lock, so nothing that holds one waits for the
 * notifier. Names and attributes only: an offset of 0 or more would wait for pages under read. A folder in which more changes than the queue
 * holds is forgotten as a whole.
 */
#ifndef MAILFS_NOTIFY_H
#define MAILFS_NOTIFY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "mailbox/change.h"

struct fuse_session;
struct mailbox;
struct notifier;

/* Something to tell; allocated by the notifier, or embedded where somebody is to be told when the kernel was. */
struct notice {
	struct notice *next;
	void (*told)(struct notice *notice); /* frees it, or its owner */
	int (*tell)(const struct notifier *n, const struct notice *notice);
	uint64_t parent, ino;
	char *name; /* own */
};

struct notice_queue {
	struct notice *first, **last;
	size_t n;
};

struct notifier {
	struct fuse_session *session; /* borrowed */
	struct mailbox *mailbox;      /* borrowed: a folder's own name, what lives on */
	pthread_t thread;
	bool was_started;
	pthread_mutex_t lock; /* protects the rest */
	pthread_cond_t more;
	struct notice_queue queue;
	struct notice_queue folders; /* what folders themselves are to be asked again for, each once; told when nothing else is */
	int64_t folders_due_ms;	     /* … and not before; monotonic */
	bool is_running, is_stopping;
};

void notifier_init(struct notifier *n);
/* What was told before is forgotten: the kernel knows nothing yet. */
int notifier_start(struct notifier *n, struct fuse_session *session, struct mailbox *mailbox);
/* Drops what is queued but tells those who wait; true once the thread has ended, false when it still waits for the kernel after timeout_ms. */
bool notifier_stop(struct notifier *n, int timeout_ms);

void notify_change(struct notifier *n, const struct change *change);
/* A name is to be asked again. */
void notify_name_gone(struct notifier *n, uint64_t parent, const char *name);
/* The kernel forgets an inode's attributes. */
void notify_attributes(struct notifier *n, uint64_t ino);
/* The same; then told() is called, by the notifier's thread (at once when it does not run). `notice` is the caller's memory. */
void notify_attributes_then(struct notifier *n, uint64_t ino, struct notice *notice, void (*told)(struct notice *notice));

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel holds open: each open file and directory, so that an unmount can close those it never sends a release for.
 * Embedded in the owner's memory. Any thread.
 */
#ifndef MAILFS_HANDLE_H
#define MAILFS_HANDLE_H

#include <pthread.h>

struct fs;

struct handle {
	struct handle *next, *previous;
	void (*close)(struct fs *fs, struct handle *handle); /* frees the owner */
};

struct handles {
	pthread_mutex_t lock; /* protects the list */
	struct handle head;
};

void handles_init(struct handles *handles);
void handle_open(struct handles *handles, struct handle *handle, void (*close)(struct fs *fs, struct handle *handle));
/* Takes it out of the list and calls its close(). */
void handle_close(struct fs *fs, struct handle *handle);
/* Once no request is served any more. */
void handles_close_all(struct fs *fs);

#endif

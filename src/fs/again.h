/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that were told to come again, with ESTALE, where their rename(2) would have waited with directories locked.
 *
 * The kernel takes ESTALE for a name that is out of date (retry_estale() in its fs/namei.c; mkdir(2) and symlink(2) do not): it lets go of its locks and walks both
 * paths once more, asking anew for each directory on them. There a wait locks nobody out. It does so once a call: a second ESTALE would be the program's. Any
 * thread; never waits.
 */
#ifndef MAILFS_AGAIN_H
#define MAILFS_AGAIN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { AGAIN_MAX = 64 };

struct again {
	pthread_mutex_t lock; /* protects the rest */
	struct again_told {
		pid_t thread; /* 0: this one is free */
		uint64_t folder;
		enum { AGAIN_TOLD, AGAIN_WAITING, AGAIN_WAITED } state;
		int result; /* of what it waited for */
		int64_t since_ms;
	} told[AGAIN_MAX];
	int n;
};

void again_init(struct again *a);

/* Before ESTALE is answered to a LOOKUP in `folder`. False: not this time, since the thread was told already, or is not known (0), or too many are told. */
bool again_tell(struct again *a, pid_t thread, uint64_t folder);

/* At each LOOKUP, in the directory `parent`: the folder that has to be looked at before it is answered, and then again_has_waited(). 0: none. */
uint64_t again_waits_for(struct again *a, pid_t thread, uint64_t parent);
void again_has_waited(struct again *a, pid_t thread, int result);
/* -errno: the thread has waited for a look at this folder, which failed. 0: it has not, or it did not. */
int again_failed(struct again *a, pid_t thread, uint64_t folder);

/* The call has found its names, or will fail. */
void again_end(struct again *a, pid_t thread);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads that read the kernel's requests and serve them.
 *
 * One at a time reads, and spins a while before it sleeps: a program that works through a mailbox asks again within microseconds, and waking a
 * thread costs more than the answer.
 */
#ifndef MAILFS_LOOP_H
#define MAILFS_LOOP_H

#include <pthread.h>

#define LOOP_THREADS 4

struct fs;

struct loop {
	struct fs *fs;
	pthread_t threads[LOOP_THREADS];
	int n;
	int spin_us;
	pthread_mutex_t reading; /* whose turn it is to read; nothing is held while serving */
};

/* 0 or -errno. Makes the session's descriptor non-blocking. */
int loop_start(struct loop *loop, struct fs *fs);
/* Waits for the requests under work, not for those that wait. */
void loop_stop(struct loop *loop);

#endif

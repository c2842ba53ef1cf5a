/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads that read the kernel's requests and serve them.
 *
 * One at a time has the turn: it reads a request, serves it and reads the next, for waking another thread costs more than most answers. Before work that may
 * wait for a disk it passes the turn on. And it spins a while before it sleeps: a program that works through a mailbox asks again within microseconds.
 */
#ifndef MAILFS_LOOP_H
#define MAILFS_LOOP_H

#include <pthread.h>
#include <stdint.h>

#define LOOP_THREADS 4

struct fs;

struct loop {
	struct fs *fs;
	pthread_t threads[LOOP_THREADS];
	int n;
	int spin_us;
	pthread_mutex_t turn;	  /* who holds it reads */
	int64_t crowded_until_us; /* the turn's: others need the processors */
};

/* 0 or -errno. Makes the session's descriptor non-blocking. */
int loop_start(struct loop *loop, struct fs *fs);
/* The caller, serving a request, is about to wait for a disk: another thread reads on. Does nothing in other threads, and the second time. */
void loop_step_aside(void);
/* Waits for the requests under work, not for those that wait. */
void loop_stop(struct loop *loop);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads that read the kernel's requests and serve them.
 *
 * One at a time has the turn: it reads a request, serves it and reads the next, for waking another thread costs more than most answers. It says when it begins
 * work that may wait for a disk: should that last, another takes the turn. And it spins a while before it sleeps: a program that works through a mailbox asks again within microseconds.
 */
#ifndef MAILFS_LOOP_H
#define MAILFS_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LOOP_THREADS 4

struct fs;

struct loop {
	struct fs *fs;
	pthread_t threads[LOOP_THREADS];
	int n;
	int spin_us;
	int64_t crowded_until_us; /* the turn's: others need the processors */
	bool is_busy;		  /* the turn's: the last request came within a spin */
	/* 0: who has the turn is quick; else since when it may not be, and who changes that to 0 has the turn. */
	_Atomic int64_t slow_since_us;
	_Atomic int64_t last_slow_us;
	atomic_bool is_watched; /* one of those that wait for the turn looks every now and then, or is about to */
	pthread_mutex_t lock;
	pthread_cond_t relief; /* with lock */
	bool is_ticking;       /* lock */
};

/* 0 or -errno. Makes the session's descriptor non-blocking. */
int loop_start(struct loop *loop, struct fs *fs);
/* The caller, serving a request, may now wait for a disk: if it does, another thread reads on. Does nothing in other threads, and the second time. */
void loop_step_aside(void);
/* Waits for the requests under work, not for those that wait. */
void loop_stop(struct loop *loop);

#endif

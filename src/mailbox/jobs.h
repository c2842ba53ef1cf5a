/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Jobs for the workers, and the queues in which they wait, one a priority.
 *
 * The queues belong to whoever holds the lock beside them. Knows nothing of what a job does.
 */
#ifndef MAILFS_JOBS_H
#define MAILFS_JOBS_H

#include "backend/backend.h"

/* The order in which waiting jobs are taken. Background ones never occupy the last connection. */
enum job_priority { JOB_INTERACTIVE, JOB_SYNC, JOB_BACKGROUND, JOB_PRIORITIES };

/* Embedded in the caller's struct. run() is called at most once, on a worker, with its session; done() exactly once after it, or without it when the
 * job could not be run, on any thread, no lock held. `result` is what a program may be told: -EHOSTUNREACH for a connection refused, lost or closed, -EIO for nonsense. `why` is
 * one line for people, borrowed. */
struct job {
	enum job_priority priority;
	int (*run)(struct job *j, struct backend **session);
	void (*done)(struct job *j, int result, const char *why);
	struct job *next; /* the queue's */
};

struct job_queue {
	struct job *first, **last;
};

struct jobs {
	struct job_queue queues[JOB_PRIORITIES];
	int n; /* in all of them */
};

void jobs_init(struct jobs *jobs);
void jobs_push(struct jobs *jobs, struct job *j);
/* As the next of its priority: it was taken too early. */
void jobs_push_front(struct jobs *jobs, struct job *j);
/* The first of this priority; NULL when there is none. */
struct job *jobs_pop(struct jobs *jobs, enum job_priority priority);
/* All of them as a list, for jobs_answer(). */
struct job *jobs_take_all(struct jobs *jobs);
/* Ends every job of a list; hold no lock. */
void jobs_answer(struct job *list, int result, const char *why);

#endif

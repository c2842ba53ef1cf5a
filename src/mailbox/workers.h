/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads that may wait for the server: up to `connections`, each with a session of its own, fed from one queue of jobs.
 *
 * Owns the sessions and knows whether the server can be reached. While it cannot, jobs are refused at once and one idle worker tries again with
 * growing pauses. Any thread may submit. Knows nothing of what a job does.
 */
#ifndef MAILFS_WORKERS_H
#define MAILFS_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "mailbox/jobs.h"

struct workers;

enum workers_state { WORKERS_CONNECTING, WORKERS_ONLINE, WORKERS_OFFLINE };

/* All borrowed. */
struct workers_options {
	const struct backend_ops *ops;
	const struct backend_options *backend; /* but for its `cancel`, which is the workers' own */
	int connections;
	/* The state changed; `error` and `why` tell why it is offline. Called by a worker, no lock held. */
	void (*state_changed)(void *userdata, enum workers_state state, int error, const char *why);
	void *userdata;
};

int workers_new(const struct workers_options *options, struct workers **ret);
/* Ends what is under way, a server that is being connected to included, and answers every job (-EHOSTUNREACH); further ones are refused. Their submitters may still live. */
void workers_stop(struct workers *w);
/* Stops and joins. Nobody submits any more. */
void workers_free(struct workers *w);

/* 0: done() will be called. -errno: known to be offline, or stopping; the job stays the caller's. */
int workers_submit(struct workers *w, struct job *j);

/* A session's server lets a change wait, on a worker: meanwhile another session may be opened in its place, for what else there is to do. */
void workers_note_silent(struct workers *w, const struct backend *session);

struct workers_status {
	enum workers_state state;
	int error; /* when offline */
	char why[256];
	int64_t since_s; /* realtime of the last change */
	int open, limit; /* sessions */
};

void workers_status(struct workers *w, struct workers_status *ret);

#endif

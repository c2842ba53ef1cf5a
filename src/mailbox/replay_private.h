/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two halves of the replay share: replay.c, which sends the journal, and replay_answers.c, which answers those who wait for it. Nobody else includes it.
 */
#ifndef MAILFS_REPLAY_PRIVATE_H
#define MAILFS_REPLAY_PRIVATE_H

#include "mailbox/replay.h"
#include "mailbox/replay_later.h"

enum { REPLAY_REFUSED_KEPT = 256 };

struct replay {
	struct mailbox *mb; /* borrowed */
	pthread_t thread;
	pthread_cond_t wake;
	/* The mailbox's lock: */
	bool has_work, is_awaited, stopping, is_out_of_reach;
	unsigned rounds;	/* in which all that could be sent was */
	int64_t woken_ms;	/* when something came last */
	struct waiter *waiters; /* from: a message's row or 0; until: the entry; result: so far */
	struct refused {
		int64_t seq, row; /* row 0: somebody was told */
		int error;
		int64_t when_ms;
		char *folder,
			*source; /* own; where it was to be done, and what stood elsewhere: NULL, or once an fsync there has told */
	} refused[REPLAY_REFUSED_KEPT]; /* the last ones: who asks for one may come a moment late */
	size_t n_refused;
	int64_t pause_ms;
	struct later later; /* the worker's, and the thread's while no worker runs */
	atomic_int passed_over;	   /* -errno: all that is left has to wait, for that reason */
	atomic_bool is_other_left; /* than for what may still arrive */
	struct backend *
		*_Atomic sends_on; /* the worker's: its session, which may be another after it was lost; NULL: it does not send */
	bool is_late_over;	   /* the worker's; since the last connection broke it was waited for */
	int64_t busy_since_ms;	   /* the thread's; 0: it is not */
};

/* replay_answers.c. Lock not held; at the end. */
void replay_forget_refused(struct replay *r);
/* The first entry that is left; INT64_MAX: none. */
int64_t replay_first_left(struct mailbox *mb);
/* Those of whose changes, and all before them, nothing is left. */
void replay_answer_settled(struct replay *r);
/* While some entries are passed over: those of whose message nothing is left, or for which the server cannot be had. */
void replay_answer_apart(struct replay *r);
/* After sending: likewise, and those who have waited for what is passed over as long as anybody does. Whether anything is. */
bool replay_answer_passed_over(struct replay *r, int error);
/* All are told that their changes are safe here. */
void replay_answer_out_of_reach(struct replay *r);

#endif

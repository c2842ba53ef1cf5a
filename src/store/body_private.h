/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What body.c (names, publishing, opening) and body_sweep.c (counting, eviction, leftovers) share. Nobody else includes it.
 */
#ifndef MAILFS_BODY_PRIVATE_H
#define MAILFS_BODY_PRIVATE_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/body.h"

enum { BODY_BUCKETS = 256, BODY_NAME_MAX = 32 };

struct bodies {
	char cache_dir[PATH_MAX];
	char directory[NAME_MAX + 1]; /* bodies-IDENTITY */
	int dirfd;		      /* own; on it */
	int64_t limit_bytes, limit_age_s;

	pthread_mutex_t lock;		    /* held while a file gets or loses its name, so that the sums below are exact */
	int64_t bucket_bytes[BODY_BUCKETS]; /* lock */
	_Atomic int64_t total_bytes;	    /* their sum; written under the lock */

	pthread_mutex_t evicting;	  /* held by the one who evicts */
	atomic_uint evictions_wanted;	  /* how often somebody found the total over its limit */
	_Atomic int64_t next_age_check_s; /* monotonic */

	pthread_t sweeper; /* counts what bodies_open() had no time for and removes what other identities left */
	bool has_sweeper;
	atomic_bool stop;
};

/* "xx/ROW" */
void body_name(int64_t row, char out[BODY_NAME_MAX]);

/* lock is held: a bucket's sum changes. */
void bodies_account(struct bodies *b, int64_t row, int64_t bytes);

/* Counts, as far as that is quick; starts the sweeper for the rest. */
int bodies_sweep_start(struct bodies *b);
void bodies_sweep_stop(struct bodies *b);

/* When the total is over the limit, or it is time to look for old ones: evicts. Never `keep`. */
void bodies_evict_if_needed(struct bodies *b, int64_t keep);

#endif

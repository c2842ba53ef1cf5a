/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far a long piece of work has come, as one line: messages, bytes, rate, time left. Pure: the caller brings the clock.
 */
#ifndef MAILFS_CTL_PROGRESS_H
#define MAILFS_CTL_PROGRESS_H

#include <stdint.h>

#include "base/buf.h"

enum { PROGRESS_SAMPLES = 16 };

struct progress {
	int64_t messages_total, bytes_total;
	int64_t messages_done, bytes_done;
	/* A ring of what was done when, for a rate that follows the present: over PROGRESS_SAMPLES calls of progress_sample(). */
	struct {
		int64_t at_ms, bytes;
	} samples[PROGRESS_SAMPLES];
	unsigned n_samples;
};

/* To be called about twice a second. */
void progress_sample(struct progress *p, int64_t now_ms);

/* Bytes a second over the last samples; 0 while it is not known. */
int64_t progress_rate(const struct progress *p);

/* "1,204 of 48,213 messages, 312 MiB of 2.1 GiB, 14 MiB/s, 2 min 10 s left" */
int progress_text(const struct progress *p, struct buf *out);

/* The same behind a bar, in at most `columns`: the bar goes first when there is no room. */
int progress_bar(const struct progress *p, unsigned columns, struct buf *out);

#endif

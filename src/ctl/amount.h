/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers as people read them: sizes, rates, times, counts. Pure.
 */
#ifndef MAILFS_CTL_AMOUNT_H
#define MAILFS_CTL_AMOUNT_H

#include <stdint.h>

#include "base/buf.h"

/* Each appends to `out`: 0 or -ENOMEM. Negative numbers count as 0. */

/* "512 B", "1.5 KiB", "20 MiB": powers of 1024, three digits at most. */
int amount_size(struct buf *out, int64_t bytes);

/* "48,213" */
int amount_count(struct buf *out, int64_t n);

/* "5 s", "2 min 10 s", "3 h 5 min", "2 d 4 h": the two largest units. */
int amount_duration(struct buf *out, int64_t seconds);

/* "21 %", rounded down, so that 100 % means all of it. Nothing to do is 100 %. */
int amount_percent(struct buf *out, int64_t part, int64_t whole);

#endif

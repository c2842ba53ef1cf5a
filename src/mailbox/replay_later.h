/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries of the journal that could not go when it was their turn, and why: they are passed over for a while, with growing pauses, and what does not depend on them goes.
 *
 * In memory alone: after a restart each is tried as if for the first time. Of the worker that sends the journal, and of the replay's thread while none does.
 */
#ifndef MAILFS_REPLAY_LATER_H
#define MAILFS_REPLAY_LATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/table.h"

struct later {
	struct table entries; /* seq -> struct later_entry, own */
};

/* Forgets all. */
void later_release(struct later *l);

/* Not before a pause is over, twice as long as the last one. `error`: why. -ENOMEM. */
int later_pass_over(struct later *l, int64_t seq, int error);
/* That error; 0: it has its turn. */
int later_passes_over(const struct later *l, int64_t seq);

/* The server had no time or room for it. True when it has had none for so long that nobody need wait any more. */
bool later_is_refused(struct later *l, int64_t seq);
/* Something else went wrong meanwhile: that time begins anew. */
void later_forget_busy(struct later *l);

/* The server broke off the connection at a command with `n` entries, this one among them. `counts`: it had answered before on it. */
int later_note_broken(struct later *l, int64_t seq, size_t n, bool counts);
/* How many may go in one command with it: after some breaks half as many as there were. */
size_t later_together(const struct later *l, int64_t seq);
/* How often it broke off at this one alone, and whether it has at all. */
int later_times_broken(const struct later *l, int64_t seq);
bool later_has_broken(const struct later *l, int64_t seq);

#endif

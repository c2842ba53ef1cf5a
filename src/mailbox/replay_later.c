/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/replay_later.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

enum {
	PAUSE_FIRST_MS = 100,
	PAUSE_LAST_MS = 60 * 1000,
	REFUSED_MS = 10 * 60 * 1000, /* what the server has no room for is given up in the end */
	APART_MS = 500,		     /* two breaks within that are one */
	AMONG_MAX = 3,		     /* breaks, after which it is to be found out at which of many it is */
};

struct later_entry {
	int64_t until_ms, pause_ms; /* passed over until then; the last pause */
	int error;		    /* why */
	int64_t busy_since_ms;	    /* 0: it is not */
	int64_t broken_ms;	    /* when that was counted last; 0: never */
	int broken, broken_among;   /* at it alone, and among others */
	size_t together;	    /* 0: any number */
};

static struct later_entry *find(const struct later *l, int64_t seq)
{
	return table_get(&l->entries, seq);
}

/* NULL: no memory. */
static struct later_entry *find_or_add(struct later *l, int64_t seq)
{
	struct later_entry *e = find(l, seq);

	if (e)
		return e;
	e = calloc(1, sizeof *e);
	if (e && table_set(&l->entries, seq, e) < 0) {
		free(e);
		return NULL;
	}
	return e;
}

void later_release(struct later *l)
{
	struct later_entry *e;
	size_t i = 0;

	while ((e = table_next(&l->entries, &i)))
		free(e);
	table_release(&l->entries);
	*l = (struct later){ 0 };
}

int later_pass_over(struct later *l, int64_t seq, int error)
{
	struct later_entry *e = find_or_add(l, seq);

	if (!e)
		return -ENOMEM;
	e->pause_ms = e->pause_ms ? e->pause_ms * 2 : PAUSE_FIRST_MS;
	if (e->pause_ms > PAUSE_LAST_MS)
		e->pause_ms = PAUSE_LAST_MS;
	e->until_ms = clock_monotonic_ms() + e->pause_ms;
	e->error = error;
	return 0;
}

int later_passes_over(const struct later *l, int64_t seq)
{
	const struct later_entry *e = l->entries.n ? find(l, seq) : NULL;

	return e && clock_monotonic_ms() < e->until_ms ? e->error : 0;
}

bool later_is_refused(struct later *l, int64_t seq)
{
	struct later_entry *e = find_or_add(l, seq);
	int64_t now_ms = clock_monotonic_ms();

	if (!e)
		return false;
	if (!e->busy_since_ms)
		e->busy_since_ms = now_ms;
	return now_ms - e->busy_since_ms >= REFUSED_MS;
}

void later_forget_busy(struct later *l)
{
	struct later_entry *e;
	size_t i = 0;

	while ((e = table_next(&l->entries, &i)))
		e->busy_since_ms = 0;
}

int later_note_broken(struct later *l, int64_t seq, size_t n, bool counts)
{
	struct later_entry *e = find_or_add(l, seq);
	int64_t now_ms = clock_monotonic_ms();
	bool is_apart;

	if (!e)
		return -ENOMEM;
	is_apart = !e->broken_ms || now_ms - e->broken_ms >= APART_MS || (n > 1 && e->together);
	if (!is_apart || (n == 1 && !counts))
		return 0;
	e->broken_ms = now_ms;
	if (n == 1)
		e->broken++;
	else if (++e->broken_among >= AMONG_MAX)
		e->together = n / 2;
	return 0;
}

size_t later_together(const struct later *l, int64_t seq)
{
	const struct later_entry *e = l->entries.n ? find(l, seq) : NULL;

	return e && e->together ? e->together : SIZE_MAX;
}

int later_times_broken(const struct later *l, int64_t seq)
{
	const struct later_entry *e = find(l, seq);

	return e ? e->broken : 0;
}

bool later_has_broken(const struct later *l, int64_t seq)
{
	const struct later_entry *e = find(l, seq);

	return e && e->broken_ms;
}

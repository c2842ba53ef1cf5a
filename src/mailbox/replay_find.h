/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding a message again that a server stored without telling its UID, or of which nobody knows whether it arrived: among the UIDs that its folder has given since, by
 * its bytes, else by what a server leaves of them; or, moved by a command whose answer is lost, by its date and size. On a worker.
 */
#ifndef MAILFS_REPLAY_FIND_H
#define MAILFS_REPLAY_FIND_H

#include "mailbox/replay.h"

/* What a message says of itself; all 0: it is not known. */
struct identity {
	char *bytes; /* own; how it begins … */
	size_t len;  /* … or all of it, if that is not much */
	size_t header_len;
	char *fields; /* own; of its header those that count */
};

void find_forget_identity(struct identity *id);

static inline void find_forget_identity_cleanup(struct identity *id)
{
	find_forget_identity(id);
}

/* What messages say of themselves, gathered while they still stand where they are known to be. */
struct find {
	size_t from, n;		    /* of the batch */
	struct identity *wanted;    /* own, n */
	uint32_t bound;		    /* the destination's UIDNEXT before; 0: not told … */
	uint32_t bound_uidvalidity; /* … which means something while it has this UIDVALIDITY; 0: not told */
	uint32_t uidvalidity;	    /* as of find_new() */
	bool is_bound;		    /* what was found came since */
	int error;		    /* of one that could not be read; 0: all were */
	size_t n_found;
	struct found {
		struct identity identity; /* empty: it is none of the wanted */
		uint32_t uid;		  /* 0: taken */
	} * found;			  /* own; the destination's new messages, by UID */
	uint32_t *moved;		  /* own, n; those that an earlier command moved there; NULL: not looked for */
};

int find_prepare(struct find *f, struct backend **session, struct replay_batch *batch, size_t from, size_t n);
int find_new(struct find *f, struct backend **session, const char *folder);
/* Both, for entries that were marked as sent, whatever came of it. `told`: the new UID of each, 0: it is wanted; NULL: all are. */
int find_marked(struct find *f, struct backend **session, struct replay_batch *batch, size_t from, size_t n, const uint32_t *told);
/* These are known to be others. */
void find_leave_out(struct find *f, const uint32_t *told, size_t n);
/* Of entry `i`; 0: it was not found. Each is given once. */
uint32_t find_uid(const struct find *f, const struct replay_batch *batch, size_t i, uint32_t *ret_uidvalidity);
void find_release(struct find *f);
/* One that is known to be another message that this mount put there is not the one. */
bool find_is_taken(struct mailbox *mb, const char *folder, uint32_t uidvalidity, uint32_t uid);

/* Whether what entry `i` moves or copies stands there no more: 1, 0 or -errno. */
int find_has_gone(struct backend **session, struct replay_batch *batch, size_t i);

/* Entries that were marked as sent, together: confirms those that the server has, and notes them in found[n]; one that is noted already is left alone. 1 when some were not found. */
int find_sent(struct backend **session, struct replay_batch *batch, size_t from, size_t n, uint32_t *found);
/* Appended, and no UID told: confirms each as what is found. */
int find_appended(struct backend **session, struct replay_batch *batch, size_t from, size_t n);

/* replay_moved.c. On disk from then on: what the server brings to the folder of these moves has UIDs from now on. */
int find_note_bound(struct backend **session, struct replay_batch *batch, size_t from, size_t n);
/* The server obeyed a move and told no UID of some: an earlier command whose answer was lost had moved them. `told`: the new UID of each, 0: not told. */
int find_moved(struct find *f, struct backend **session, struct replay_batch *batch, size_t from, size_t n, const uint32_t *told);

static inline void find_cleanup(struct find *f)
{
	find_release(f);
}

#endif

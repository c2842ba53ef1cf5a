/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends the journal: a thread that takes what was changed, in order and many at a time, to the server by way of the workers, and settles what it says.
 *
 * While the server is out of reach the journal waits. What may have reached the server before a connection broke is verified before it is sent again.
 */
#ifndef MAILFS_REPLAY_H
#define MAILFS_REPLAY_H

#include "mailbox/mailbox_private.h"
#include "store/journal.h"

struct changing;
struct later;
struct replay;

int replay_new(struct mailbox *mb, struct replay **ret);
/* Joins the thread; waiters are answered 0: what they wait for is in the journal. NULL is allowed. */
void replay_stop(struct replay *r);
/* Once it is stopped, and no worker runs any more. NULL is allowed. */
void replay_free(struct replay *r);

/* Waits until the journal is empty, the server is out of reach, or time is up. */
void replay_finish(struct replay *r, int64_t timeout_ms);
/* Local files and the journal are on the disk: the bytes first, since the journal must not speak of what a power cut took. Any thread. */
int replay_sync(struct mailbox *mb);
/* There is something new in the journal. */
void replay_wake(struct replay *r);
/* The server is back: who waits from now on waits for its word. */
void replay_is_back(struct replay *r);
/* `w` is answered once everything in the journal up to `seq` is settled: 0, or the -errno of a change of `row` (0: of any) that was refused. -EINPROGRESS, or 0 at once while the server is out of
 * reach and the journal is on the disk. */
int replay_wait(struct replay *r, int64_t row, int64_t seq, struct waiter *w);
/* Lock of the mailbox held. */
bool replay_interrupt(struct replay *r, struct waiter *w);
/* The -errno of a change of this message that was refused lately, while nobody waited for it: told once; else 0. */
int replay_take_refused(struct replay *r, int64_t row);
/* Likewise of one that was in this folder, or below, or to get there. */
int replay_take_refused_in(struct replay *r, const char *folder, char delimiter);
/* What could not go when it was its turn. On a worker that sends the journal. */
struct later *replay_later(struct replay *r);
/* On a worker: 1 when it has waited for what a connection that broke may have left the server to do; 0: that was waited for. -ECANCELED. */
int replay_let_late_pass(struct replay *r);
/* On a worker: the server has not answered what was sent on this session for `timeout`, and is waited for. Nobody else need wait with us. */
void replay_note_silent(struct replay *r, const struct backend *session);
/* The server refused `e`, of a message that stands at `place` (NULL: at none): who waits for it shall know. */
void replay_note_refused(struct replay *r, const struct journal_entry *e, const struct journal_place *place, int error);

enum { REPLAY_BATCH_MAX = 1000 };
struct replay_batch {
	struct mailbox *mb;
	size_t n;
	int passed_over;    /* -errno: others stand before these that have to wait, for that reason; -EAGAIN: for no other */
	bool is_other_left; /* they do not all wait for what may still arrive (-EINPROGRESS) */
	int busy;	    /* how many of these the server has had no time or room for */
	struct journal_entry entries[REPLAY_BATCH_MAX]; /* own; what goes into one command */
	struct journal_place places[REPLAY_BATCH_MAX];	/* own; where the server has their messages; uid 0: nowhere */
};

/* replay_batch.c. Fills the batch with the oldest entries that one command can carry. 1, or 0 when there is none: the journal is empty, or see `passed_over`. */
int replay_next_batch(struct mailbox *mb, struct replay_batch *batch);
/* 1 while the journal changes folders, else 0. */
int replay_changes_folders(struct mailbox *mb);
/* The same in a transaction of the caller's. */
int replay_changes_folders_within(struct mailbox *mb);
void replay_batch_release(struct replay_batch *batch);
/* replay_send.c: on a worker. -errno: the connection, or all of it refused. Confirms entry by entry what the server accepted. */
int replay_send(struct replay_batch *batch, struct backend **session);
/* replay_folder.c: on a worker. 0, or -errno of what was not done. *ret_why: static, where it was not asked for at all; NULL: backend_why() tells. */
int replay_send_folder(struct mailbox *mb, struct backend **session, const struct journal_entry *e, const char **ret_why);
/* What came of an entry on the server. */
struct replay_outcome {
	uint32_t uidvalidity, uid; /* MOVE, COPY, APPEND: of the message in its folder; uid 0: not told */
	bool is_copied; /* what a move left where it was is then removed by an entry that takes its place in the journal */
	int error;	/* why it was refused */
};
/* replay_settle.c. Entry `i` is done, in a transaction; and `n` of them from `from` on, each with its outcome, many in one. */
int replay_confirm(struct replay_batch *batch, size_t i, const struct replay_outcome *o);
int replay_confirm_each(struct replay_batch *batch, size_t from, size_t n, const struct replay_outcome *outcomes);
/* Takes an entry out of the journal and shows what came of it. */
typedef int replay_settling(struct changing *c, const struct journal_entry *e, const struct journal_place *place,
			    const struct replay_outcome *o);
/* Settles entry `i` in a transaction. Where the tree cannot show it (-EEXIST, -ENOENT, -EINVAL), `otherwise` it leaves the journal all the same, and the next sync tells: what
 * comes behind must not wait for ever. */
int replay_settle(struct replay_batch *batch, size_t i, replay_settling *settling, replay_settling *otherwise,
		  const struct replay_outcome *o);
/* Of the folder that a JOURNAL_RENAME is about; an index that was made anew may not know that yet. */
char replay_renamed_delimiter(const struct journal_entry *e);
/* replay_refuse.c. What was to follow entry `seq` does not come, in a transaction. */
int replay_drop_depending(struct changing *c, int64_t seq);
/* Entry `i` will never be done: the tree shows what the server has, and the person is told. */
int replay_refuse(struct replay_batch *batch, size_t i, int error, const char *why);
/* The person is told that there was nothing to move, and who waits for it; it is for the caller to confirm the entry. */
void replay_say_gone(struct replay_batch *batch, size_t i);

#endif

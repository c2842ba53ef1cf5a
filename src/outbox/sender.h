/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sender: submitters, threads that take what is due, each with one connection for a burst. The first one does all of it by itself, the others help where
 * the queue is long. Their parts: the session, one attempt, what follows acceptance.
 *
 * All but sender_start() and sender_stop() run on a submitter's thread, or in a test that has none.
 */
#ifndef MAILFS_OUTBOX_SENDER_H
#define MAILFS_OUTBOX_SENDER_H

#include "outbox/prepare.h"
#include "outbox/queue.h"

/* Does what is due now, as the first submitter; the seconds until something else is, -1 if nothing is. */
int64_t sender_run_due(struct outbox *o);
int sender_start(struct outbox *o);
/* Cuts submissions short, a server that is being connected to included, and waits for the threads' end. */
void sender_stop(struct outbox *o);
/* Queued, held or to be tried again. */
bool sender_waits(const struct entry *e);

/* session.c. Opens one if there is none; 0, or it has told all that wait, `e` (claimed) among them; -ECANCELED: nothing happened, -EUSERS: no more than
 * there are, and nothing happened to `e`. */
int session_ready(struct submitter *s, struct entry *e);
void session_close(struct submitter *s);
/* A message was decided on it. */
void session_is_good(struct submitter *s);
/* It was lost in the middle of a message. True: not for the first time in a row. */
bool session_was_lost(struct submitter *s);
/* It could not be had, or was lost again: nobody's message is to blame. Said once in the log, shown on all that wait; `e`, claimed, may be NULL. */
void session_failed(struct outbox *o, struct entry *e, int error, const char *why);

/* attempt.c. One try at a claimed entry, its verdict applied. */
void attempt_send(struct submitter *s, struct entry *e);

/* sent.c. The copy and the record of a claimed entry in state SENT. True: the entry is gone. */
bool sent_finish(struct outbox *o, struct entry *e);
/* Files a due copy, and records that this message was sent to these recipients. 0 or -errno: to be repeated. */
int sent_record(struct outbox *o, struct entry *e);
/* 0 when the copy is filed. */
int sent_file_copy(struct outbox *o, struct entry *e);
/* The message as the server takes it, or as the sent folder keeps it, in a file without a name. -EINVAL with `why`. */
int sent_prepare(struct outbox *o, struct entry *e, bool is_copy, bool takes_eightbit, int *ret_fd, struct prepared *ret,
		 struct buf *why);

#endif

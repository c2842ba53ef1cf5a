/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entries in memory, and who works on which: the inside of struct outbox.
 *
 * `lock` protects everything that does not say otherwise. It is never held over an fsync, a callback or the network: whoever changes an entry claims
 * it, works on it unlocked, and releases it. Only the claimer writes an entry's record, and it does so under the lock; so the claimer may read it without.
 */
#ifndef MAILFS_OUTBOX_QUEUE_H
#define MAILFS_OUTBOX_QUEUE_H

#include <pthread.h>

#include "base/cancel.h"
#include "outbox/outbox.h"
#include "outbox/record.h"
#include "outbox/submission.h"

enum entry_claim {
	CLAIM_NONE,
	CLAIM_CHANGE, /* a rename, a removal, an attribute: over in the time of an fsync, others wait for it */
	CLAIM_COMMIT, /* -EBUSY to others, since it may ask the sent folder */
	CLAIM_SEND,   /* -EBUSY to others */
};

struct entry {
	struct entry *next; /* ascending ids */
	int64_t id;
	struct record record;
	enum entry_claim claim;
	bool is_sending;  /* an attempt is under way: shown instead of the record's state */
	bool is_bouncing; /* its notice is being filed, unclaimed */
	bool is_unsaved;  /* the record is ahead of the disk, which was full: saved before anything else happens to it */

	/* What the callback `changed` was last told, or a caller of outbox.h did itself. */
	char shown_name[NAME_MAX + 1];
	enum outbox_place shown_place;
	enum outbox_state shown_state;
	bool is_shown;
};

/* A close(2) that waits: for its commit, then for outbox-wait. */
struct commit_job {
	struct commit_job *next;
	int64_t id;
	struct waiter *waiter; /* borrowed until it is answered */
	int64_t deadline_ms;   /* monotonic; once committed */
};

/* What the submitters share. */
struct sender {
	unsigned wakes;	      /* how often there was news for them */
	int lost;	      /* sessions in a row that were lost in the middle of a message */
	int64_t not_before_s; /* the server could not be reached or did not let us in: no attempt before this */
	int64_t last_failure_s;
	int failures;	 /* sessions in a row that failed; 0: the last one was good */
	bool is_refused; /* sign-in or certificate: a new message does not hurry the next attempt */
	bool is_proven; /* it has decided on a message since it failed last: others than the first submitter may open sessions, too */
	int64_t *
		started_ms; /* own, NULL: no rate-limit; when the last messages were begun, as many as a minute may have; monotonic */
	size_t oldest;	    /* of these */
};

/* A thread that sends, and its connection. */
struct submitter {
	struct outbox *o; /* borrowed */
	pthread_t thread;
	struct smtp *session;  /* own; its thread's alone */
	int sent;	       /* messages that this session has had a verdict on */
	int64_t rests_until_s; /* not the first one: the server let no more in */
};

struct outbox {
	int dirfd; /* STATE/outbox; constant */
	struct outbox_options options;
	const char *own; /* borrowed, constant; the account's addresses or NULL */
	const struct submission_ops *submission;

	pthread_mutex_t lock;
	pthread_cond_t claims;	/* a claim was given up */
	pthread_cond_t commits; /* a job, or the end */
	pthread_cond_t work;	/* for the submitters */
	struct entry *first;
	int64_t next_id, reserved_id;
	int64_t size_max_bytes;		   /* the server's SIZE as last told; 0: not told */
	struct commit_job *jobs, *waiting; /* own; in order */
	bool is_stopping, is_started;
	struct cancel cancel; /* ends what the sender waits for */
	pthread_t committer;
	struct sender sender;
	struct submitter *submitters; /* own; constant */
	size_t n_submitters;	      /* at least one */
};

/* outbox_new() with another submission server. */
int queue_open(const char *state_dir, const struct outbox_options *options, const struct submission_ops *submission,
	       struct outbox **ret);
void queue_free(struct outbox *o);
/* recover.c: reads what is on disk, before any thread. */
int queue_recover(struct outbox *o);

/* Claims an entry; NULL with *ret_error -ENOENT (also what is no longer listed, unless `claim` is CLAIM_SEND) or -EBUSY. */
struct entry *queue_claim(struct outbox *o, int64_t id, enum entry_claim claim, int *ret_error);
void queue_release(struct outbox *o, struct entry *e);
/* A commit is over: its outcome may be seen, and is told; still claimed. */
void queue_show(struct outbox *o, struct entry *e);
/* Removes a claimed entry from disk and memory; on failure it is still there, and claimed. */
int queue_remove(struct outbox *o, struct entry *e);

/* Out of memory alone, and freed: its directory was not made, or cannot be removed now. */
void queue_forget(struct outbox *o, struct entry *e);
bool queue_is_stopping(struct outbox *o);

/* Under the lock. */
struct entry *queue_find(const struct outbox *o, int64_t id);
struct entry *queue_find_name(struct outbox *o, enum outbox_place place, const char *name);
void queue_add(struct outbox *o, struct entry *e);
int queue_new_id(struct outbox *o, int64_t *ret_id);
bool queue_is_listed(const struct entry *e);
/* As it is shown. */
enum outbox_state queue_state(const struct entry *e);
void queue_describe_entry(struct outbox *o, const struct entry *e, struct outbox_entry *ret);

/* Of a claimed entry: gives it `name` at `place`, or the next name that is free there. */
void queue_move(struct outbox *o, struct entry *e, enum outbox_place place, const char *name);
/* Ends an attempt's SENDING as well. */
void queue_set_state(struct outbox *o, struct entry *e, enum outbox_state state);
/* `text` NULL: none. Out of memory leaves the old words. */
void queue_set_error(struct outbox *o, struct entry *e, const char *text);

/* Into failed/, under its name or the next that is free, as FAILED_STATE or UNCERTAIN, with the words for it. Saved by the caller. */
void queue_fail(struct outbox *o, struct entry *e, enum outbox_state state, const char *why);
/* Moved back from there it goes to these alone. */
int queue_set_rcpt(struct outbox *o, struct entry *e, const struct string_list *recipients);

/* Tells `changed` what is different since it was last told; queue_note() only remembers that the caller knows. */
void queue_announce(struct outbox *o, struct entry *e);
void queue_note(struct outbox *o, struct entry *e);

/* Saves the record, or remembers that it is not saved. -errno of the disk. */
int queue_save(struct outbox *o, struct entry *e);

/* Gives a claimed entry its key. -EEXIST, unless `is_exempt`, when a message of that key waits, is under way, was taken or may have been. */
int queue_take_key(struct outbox *o, struct entry *e, const char *key, bool is_exempt);

/* Wakes the submitters. `is_new`: a message was queued, which hurries a server that could not be reached. */
void queue_wake_sender(struct outbox *o, bool is_new);

#endif

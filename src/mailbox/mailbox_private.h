/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of this folder share: the mailbox itself. Nobody else includes it.
 *
 * One lock, `lock`, protects what kernel threads and workers both touch in memory: which folders were looked at, which bodies are open. It is held for moments only, never
 * across the network, the disk's slow parts, or a waiter's done().
 */
#ifndef MAILFS_MAILBOX_PRIVATE_H
#define MAILFS_MAILBOX_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "backend/backend.h"
#include "base/table.h"
#include "mailbox/answers.h"
#include "mailbox/changing.h"
#include "mailbox/events.h"
#include "mailbox/mailbox.h"
#include "mailbox/workers.h"
#include "outbox/outbox.h"
#include "store/body.h"
#include "store/index.h"
#include "store/local.h"
#include "store/state.h"

struct date_zone;
struct fetch;
struct replay;

enum { ALERTS_MAX = 8, PLAN_MAX = 1024 };

/* The personal namespace's prefix on the wire, as the state keeps it: for folders that are made at the top. */
#define FOLDER_PREFIX_KEY "folder-prefix"

/* What the last opens look like from afar: somebody who reads a folder in listing order is served ahead. */
struct reader {
	int64_t folder, row; /* opened last */
	int streak;	     /* opens in a row that came soon behind the one before */
	int64_t ahead;	     /* the last row planned */
	int64_t batch_bytes; /* of the next batch; grows with success */
	struct {
		int64_t row, size_bytes;
	} plan[PLAN_MAX]; /* planned and not opened yet: a ring */
	size_t first, n;
	int64_t planned_bytes;
};

struct mailbox {
	struct mailbox_options options;
	const struct configuration *configuration; /* borrowed, options.configuration */
	struct backend_options backend;
	struct index *index;
	struct bodies *bodies;
	struct state *state;
	struct date_zone *zone;
	struct local_files *files;
	struct workers *workers;
	struct replay *replay;
	struct answers *answers;
	struct outbox *outbox; /* NULL: none */
	char *user;	       /* own; who signs in */

	struct events *events; /* own; NULL: nobody can follow them */

	atomic_bool is_connected;   /* mailbox_connect() has ended: what happens from now on is news */
	atomic_uint folder_changes; /* how often folders were changed here: a listing that the server gave meanwhile is of no use */
	atomic_int tells_uids;	  /* of what was copied or moved (COPYUID): 1, or -1 for a server that does not; 0: not known yet */
	pthread_mutex_t syncing;  /* held while local files go to the disk */
	atomic_bool has_unsynced; /* local files whose bytes the journal relies on may not be on the disk yet */
	atomic_bool has_unplaced; /* local files whose folders are not known yet */
	atomic_bool sizes_lie;	  /* the server was caught at a wrong RFC822.SIZE */
	atomic_llong quota_used, quota_limit;
	atomic_bool has_labels;	   /* a message may stand in several folders and is removed from all: Gmail */
	atomic_llong append_limit; /* bytes of a message; 0: not told */

	pthread_mutex_t lock;  /* protects the rest */
	struct table looks;    /* folder row -> struct look */
	struct table opened;   /* message row -> struct body */
	struct table writing;  /* local file's row -> itself, while it is written */
	struct table keywords; /* folder row -> itself: it has taken a keyword from us */
	struct table
		confirmed; /* message row -> the number of the last change of its flags that the server confirmed, as long as any sync runs */
	uintptr_t n_confirmed;	     /* such changes so far */
	int n_syncs;		     /* running */
	int64_t listed_ms;	     /* when the folder list was last asked for; 0: never */
	bool is_listing, list_again; /* again: what is listed now may have been told too early */
	struct waiter *list_waiters;
	struct reader reader;		  /* read_ahead.c */
	struct gmail *gmail, *gmail_last; /* gmail.c: asked and not answered yet; own reference: answered last, or NULL */
	char *alerts[ALERTS_MAX];	  /* own; the newest last */
};

/* tell.c. No lock held. A change for the kernel's side; one that was found at the server is an event as well. */
void mailbox_tell(struct mailbox *mb, enum change_kind kind, int64_t folder, int64_t row, const char *name);
void mailbox_tell_found(struct mailbox *mb, enum change_kind kind, int64_t folder, int64_t row, const char *name);
void mailbox_tell_outbox(struct mailbox *mb, const struct outbox_entry *e, bool is_gone);
/* What a person should know of: to the log, kept for the status, and an event. */
void mailbox_say(struct mailbox *mb, const char *text);

/* folder_list.c: asks the server for its folders and brings the index up to date, on a worker. 1: folders are being changed here, and what the server lists is of no use yet. */
int folder_list_update(struct mailbox *mb, struct backend **session);
/* Whether the index holds any folder at all. */
bool folder_list_is_known(struct mailbox *mb);
/* The sent, trash or drafts folder by special use, else by a well-known name at the top. -ENOENT. Release *ret. */
int folder_list_find(struct mailbox *mb, enum special_use use, struct index_folder *ret);
/* What to call one that has to be made. */
const char *folder_list_usual_name(enum special_use use);
/* The folder that stands at `path`, from the mount's root. -ENOENT. */
int folder_list_by_path(struct mailbox *mb, const char *path, struct index_folder *ret);
/* A folder's path from the mount's root. */
int folder_list_path(struct mailbox *mb, int64_t row, struct buf *out);

/* changing.c. -EINPROGRESS: `w` is answered once the journal's changes so far are settled, whatever came of them; 0: there are none. */
int changing_settle_all(struct mailbox *mb, struct waiter *w);

/* look.c */
void look_release_all(struct mailbox *mb);
bool look_interrupt(struct mailbox *mb, struct waiter *w); /* lock held */
/* What is in the folder is not as was thought: the next look waits for a sync. */
void look_forget(struct mailbox *mb, int64_t folder);
/* Starts a listing of the folders in the background when the last one is old. `w` may be NULL; -EINPROGRESS: it was kept. */
int look_at_folder_list(struct mailbox *mb, bool force, struct waiter *w);
/* Syncs started and not ended: calls each with its folder row, messages done and in all. Lock not held. */
void look_each_running(struct mailbox *mb, void (*each)(void *userdata, int64_t folder, uint32_t done, uint32_t total),
		       void *userdata);

/* sync.c: brings one folder up to date, on a worker. `progress` may be NULL. */
struct sync_progress {
	atomic_uint done, total;
};
int sync_folder(struct mailbox *mb, struct backend **session, int64_t folder, struct sync_progress *progress);
/* The server has confirmed a change of a message's flags: what it told those syncs that run may be older. In a transaction. */
void sync_note_confirmed(struct mailbox *mb, int64_t row);

/*
 * One message's bytes while anybody reads or fetches them: a file, and which of its bytes are there.
 *
 * A small message is fetched whole, its bytes in order. A large one is fetched by ranges as they are read: `blocks` tells which parts are
 * there. Both end as a whole body in the cache. All fields are the mailbox lock's but those that never change.
 */
struct body {
	int64_t row;	/* negative: these bytes are the message's no longer */
	int64_t folder; /* where the server has it: this and `uid` change only while no fetch is at it */
	uint32_t uid;
	int refs; /* readers, and the job that fetches it */
	int fd;	  /* own; -1 until the first bytes came. Constant from then on while refs are held */
	int64_t size;
	bool is_proven, was_wrong, is_complete;
	struct fetch *fetch;  /* borrowed; the job at it, NULL: none … */
	bool waits_for_place; /* … until the journal is settled, which tells where the message is: then it begins anew */
	int error;	      /* of the last fetch, until error_until_ms */
	int64_t error_until_ms;
	int64_t from, until;   /* bytes that the fetch under way has brought */
	unsigned char *blocks; /* own; one a BODY_BLOCK; NULL: fetched whole */
	int64_t window;	       /* bytes of the next range */
	int64_t wanted;	       /* where a sequential reader will soon be; -1: nowhere */
	struct waiter *openers, *readers;
};

enum { BODY_BLOCK = 128 * 1024, BODY_WHOLE_MAX = 1024 * 1024, BODY_WINDOW_MAX = 4 * 1024 * 1024 };

/* reading.c. All with the lock held. */
bool body_interrupt(struct mailbox *mb, struct waiter *w);
struct body *body_get(struct mailbox *mb, const struct index_message *m); /* takes a reference; NULL: no memory */
void body_put(struct mailbox *mb, struct body *b);
/* The message has other bytes from now on: who has the old ones open reads on in them, nobody else gets them. */
void body_forget(struct mailbox *mb, int64_t row);
bool body_has(const struct body *b, int64_t from, int64_t until);
/* Takes those out of the body's lists who have what they wait for; answer them without the lock. */
struct waiter *body_take_satisfied(struct body *b);
struct waiter *body_take_all(struct body *b);
void body_release_all(struct mailbox *mb);

/* fetch.c. Both with the lock held. Starts the fetch that the waiters of `b` need: 0 or why the server cannot be asked. */
int fetch_start(struct mailbox *mb, struct body *b);
/* Fetches `n` whole bodies of one folder with one command, in the background; takes a reference on each. */
int fetch_start_ahead(struct mailbox *mb, struct body **bodies, size_t n);

/* What readers are told where the folder went, or another came in its place: so did the message. Lock not held. */
int fetch_error_for_readers(struct mailbox *mb, int result);

/* gmail.c */
bool gmail_interrupt(struct mailbox *mb, struct waiter *w); /* lock held */
void gmail_release_all(struct mailbox *mb);

/* read_ahead.c: the message was opened. Plans what comes next. Lock not held. */
void read_ahead_note(struct mailbox *mb, const struct index_message *opened);

/* Runs `run` on a worker and waits for it; for threads that may wait (the outbox's). */
int mailbox_run(struct mailbox *mb, enum job_priority priority, int (*run)(void *userdata, struct backend **session),
		void *userdata);

#endif

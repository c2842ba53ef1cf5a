/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outbox: files that are written into it become messages in a durable queue, and the queue is submitted.
 *
 * fs/ calls it from kernel threads (none of these calls waits for the network; those that touch a disk say so), a sender thread
 * of its own drains it. Knows neither the kernel nor IMAP: filing the sent copy and looking in the sent folder are callbacks.
 *
 * One directory an entry, STATE/outbox/ID/: `message` (the bytes as written), and a small durable record beside it; what is on disk alone decides
 * the state after a crash.
 */
#ifndef MAILFS_OUTBOX_H
#define MAILFS_OUTBOX_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"
#include "base/configuration.h"
#include "base/waiter.h"
#include "net/secret.h"
#include "store/state.h"

struct outbox;

/* Where an entry is seen: MOUNT/outbox or MOUNT/outbox/failed. */
enum outbox_place { OUTBOX_QUEUE, OUTBOX_FAILED };

enum outbox_state {
	OUTBOX_WRITING, /* open for writing; nothing is judged yet */
	OUTBOX_SCRATCH, /* a scratch name (message/scratch_name.h), an empty file or a killed writer's `.partial`: never sent */
	OUTBOX_HELD,
	OUTBOX_QUEUED,
	OUTBOX_SENDING,
	OUTBOX_RETRY,
	OUTBOX_FAILED_STATE,
	OUTBOX_UNCERTAIN,
	OUTBOX_SENT, /* accepted; the copy in the sent folder is not filed yet. Not listed any more */
};

/* "queued" and so on, for user.mail.state. Static. */
const char *outbox_state_name(enum outbox_state state);

struct outbox_entry {
	int64_t id; /* ascending, never used twice: the inode's row */
	char name[NAME_MAX + 1];
	enum outbox_place place;
	enum outbox_state state;
	int64_t size_bytes;
	struct timespec mtime;
	mode_t mode;
};

/* What goes into the sent folder. Borrowed. */
struct outbox_copy {
	int fd;
	int64_t size_bytes;
	const char *field, *message_id; /* what it is known by: see sent_contains */
	int64_t date_s;
	int64_t accepted_s; /* when the first recipient was accepted: the server's own copy is waited for from then on */
};

/* All borrowed until outbox_free(). */
struct outbox_options {
	const struct configuration *configuration; /* smtp, from, auth, tls…, timeout */
	struct secret *secret;			   /* of the submission server */
	struct state *state;
	/* Called by the sender thread or a commit, may take as long as the network does. `field`: Message-ID, or Resent-Message-ID of
	 * what is passed on. `message_id` with its angle brackets. */
	int (*sent_contains)(void *userdata, const char *field, const char *message_id); /* 1, 0, -errno */
	/* -EAGAIN: the server may yet file it itself; asked again later. */
	int (*file_sent_copy)(void *userdata, const struct outbox_copy *copy);
	/* A notice of what was not sent, unread in the inbox, once: searched for by its Message-ID first. NULL: there are none. -EOPNOTSUPP: nothing can be filed. */
	int (*file_bounce)(void *userdata, int fd, int64_t size_bytes, const char *message_id, int64_t date_s);
	/* An entry appeared, vanished or changed state by itself (not what the caller of a function below asked for and was told by its 0): for the kernel and
	 * for events. One that moves (a refused one into failed/) is told twice: gone from its old place and name, then as it is now. Gone in state SENT: it was
	 * sent. Any thread, no lock held; an outbox function may be called. */
	void (*changed)(void *userdata, const struct outbox_entry *entry, bool is_gone);
	void *userdata;
};

/* Recovers the queue from disk. */
int outbox_new(const char *state_dir, const struct outbox_options *options, struct outbox **ret);
/* Starts the sender thread. */
int outbox_start(struct outbox *o);
/* The network is back: a server that could not be reached is tried at once. Any thread. */
void outbox_wake(struct outbox *o);
/* Stops the sender (a message being sent gets its verdict or becomes `retry` or `uncertain` as on a lost connection), then frees. */
void outbox_free(struct outbox *o);

/* -ENOENT. */
int outbox_get(struct outbox *o, int64_t id, struct outbox_entry *ret);
int outbox_lookup(struct outbox *o, enum outbox_place place, const char *name, struct outbox_entry *ret);
/* When an entry last came, went, moved or got another name, in either place; kept over a restart. */
void outbox_mtime(struct outbox *o, struct timespec *ret);
/* Entries of a place with id > after, ascending; `each` returns 0 to go on, 1 to stop. */
int outbox_each(struct outbox *o, enum outbox_place place, int64_t after, int (*each)(void *userdata, const struct outbox_entry *e),
		void *userdata);

/* A new empty entry in state WRITING and a read-write descriptor on its bytes, the caller's. -EEXIST. A crash before commit leaves it as scratch `NAME.partial`. */
int outbox_create(struct outbox *o, enum outbox_place place, const char *name, mode_t mode, int64_t *ret_id, int *ret_fd);
/* A descriptor on an entry's bytes. For writing only in WRITING, SCRATCH and failed ones (others -EACCES; -EBUSY while it is being committed or sent): the entry becomes WRITING. */
int outbox_open(struct outbox *o, int64_t id, bool write, int *ret_fd);

/*
 * The last close of a writer: validates, fsyncs, queues. Keeps the waiter (-EINPROGRESS) and answers from a thread of its own: 0 queued (or scratch, or nothing had
 * been written); -EINVAL not a message, no recipient, unfinished multipart; -EFBIG over the server's SIZE when known; -EPERM From is none of `from`; -EEXIST this Message-ID was
 * sent to these recipients before. On refusal the bytes stay, in failed/, with the reason as their error. -ENOSPC and the like: nothing is queued, the
 * bytes are scratch. `outbox-wait` is waited here too: -EREMOTEIO if the server refuses in that time. An entry that is not WRITING, or is being committed: 0 at once (the
 * backstop at release). After the last close nothing may be written through a descriptor that outbox_create() or outbox_open() gave.
 */
int outbox_commit(struct outbox *o, int64_t id, struct waiter *w);
/* The writer was killed or failed: the bytes become scratch `NAME.partial`. 0, or -errno of the disk. */
int outbox_abandon(struct outbox *o, int64_t id);

/* rm: cancels. -EBUSY while it is being committed or sent. The bytes of a WRITING entry go once its descriptors are closed. */
int outbox_unlink(struct outbox *o, int64_t id);
/* mv within or between the places, over an entry there if `replace` (else -EEXIST). To OUTBOX_QUEUE out of failed/: queued again (the Message-ID guard exempt). A scratch name to an
 * ordinary one: committed as by outbox_commit but without waiting for the network; its verdict's errno is returned (the file is in failed/ then). -EBUSY while
 * either is being committed or sent. */
int outbox_rename(struct outbox *o, int64_t id, enum outbox_place place, const char *name, bool replace);
int outbox_set_times(struct outbox *o, int64_t id, const struct timespec *mtime);
int outbox_set_mode(struct outbox *o, int64_t id, mode_t mode);

/* Extended attributes of an entry, given without `user.mail.`: state, error, message-id, next (of one that waits: seconds since 1970, when it is tried) to be
 * read; rcpt, dsn (dsn.h), force to be read, and written until it is queued, then -EBUSY; retry to be written: one that waits is tried now, -EINVAL for others,
 * -EBUSY while it is being committed or sent. -ENODATA, -EINVAL. Setting another one does nothing; state and error: -EPERM. */
int outbox_get_attribute(struct outbox *o, int64_t id, const char *name, struct buf *out);
int outbox_set_attribute(struct outbox *o, int64_t id, const char *name, const char *value, size_t len);

/* The queue as JSON text for .mailfs/status: an array of {name, state, size, error}. */
int outbox_describe(struct outbox *o, struct buf *out);

#endif

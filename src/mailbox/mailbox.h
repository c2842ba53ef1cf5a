/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the mailbox is, to whoever shows it: folders, messages, bytes. The facade that fs/ calls.
 *
 * Kernel threads call everything here. Nothing waits for the network: an answer that needs it takes a waiter and returns -EINPROGRESS. Knows
 * neither FUSE nor IMAP. Rows are those of the index: stable, never used twice.
 */
#ifndef MAILFS_MAILBOX_H
#define MAILFS_MAILBOX_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/configuration.h"
#include "base/waiter.h"
#include "mailbox/change.h"

struct backend_ops;
struct mailbox;
struct outbox;
struct secret;

enum { MAILBOX_ROOT = 1 }; /* the row of the mount's root folder */

/* All borrowed until mailbox_free(). */
struct mailbox_options {
	const struct configuration *configuration;
	const struct backend_ops *backend; /* the protocol; a test brings its own */
	struct secret *secret, *smtp_secret;
	bool read_only;
	const char *mountpoint; /* for the status */
	/* News; any thread, no lock held. */
	void (*changed)(void *userdata, const struct change *change);
	void (*outbox_changed)(void *userdata, int64_t id, bool is_failed_place, const char *name, bool is_gone);
	void *userdata;
};

/*
 * Whether what the configuration names is there and makes sense: files that can be read, a time zone, patterns, addresses. Before
 * mailbox_new(); no network, any thread. 0, or -EINVAL with `why` one line of file, line and what to write; -ENOMEM.
 */
int mailbox_check(const struct configuration *c, struct buf *why);

/* Opens cache and state (locked by the caller), no network yet. */
int mailbox_new(const struct mailbox_options *options, struct mailbox **ret, struct buf *why);
/*
 * Signs in and learns the folder list. 0: usable. Out of reach or certificate unverifiable (-EKEYREJECTED) with a folder list in the cache: 0, with `why` a warning line.
 * Else -errno with `why` one line: -EACCES sign-in refused, -EKEYREJECTED, others: out of reach. `delay`: does not wait (-o delay_connect).
 */
int mailbox_connect(struct mailbox *mb, bool delay, struct buf *why);
/* Stops every thread and session; waiters are answered -EHOSTUNREACH first. Call once no more requests come. */
void mailbox_free(struct mailbox *mb);

/* NULL when read-only or no submission server is configured. */
struct outbox *mailbox_outbox(struct mailbox *mb);

struct mailbox_folder {
	int64_t row, parent;
	char name[NAME_MAX + 1];
	bool is_selectable; /* holds messages, not only folders */
	bool is_writable;   /* MYRIGHTS or read-only mount */
	uint32_t folders;   /* child folders, for nlink */
	uint32_t messages, unseen, uidvalidity;
	int64_t mtime_ns;
	bool is_local; /* on no server: a scratch directory */
};

struct mailbox_message {
	int64_t row, folder; /* folder 0: gone, still open somewhere */
	uint32_t uid;
	char name[NAME_MAX + 1];
	int64_t size_bytes;
	bool size_trusted; /* proven, or the server is not known to lie: the kernel may cache it */
	int64_t internaldate_s, ctime_ns;
	bool is_local;	  /* its bytes are on this machine only: written, or scratch */
	int64_t mtime_ns; /* what stat(2) shows */
	mode_t mode;	  /* permissions as chmod left them; 0: the usual ones */
	char letters[6];  /* of its flags, as flags_to_maildir() makes them */
};

struct mailbox_entry {
	bool is_folder;
	uint64_t cookie; /* from mailbox_list(): where it goes on behind this entry. Nonzero, below 2^62 */
	union {
		struct mailbox_folder folder;
		struct mailbox_message message;
	};
};

/* -ENOENT. Never wait. */
int mailbox_folder(struct mailbox *mb, int64_t row, struct mailbox_folder *ret);
int mailbox_message(struct mailbox *mb, int64_t row, struct mailbox_message *ret);
int mailbox_message_by_uid(struct mailbox *mb, int64_t folder, uint32_t uid, struct mailbox_message *ret);

/*
 * The folder is about to be listed or searched for a name. 0: what the index holds is complete; when its last check is over 10 s old another one
 * starts in the background. -EINPROGRESS: it was not looked at since the start, and `w` is answered once it was synced: 0, also when the server is out of reach but an earlier sync is complete; else -errno.
 */
int mailbox_look(struct mailbox *mb, int64_t folder, struct waiter *w);
/* Since the start; the root, once the folders were listed. Then a look does not wait, but after the folder was begun anew. */
bool mailbox_was_looked_at(struct mailbox *mb, int64_t folder);

/* A child by name; -ENOENT. Only after mailbox_look() answered 0 for this folder is -ENOENT the truth for a message. */
int mailbox_lookup(struct mailbox *mb, int64_t folder, const char *name, struct mailbox_entry *ret);

/* Child folders, then messages, behind the cookie (0: from the start; else that of the last entry seen). `each` returns 0 to go on, 1 to stop. Borrowed
 * during the call; it may call nothing of the mailbox. A message's cookie carries its folder's UIDVALIDITY: -EIO when the folder was begun anew or went
 * since that message was told: old and new together are not the whole. Never waits. */
int mailbox_list(struct mailbox *mb, int64_t folder, uint64_t after, int (*each)(void *userdata, const struct mailbox_entry *e),
		 void *userdata);
/* The same, but of a message only row, folder, uid and name are told: less than half the work. */
int mailbox_list_names(struct mailbox *mb, int64_t folder, uint64_t after,
		       int (*each)(void *userdata, const struct mailbox_entry *e), void *userdata);
/* As long as this number is the same, so is what mailbox_list() tells. */
uint64_t mailbox_index_state(struct mailbox *mb);
/* As mailbox_list(), but of the messages those alone that have a flag, one of the words of message/flags.h compared without case, or have it not. */
int mailbox_list_by_flag(struct mailbox *mb, int64_t folder, const char *flag, bool is_set, uint64_t after,
			 int (*each)(void *userdata, const struct mailbox_entry *e), void *userdata);
/* Every flag that a message of the folder (0: of any folder) has, canonical, into `out`, which is empty. Never waits. */
int mailbox_flags_in_use(struct mailbox *mb, int64_t folder, struct buf *out);
/* 1 when a message of the folder (0: of any folder) has this one, compared without case, else 0. Never waits. */
int mailbox_is_flag_in_use(struct mailbox *mb, int64_t folder, const char *flag);

/* Bytes of one message, shared by all its readers. */
struct body;

/*
 * Opens a message's bytes. 0: *ret is ready. -EINPROGRESS: *ret is set and `w` is answered once the size is proven (0) or with -errno (then
 * mailbox_close() it all the same). -ENOENT, -EHOSTUNREACH at once when known to be offline and not cached.
 */
int mailbox_open(struct mailbox *mb, int64_t row, struct waiter *w, struct body **ret);
void mailbox_close(struct mailbox *mb, struct body *b);
/* The proven size. */
int64_t body_size(const struct body *b);
/* Whether the size came out other than was said before, or may have: the kernel must forget the old one before OPEN is answered. */
bool body_size_was_wrong(const struct body *b);
/* Whether all of its bytes are there: no read will wait. */
bool body_is_whole(struct mailbox *mb, const struct body *b);
/* Makes [offset, offset+len) available, cut at the end. Number of bytes that can be pread() from body_fd() at `offset` now (0: at or past the end); -EINPROGRESS: `w` is
 * answered when they are there (call again) or with -errno. */
ssize_t body_read(struct mailbox *mb, struct body *b, int64_t offset, size_t len, struct waiter *w);
/* Valid until mailbox_close(). */
int body_fd(const struct body *b);

/* The waiting request was interrupted: if `w` is still waiting it is answered -EINTR soon, by another thread; if not, nothing happens. `w` may be stale
 * memory no longer: call it only while the request's own lock keeps it alive. */
void mailbox_interrupt(struct mailbox *mb, struct waiter *w);

/* Extended attributes that the index knows, names without `user.mail.`: flags uid uidvalidity (message); name special-use messages unseen uidvalidity (folder). -ENODATA. */
int mailbox_message_attribute(struct mailbox *mb, int64_t row, const char *name, struct buf *out);
int mailbox_folder_attribute(struct mailbox *mb, int64_t row, const char *name, struct buf *out);
/*
 * Those that Gmail alone has, names as above: gmail-labels gmail-msgid gmail-thrid. The server is asked, one command for all three: 0: *ret is answered
 * (a moment ago). -EINPROGRESS: *ret is set and `w` is answered 0 or -errno (then mailbox_gmail_close() it all the same). Else -errno at once.
 */
struct gmail;
bool mailbox_gmail_has(const char *name);
int mailbox_gmail_open(struct mailbox *mb, int64_t row, struct waiter *w, struct gmail **ret);
void mailbox_gmail_close(struct mailbox *mb, struct gmail *g);
/* Once it is answered: appends. -ENODATA where the server has no such thing. */
int gmail_attribute(const struct gmail *g, const char *name, struct buf *out);
/* Whether the whole body is in the cache. */
bool mailbox_is_cached(struct mailbox *mb, int64_t row);

/* Of the server, as last told; limit 0: none. Never waits. */
void mailbox_quota(struct mailbox *mb, int64_t *ret_used_bytes, int64_t *ret_limit_bytes);

/* .mailfs/status: one JSON object. */
int mailbox_status(struct mailbox *mb, struct buf *out);
/* .mailfs/special/: the i-th special-use folder there is: its name ("sent") and its path from the mount's root. -ENOENT past the last. */
int mailbox_special(struct mailbox *mb, size_t i, struct buf *ret_name, struct buf *ret_path);

#endif

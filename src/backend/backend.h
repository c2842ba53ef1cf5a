/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contract between the mailbox and a mail protocol: a table of synchronous calls on one session.
 *
 * A session belongs to one thread at a time; what ends its waits from another is the `cancel` of its options. Callers use the
 * backend_*() wrappers, which hold the NULL check (-EOPNOTSUPP), the trace line at debug level, and one reconnect for calls that
 * are safe to repeat.
 * Nothing here knows the kernel, the index or names in the tree: folders go by wire name, messages by UID.
 *
 * Errors tell the scope of the damage: message -ENOENT; folder -ESTALE (UIDVALIDITY is not the expected one), -ENXIO (no such
 * folder), -ENOLINK (the folder that a copy, a move or an append goes to does not exist), -EROFS (it cannot be changed);
 * session -ENOTCONN, -ETIMEDOUT, -EPROTO, -ECONNABORTED (closed, to be opened anew); sign-in -EACCES, certificate refused, or TLS taken away,
 * -EKEYREJECTED; connect -ECONNREFUSED, -EHOSTUNREACH. Response codes (RFC 5530, RFC 7889) become -EDQUOT (OVERQUOTA), -EFBIG
 * (TOOBIG), -EACCES (NOPERM), -EPERM (CANNOT), -EEXIST, -ENOTEMPTY (HASCHILDREN), -ENXIO (NONEXISTENT), -EAGAIN (LIMIT, INUSE,
 * UNAVAILABLE); a refusal without a reason is -EIO. backend_why() has the server's words.
 */
#ifndef MAILFS_BACKEND_H
#define MAILFS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/url.h"
#include "net/secret.h"
#include "net/tls.h"

struct backend;

/* All borrowed; must outlive the session. */
struct backend_options {
	const struct url *url;
	const char *user;
	struct secret *secret;
	const char *auth; /* "auto" or a mechanism */
	struct tls_options tls;
	int timeout_s;
	const struct cancel *cancel; /* set: what waits for the server, being opened included, fails with -ECANCELED; NULL: never */
	/* An ALERT or BYE text of the server's (RFC 9051 7.1). May be NULL. */
	void (*alert)(void *userdata, const char *text);
	/* A change was sent that must not go twice, and the server has said nothing for `timeout_s`, or that long again: it is waited for. May be NULL. */
	void (*silent)(void *userdata, const struct backend *b);
	void *userdata;
};

/* RFC 9051 LIST attributes, RFC 6154 special use. */
enum folder_attribute {
	FOLDER_NOSELECT = 1 << 0, /* \Noselect or \NonExistent */
	FOLDER_NOINFERIORS = 1 << 1,
	FOLDER_SUBSCRIBED = 1 << 2,
};
enum special_use { USE_NONE, USE_ALL, USE_ARCHIVE, USE_DRAFTS, USE_FLAGGED, USE_JUNK, USE_SENT, USE_TRASH, USE_IMPORTANT };

struct backend_folder {
	const char *wire;    /* as the server names it, NUL-terminated; borrowed during the callback */
	bool wire_is_utf8;   /* else modified UTF-7 */
	char delimiter;	     /* 0: flat */
	size_t prefix_len;   /* bytes of `wire` that are the personal namespace's prefix, to be left out of the tree */
	unsigned attributes; /* enum folder_attribute */
	enum special_use special_use;
};

/* What SELECT and STATUS tell of a folder. */
struct backend_status {
	uint32_t uidvalidity, uidnext; /* uidnext 0: not told */
	uint32_t messages, unseen;     /* unseen: STATUS only */
	uint64_t highestmodseq;	       /* 0: no CONDSTORE */
	bool read_only;
};

/* A message as a listing tells of it. Borrowed during the callback. */
struct backend_message {
	uint32_t uid;
	const char *flags; /* canonical, see message/flags.h */
	int64_t internaldate_s;
	int64_t size_bytes; /* RFC822.SIZE: a claim */
	const char *header; /* From, To, Cc, Subject as asked for; up to 2048 bytes; NULL when none was asked for */
	size_t header_len;
};

/* What the caller knows of the folder when it asks for the difference. */
struct backend_known {
	uint32_t uidvalidity;	/* 0: nothing is known */
	uint32_t uidnext;	/* all messages below it were seen once (1: none) */
	uint64_t highestmodseq; /* as of the last complete sync; 0: compare all flags */
	uint32_t messages;	/* how many messages below uidnext the caller knows to exist */
	bool want_headers;	/* fill in backend_message.header */
	bool outgoing;		/* sent and drafts folders: To and Cc instead of From */
};

/*
 * Where backend_sync() puts what it finds. Each returns 0, or -errno, which ends the sync with that error and costs the
 * session. Order: state once; then message for each new one, mostly but not always by ascending UID, with batch() after each
 * range (everything below `uidnext` has been delivered: a good place to commit); then flags for changed or all known ones;
 * then, when counts say that some known ones are gone, present() for every UID range that still exists below known.uidnext,
 * ascending; then complete(). When the server counts more messages below known.uidnext than known.messages, message() is called
 * for all of them anew, just before present().
 */
struct backend_sync_sink {
	void *userdata;
	/*
	 * First. When status->uidvalidity is not known.uidvalidity everything known is void, and the sync goes on as if nothing
	 * had been known.
	 */
	int (*state)(void *userdata, const struct backend_status *status);
	int (*message)(void *userdata, const struct backend_message *message);
	int (*batch)(void *userdata, uint32_t uidnext);
	int (*flags)(void *userdata, uint32_t uid, const char *flags);
	int (*present)(void *userdata, uint32_t first_uid, uint32_t last_uid);
	/*
	 * Last, when all of it ended OK and counts agree with EXISTS. `gone_told`: present() was called for all that exists
	 * (perhaps none), so the rest is gone.
	 */
	int (*complete)(void *userdata, const struct backend_status *status, bool gone_told);
};

/* Which bytes of which messages. */
struct backend_fetch {
	const uint32_t *uids; /* ascending; one only, unless whole messages are asked for */
	size_t n;
	int64_t offset, length; /* length 0: whole messages (BODY.PEEK[]), else BODY.PEEK[]<offset.length> of uids[0] */
};

/*
 * Per message: begin, data…, end. `uid` is 0 in begin and data when the server has not told it yet (never with one UID); end
 * always knows it. An error returned ends the fetch and costs the session. A message that is not reported does not exist any
 * more.
 */
struct backend_fetch_sink {
	void *userdata;
	int (*begin)(void *userdata, uint32_t uid, int64_t size_bytes); /* the literal's length: the truth */
	int (*data)(void *userdata, const void *data, size_t len);
	int (*end)(void *userdata, uint32_t uid);
};

/* A message to be stored. Borrowed. */
struct backend_append {
	int fd; /* read from offset 0 with pread; CRLF lines */
	int64_t size_bytes;
	const char *flags; /* canonical; "" none */
	int64_t internaldate_s;
	bool binary; /* it holds NUL: needs BACKEND_BINARY */
};

enum { BACKEND_PATIENCE_S = 5 * 60 };

/* What the server can do beyond the basics. */
enum backend_ability {
	BACKEND_MOVE = 1 << 0,	      /* backend_move(): MOVE, RFC 6851 */
	BACKEND_EXPUNGE_UID = 1 << 1, /* backend_expunge(): UIDPLUS, RFC 4315 */
	BACKEND_APPEND_MANY = 1 << 2, /* backend_append_many(): MULTIAPPEND, RFC 3502 */
	BACKEND_BINARY = 1 << 3,      /* messages with NUL can be stored: BINARY, RFC 3516 */
	BACKEND_TRASH_FIRST = 1 << 4, /* what is expunged elsewhere than in the trash stays in another folder: Gmail */
};

/* What is known of messages that were copied or moved. */
struct backend_copied {
	size_t done;	      /* the server has confirmed the first so many of the UIDs asked for, as far as they existed */
	uint32_t uidvalidity; /* of the folder they went to; 0: not told */
	uint32_t *uids;	      /* own; for each of the UIDs asked for the new one, which proves it copied; 0: not told */
};

void backend_copied_release(struct backend_copied *copied);

static inline void backend_copied_cleanup(struct backend_copied *copied)
{
	backend_copied_release(copied);
}

struct backend_quota {
	int64_t used_bytes, limit_bytes; /* limit 0: none told */
	int64_t used_messages, limit_messages;
};

/* What Gmail has of a message beside it (X-GM-EXT-1). */
struct backend_gmail {
	uint64_t message_id, thread_id; /* 0: not told */
	/* Own. UTF-8 with blanks between; one that is empty or holds blanks, quotes or control characters in quotes, `"` and `\` in these behind a `\`. */
	struct buf labels;
};

struct backend_ops {
	const char *name; /* "imap" */
	int (*open)(const struct backend_options *options, struct backend **ret, struct buf *why);
	void (*close)(struct backend *b);
	/* A session that is broken begins anew at the same address. */
	int (*reopen)(struct backend *b);
	int (*list)(struct backend *b, int (*each)(void *userdata, const struct backend_folder *folder), void *userdata);
	int (*status)(struct backend *b, const char *folder, struct backend_status *ret);
	int (*sync)(struct backend *b, const char *folder, const struct backend_known *known, const struct backend_sync_sink *sink);
	int (*fetch)(struct backend *b, const char *folder, uint32_t uidvalidity, const struct backend_fetch *fetch,
		     const struct backend_fetch_sink *sink);

	/* Optional from here on: NULL is -EOPNOTSUPP. */
	int (*store)(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *add,
		     const char *remove);
	int (*copy)(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
		    struct backend_copied *ret);
	int (*move)(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
		    struct backend_copied *ret);
	int (*expunge)(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n);
	int (*uids_from)(struct backend *b, const char *folder, uint32_t uidvalidity, uint32_t first, uint32_t **ret_uids,
			 size_t *ret_n);
	int (*append)(struct backend *b, const char *folder, const struct backend_append *message, uint32_t *ret_uidvalidity,
		      uint32_t *ret_uid);
	int (*append_many)(struct backend *b, const char *folder, const struct backend_append *messages, size_t n,
			   uint32_t *ret_uidvalidity, uint32_t *ret_uids);
	int (*create)(struct backend *b, const char *folder, enum special_use use);
	int (*remove)(struct backend *b, const char *folder);
	int (*rename)(struct backend *b, const char *from, const char *to);
	int (*subscribe)(struct backend *b, const char *folder, bool on);
	/* UIDs of messages with a `field`, Message-ID or Resent-Message-ID, that is exactly `message_id` (with its angle brackets). */
	int (*search_message_id)(struct backend *b, const char *folder, const char *field, const char *message_id,
				 uint32_t **ret_uids, size_t *ret_n);
	int (*quota)(struct backend *b, struct backend_quota *ret);
	/* -ENOENT when there is no such message, -EOPNOTSUPP from a server that is not Gmail. */
	int (*gmail)(struct backend *b, const char *folder, uint32_t uidvalidity, uint32_t uid, struct backend_gmail *ret);
	/* MYRIGHTS (RFC 4314) letters of the folder. */
	int (*rights)(struct backend *b, const char *folder, struct buf *ret);
	int (*noop)(struct backend *b);
	/* For mailfsctl check: TLS, sign-in method, capabilities, a line each. */
	int (*describe)(struct backend *b, struct buf *ret);
};

/* What every session begins with; a backend embeds it as its first member. */
struct backend {
	const struct backend_ops *ops;
	const struct backend_options *options;
	struct buf why;	 /* own; the last error in words, the server's where it said something */
	bool broken;	 /* the session is lost: only close is left */
	bool answered;	 /* the server said something during the call under way: it will not be repeated */
	bool refused;	 /* the connection was given up, but the server's word on what was asked is the error that is told */
	bool unanswered; /* … with a command on its way that must not be done twice, all of which was sent */
	/* NULL, or called before the last bytes of such a command are sent. Borrowed, of one call. */
	void (*all_sent)(void *userdata);
	void *all_sent_userdata;
	bool used;	      /* a call succeeded on this connection … */
	int64_t used_ms;      /* … the last one then, of the monotonic clock */
	unsigned abilities;   /* enum backend_ability; as of the last sign-in */
	int64_t append_limit; /* bytes; 0: none told */
};

/* The protocol for a URL. Never NULL for imap; NULL when there is none. */
const struct backend_ops *backend_for(const struct url *url);

int backend_open(const struct backend_ops *ops, const struct backend_options *options, struct backend **ret, struct buf *why);
void backend_close(struct backend *b);
const char *backend_why(const struct backend *b);

/* As of the last sign-in. */
unsigned backend_abilities(const struct backend *b);
/* Bytes that a message to be stored may have (APPENDLIMIT, RFC 7889); 0: not told. A folder may have a limit of its own. */
int64_t backend_append_limit(const struct backend *b);

/*
 * All of these open a broken session anew first, and do so once when one that had worked turns out dead before it said a word
 * (idleness) and the call is safe to repeat; before the others, a connection that was idle for long is tried with a NOOP. *b stays
 * the same pointer throughout. After a failure (*b)->broken tells whether the connection was lost, and backend_why() what happened.
 * ret_* untouched on failure.
 */
int backend_list(struct backend **b, int (*each)(void *userdata, const struct backend_folder *folder), void *userdata);
int backend_status(struct backend **b, const char *folder, struct backend_status *ret);
int backend_sync(struct backend **b, const char *folder, const struct backend_known *known, const struct backend_sync_sink *sink);
int backend_fetch(struct backend **b, const char *folder, uint32_t uidvalidity, const struct backend_fetch *fetch,
		  const struct backend_fetch_sink *sink);

/*
 * Changes. `uids` are ascending and may be many: they go out in several commands, so that after an error part of them may be
 * done. UIDs that do not exist any more are no error. A folder that cannot be changed is -EROFS; -ESTALE comes before anything
 * is sent. Those that are never repeated by themselves: -ENOTCONN or -ETIMEDOUT mean that nobody knows whether they were done.
 * The answer to a copy, a move and an append is waited for BACKEND_PATIENCE_S as long as the server's machine is there.
 *
 * store: UID STORE of the flags to `add` and to `remove`, each canonical and "" for none. -ENOTSUP, and nothing is sent, for a
 * flag that the folder does not permit (PERMANENTFLAGS, RFC 9051 section 7.1). Safe to repeat, and repeated.
 */
int backend_store(struct backend **b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *add,
		  const char *remove);

/*
 * UID COPY and UID MOVE to the folder `to` (-ENOLINK: there is none). *ret is set whatever the outcome, to be released. A copy
 * reads only, so a folder that cannot be changed will do. Without BACKEND_MOVE a move is -EOPNOTSUPP: it takes a copy and an
 * expunge, with a record between them that only the caller can keep. Never repeated.
 */
int backend_copy(struct backend **b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
		 struct backend_copied *ret);
int backend_move(struct backend **b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
		 struct backend_copied *ret);

/*
 * For good, these and no others, whatever else in the folder is marked \Deleted: -EOPNOTSUPP without BACKEND_EXPUNGE_UID, and
 * nothing is sent. -EACCES when \Deleted may not be set there. Safe to repeat, and repeated.
 */
int backend_expunge(struct backend **b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n);

/* UIDs from `first` on that exist now, ascending; the caller frees them. */
int backend_uids_from(struct backend **b, const char *folder, uint32_t uidvalidity, uint32_t first, uint32_t **ret_uids,
		      size_t *ret_n);

/*
 * -ENOLINK: no such folder; -EFBIG: over the limit; -EDQUOT; -EOPNOTSUPP: `binary`, but no BACKEND_BINARY. *ret_uid and
 * *ret_uidvalidity 0 when the server does not tell (APPENDUID). Never repeated.
 */
int backend_append(struct backend **b, const char *folder, const struct backend_append *message, uint32_t *ret_uidvalidity,
		   uint32_t *ret_uid);
/* The same for n messages, all or none of them; ret_uids[n]. -EOPNOTSUPP without BACKEND_APPEND_MANY. Never repeated. */
int backend_append_many(struct backend **b, const char *folder, const struct backend_append *messages, size_t n,
			uint32_t *ret_uidvalidity, uint32_t *ret_uids);

/* Folders. Never repeated; after a loss, listing them tells. A new one is subscribed to; a removed or renamed one stays so. */
int backend_create(struct backend **b, const char *folder, enum special_use use);
/* With all its messages; children stay, or are the reason for -ENOTEMPTY. */
int backend_remove(struct backend **b, const char *folder);
int backend_rename(struct backend **b, const char *from, const char *to);
int backend_subscribe(struct backend **b, const char *folder, bool on);

int backend_search_message_id(struct backend **b, const char *folder, const char *field, const char *message_id,
			      uint32_t **ret_uids, size_t *ret_n);
int backend_quota(struct backend **b, struct backend_quota *ret);
/* `ret` empty before. */
int backend_gmail(struct backend **b, const char *folder, uint32_t uidvalidity, uint32_t uid, struct backend_gmail *ret);
int backend_rights(struct backend **b, const char *folder, struct buf *ret);
int backend_noop(struct backend **b);
int backend_describe(struct backend **b, struct buf *ret);

#endif

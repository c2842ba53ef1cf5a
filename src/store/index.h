/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The index: what is known of folders and messages, in CACHE/index.db (SQLite, WAL).
 *
 * Rows are inode numbers: AUTOINCREMENT, never used twice. Any thread may call; readers never wait for the writer (a pool of read-only
 * connections), writers take turns. Inside a transaction its own thread reads what it has written. Never talks to a server. It may be deleted
 * at any time while no daemon runs.
 *
 * Errors of every call: -ENOSPC, -EIO, -ENOMEM, and -EUCLEAN when the database is damaged: the next index_open() then makes it anew.
 */
#ifndef MAILFS_INDEX_H
#define MAILFS_INDEX_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct index;

#define INDEX_WITHOUT_UID ((int64_t)1 << 39)

enum { INDEX_ROOT = 1 }; /* the row of the mount's root folder: always there, on no server */

/* Attributes that no server tells. */
enum {
	INDEX_FOLDER_LOCAL = 1 << 16,  /* a scratch directory */
	INDEX_FOLDER_HIDDEN = 1 << 17, /* being deleted; not shown */
};

struct index_folder {
	int64_t row;
	int64_t parent;		 /* 0: the root itself */
	char name[NAME_MAX + 1]; /* component in the tree */
	char *wire;		 /* own; NULL: it stands only in the tree, above others */
	bool wire_is_utf8;
	char delimiter;
	unsigned attributes;	       /* the server's, and those below */
	int special_use;	       /* enum special_use */
	uint32_t uidvalidity, uidnext; /* uidvalidity 0: never synced. uidnext: everything below it is in the index */
	uint64_t highestmodseq;
	uint32_t messages, unseen; /* counted in the index */
	bool complete;		   /* one sync of this UIDVALIDITY has ended: a listing can be trusted */
	char *rights;		   /* own; MYRIGHTS letters, NULL: not told */
	int64_t mtime_ns;	   /* the last change in it */
};

/*
 * A message as it is shown. While a change of it is on its way, the server has it elsewhere or with other flags: that is kept beside, so that a sync
 * finds it and a refusal can take the change back.
 */
struct index_message {
	int64_t row;
	int64_t folder; /* where it is shown; 0: nowhere: gone (a tombstone), or being removed */
	uint32_t uid;	/* in that folder; 0: the server has given none yet */
	char name[NAME_MAX + 1];
	bool is_given; /* the name came from a user: it does not end in the UID */
	int64_t size_bytes;
	bool size_proven;
	int64_t internaldate_s;
	int64_t ctime_ns;      /* the last change of flags seen */
	int64_t server_folder; /* where the server has it meanwhile; 0: where it is shown */
	uint32_t server_uid;   /* with server_folder */
	bool is_local;	       /* its bytes are on this machine only; not counted as a message */
	bool is_marked;	       /* \Deleted on the server by this mount, and shown nowhere for that */
	int64_t mtime_ns;      /* 0: its INTERNALDATE */
	uint32_t mode;	       /* 0: the usual one */
	int64_t arrived_s;     /* when it was first seen in its folder */
	char letters[6];       /* of its flags, those that flags_to_maildir() knows; read only */
};

/* Opens or makes the database below `cache_dir` (which exists). A damaged or older one is deleted and made anew (logged). Sweeps tombstones. */
int index_open(const char *cache_dir, struct index **ret);
void index_close(struct index *ix);

/* A random name given to this database when it was made: whatever is kept outside it by row carries this, so that a rebuilt index never meets old rows. */
const char *index_identity(const struct index *ix);

/*
 * One transaction; nothing else writes meanwhile. index_begin() waits for its turn. Every index_* call marked W needs one, by the same thread. After
 * an error other than -ENOENT, -EEXIST, -EINVAL nothing of it can be committed. index_commit() ends it in any case.
 */
int index_begin(struct index *ix);
int index_commit(struct index *ix);
void index_rollback(struct index *ix);
/* Ends the transaction: commits when `r`, what came of it, is 0 or more, else rolls back. Returns r, or why it could not be committed. */
int index_end(struct index *ix, int r);
/* The same; calls `committed` (NULL: nothing) once it is committed, before anybody else has the turn. */
int index_end_then(struct index *ix, int r, void (*committed)(void *userdata), void *userdata);
/* Another number after each commit: what was read between two calls that return the same is still so. Any thread. */
uint64_t index_state(struct index *ix);

/*
 * Between the two, this thread's reads see the index as it is at the first of them, and take its lock once in all, which is most of what a small read
 * costs. 0: until index_end_reading(); else -errno. Within itself or a transaction it changes nothing. For moments only: meanwhile the log of changes grows.
 * Brief: the caller does nothing else until the end, so that it may be the writer's turn where nobody writes, whose pages are still in memory after a change.
 */
int index_begin_reading(struct index *ix, bool is_brief);
void index_end_reading(struct index *ix);

void index_folder_release(struct index_folder *f);

/* -ENOENT when there is none. Release *ret. */
int index_folder_get(struct index *ix, int64_t row, struct index_folder *ret);
int index_folder_child(struct index *ix, int64_t parent, const char *name, struct index_folder *ret);
int index_folder_by_wire(struct index *ix, const char *wire, struct index_folder *ret);
/* The first shown of that special use, which is not USE_NONE; it has a wire name. */
int index_folder_by_use(struct index *ix, int special_use, struct index_folder *ret);
/* How many are shown directly below. */
int index_folder_count_below(struct index *ix, int64_t parent, uint32_t *ret);
/* Folders directly below `parent` with row > after, ascending; `parent` 0: all, the root too. `each` returns 0 to go on, 1 to stop, or -errno. Borrowed
 * during the call. It may read the index, and must not change it. */
int index_folder_each(struct index *ix, int64_t parent, int64_t after, int (*each)(void *userdata, const struct index_folder *f),
		      void *userdata);
/* W: inserts when f->row is 0 and sets f->row; else writes name, parent, wire, attributes, special_use, rights. Not the sync state. Touches the parents
 * whose children change. -EEXIST: the parent has a child of this name, or another folder has this wire name; -EINVAL: not a name; -ENOENT: no such row or parent. */
int index_folder_put(struct index *ix, struct index_folder *f);
/* W: inserts one with the row that it has: a directory that this machine alone knows, in an index made anew. */
int index_folder_insert_as(struct index *ix, const struct index_folder *f);
/* W: no row up to this one is given to anything new, folder or message. */
int index_reserve_rows(struct index *ix, int64_t row);
/* W: the folder, its messages and everything below it. The root: -EBUSY. */
int index_folder_delete(struct index *ix, int64_t row);
/* W: forgets the folder's messages (tombstones) and sets its UIDVALIDITY, uidnext 1, HIGHESTMODSEQ 0, not complete. */
int index_folder_reset(struct index *ix, int64_t row, uint32_t uidvalidity);
/* W: how far a sync has come. */
int index_folder_progress(struct index *ix, int64_t row, uint32_t uidnext);
/* W: a sync ended: complete, HIGHESTMODSEQ as of then. */
int index_folder_complete(struct index *ix, int64_t row, uint64_t highestmodseq);
/* W: mtime now, and later than it was. The calls that add, remove or reset messages and folders do it by themselves, messages
 * once the folder was complete. */
int index_folder_touch(struct index *ix, int64_t row);

int index_message_get(struct index *ix, int64_t row, struct index_message *ret);
int index_message_by_name(struct index *ix, int64_t folder, const char *name, struct index_message *ret);
int index_message_by_uid(struct index *ix, int64_t folder, uint32_t uid, struct index_message *ret);
/* Appends the canonical flags. */
int index_message_flags(struct index *ix, int64_t row, struct buf *out);
/* The one that the server has as `uid` in `folder` while it is shown elsewhere or nowhere. -ENOENT. */
int index_message_away(struct index *ix, int64_t folder, uint32_t uid, struct index_message *ret);
/* Where a message stands in a listing of its folder: by UID, then those that have none yet. It stays a place in that listing whatever becomes of the message. 40 bits. */
static inline int64_t index_message_position(const struct index_message *m)
{
	return m->uid ? (int64_t)m->uid : INDEX_WITHOUT_UID | m->row;
}
/* Messages of a folder in listing order, behind the position `after` (0: from the start). `each` as above. */
int index_message_each(struct index *ix, int64_t folder, int64_t after, int (*each)(void *userdata, const struct index_message *m),
		       void *userdata);
/* The same, but of each only row, folder, uid and name are read; the rest is 0. */
int index_message_each_name(struct index *ix, int64_t folder, int64_t after,
			    int (*each)(void *userdata, const struct index_message *m), void *userdata);
/* The same of those alone that have one of the words of their flags, or have it not; compared without case. */
int index_message_each_by_flag(struct index *ix, int64_t folder, int64_t after, const char *word, bool is_set,
			       int (*each)(void *userdata, const struct index_message *m), void *userdata);
/* Each of the different canonical flags that messages of the folder (0: of any folder) have, in no order. `each` as above. */
int index_message_each_flags(struct index *ix, int64_t folder, int (*each)(void *userdata, const char *flags), void *userdata);
/* The UIDs below `uidnext` that the server has in this folder as far as is known, shown here or not, ascending; *ret_uids own (free). */
int index_message_uids(struct index *ix, int64_t folder, uint32_t uidnext, uint32_t **ret_uids, size_t *ret_n);
/* How many these are. */
int index_message_count(struct index *ix, int64_t folder, uint32_t uidnext, uint32_t *ret);
/* How many of the server's messages there this mount has marked \Deleted and hidden. */
int index_message_count_marked(struct index *ix, int64_t folder, uint32_t *ret);
/* 1 when a message of the server's with this UID or a later one may be known already, because this mount put it there or is taking it away; else 0. */
int index_may_know_from(struct index *ix, int64_t folder, uint32_t uid);
/* 1 when a message in the folder has a name that a user gave, else 0. */
int index_has_given_names(struct index *ix, int64_t folder);
/* W: a new message; sets m->row unless that is given, and m->ctime_ns when it is 0. `flags` canonical. -EEXIST: the folder has this UID or name; -EINVAL: not a name. A folder that
 * is not there shows at commit, -ESTALE. */
int index_message_insert(struct index *ix, struct index_message *m, const char *flags);
/* W: the same for one that the server has and that is shown nowhere: m->folder is 0. */
int index_message_insert_hidden(struct index *ix, struct index_message *m);
/* W: writes all of it but the flags. -ENOENT; -EEXIST: the folder has this UID or name. */
int index_message_put(struct index *ix, const struct index_message *m);
/* W: 1 when they changed (ctime set), 0 when not. `flags` canonical. */
int index_message_set_flags(struct index *ix, int64_t row, const char *flags);
/* What the server has instead of the flags shown; appends nothing when that is the same. W: NULL: the same. */
int index_message_server_flags(struct index *ix, int64_t row, struct buf *out);
int index_message_set_server_flags(struct index *ix, int64_t row, const char *flags);
/* Every message of which the server has something else than is shown, or nothing at all; not those that are marked. `each` as above, rows ascending behind `after`. */
int index_message_each_changed(struct index *ix, int64_t after, int (*each)(void *userdata, const struct index_message *m),
			       void *userdata);
/* W: what the server's literal said. */
int index_message_prove_size(struct index *ix, int64_t row, int64_t size_bytes);
/* W: it is gone: a tombstone until the next index_open(). -ENOENT when it was gone already. */
int index_message_delete(struct index *ix, int64_t row);

static inline void index_folder_cleanup(struct index_folder *f)
{
	index_folder_release(f);
}

#endif

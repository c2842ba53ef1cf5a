/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal: changes that the user made and the server has not confirmed yet, in STATE/journal.db.
 *
 * It is attached to the index's writing connection, so that a change stands in both or in neither; every call needs a transaction of the index
 * (index_begin) by the same thread, but journal_sync() and journal_is_empty(), which any thread may call. The two databases outlive each other: the cache may be deleted, and a power cut
 * may take back what was written to one of them. So messages are named by row and by their place on the server, and at each mount the index is made to show the journal again. Never talks
 * to a server.
 */
#ifndef MAILFS_JOURNAL_H
#define MAILFS_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/index.h"

enum journal_kind {
	JOURNAL_FLAGS = 1, /* row; detail: words to add, a newline, words to remove, both canonical */
	JOURNAL_MOVE,	   /* row; folder: to there; detail: its name there */
	JOURNAL_REMOVE,	   /* row: from the server for good */
	JOURNAL_MARK,	   /* row: \Deleted, no more */
	JOURNAL_APPEND,	   /* row: a local file; folder: to there; detail: its flags */
	JOURNAL_COPY,	   /* row: the copy; source: the row of what is copied; folder: to there; detail: its name there */
	JOURNAL_CREATE,	   /* folder; row 0 */
	JOURNAL_DELETE,	   /* folder; detail: its row, which is hidden meanwhile, a newline, its name */
	JOURNAL_RENAME, /* folder; detail: the new wire name, a newline, the parent's row before and the delimiter, a newline, the name before */
};

struct journal_entry {
	int64_t seq; /* order in which they are sent */
	enum journal_kind kind;
	int64_t row;	      /* of the message; 0: a folder's change */
	int64_t source;	      /* 0: none */
	char *folder;	      /* own; a wire name; "" where none is needed */
	char *detail;	      /* own */
	int64_t depends;      /* void when that one is refused; 0: none */
	bool was_sent;	      /* it may have reached the server: to be verified before it is sent again */
	uint32_t uidnext;     /* a message that it made there has this UID or a later one …; 0: not told, or it was never sent */
	uint32_t uidvalidity; /* … while the folder has this UIDVALIDITY; 0: not told */
	int64_t unanswered_s; /* when its command had gone out whole and was not answered, on the wall's clock: the server may be at it still; 0: never */
	bool is_repeated; /* not stored: a move whose answer may have been lost before */
};

/* Where the server has a message. */
struct journal_place {
	char *wire; /* own */
	uint32_t uidvalidity;
	uint32_t uid;		 /* 0: not known yet */
	char name[NAME_MAX + 1]; /* what it is called where it stands there */
	bool is_given;
};

/* What is remembered on this machine of a message that the server holds. */
struct journal_kept {
	char name[NAME_MAX + 1]; /* "": the one made for it */
	int64_t mtime_ns;	 /* 0, and 0 below: none */
	uint32_t mode;
	int64_t arrived_s;
	bool is_marked; /* \Deleted by this mount and shown nowhere */
};

/* Opens or makes STATE/journal.db. -EUCLEAN: it is damaged, which is for a person to look at. Before any other thread uses the index. */
int journal_attach(struct index *ix, const char *state_dir);

bool journal_is_empty(const struct index *ix);
/* What was committed so far is on the disk when it returns. */
int journal_sync(struct index *ix);

void journal_entry_release(struct journal_entry *e);
void journal_place_release(struct journal_place *p);

/* Sets e->seq. The other fields are copied; NULL texts are "". */
int journal_append(struct index *ix, struct journal_entry *e);
int journal_remove(struct index *ix, int64_t seq);
/* Entry e->seq says this from now on, and was not sent yet. */
int journal_replace(struct index *ix, const struct journal_entry *e);
int journal_mark_sent(struct index *ix, int64_t seq, uint32_t uidvalidity, uint32_t uidnext);
int journal_note_unanswered(struct index *ix, int64_t seq, int64_t when_s);
/* The server answered that it was not done: it goes as if for the first time. */
int journal_forget_sent(struct index *ix, int64_t seq);
/* A move that may be said again: what it brought to its folder has this UID or a later one; UINT32_MAX: not known. */
int journal_note_bound(struct index *ix, int64_t seq, uint32_t uidnext);
/* A message that is moved or copied will have another name there. Nothing when it is not. */
int journal_rename(struct index *ix, int64_t row, const char *name);

/* `each` gets the entries in order, borrowed; returns 0 to go on, 1 to stop, or -errno; must not change the journal. */
typedef int journal_each(void *userdata, const struct journal_entry *e);
int journal_each_after(struct index *ix, int64_t seq, journal_each *each, void *userdata);
int journal_each_of(struct index *ix, int64_t row, journal_each *each, void *userdata);
int journal_each_depending(struct index *ix, int64_t seq, journal_each *each, void *userdata);
/* Folders that are deleted or renamed. */
int journal_each_folder_after(struct index *ix, int64_t seq, journal_each *each, void *userdata);
/* The last one that concerns a message, or a folder and all below it ("": every folder); 0: none. */
int journal_last_of(struct index *ix, int64_t row, int64_t *ret_seq);
int journal_last_in(struct index *ix, const char *wire, char delimiter, int64_t *ret_seq);

/* -ENOENT. Release *ret. */
int journal_place_get(struct index *ix, int64_t row, struct journal_place *ret);
int journal_place_put(struct index *ix, int64_t row, const struct journal_place *place);
/* 1 when a change of this kind of that message or folder is in it, else 0. */
int journal_has(struct index *ix, int64_t row, enum journal_kind kind);
/* All that is to be done with message `from`, and its place, are `to`'s from now on, which has none. */
int journal_hand_over(struct index *ix, int64_t from, int64_t to);
/* Forgets the place of a message without further changes. */
int journal_place_sweep(struct index *ix, int64_t row);
/* The row of the message that stands there and has changes. -ENOENT. */
int journal_row_at(struct index *ix, const char *wire, uint32_t uidvalidity, uint32_t uid, int64_t *ret_row);
/* The largest row that the journal names. */
int journal_last_row(struct index *ix, int64_t *ret_row);

/* -ENOENT. */
int journal_kept_get(struct index *ix, const char *wire, uint32_t uidvalidity, uint32_t uid, struct journal_kept *ret);
int journal_kept_put(struct index *ix, const char *wire, uint32_t uidvalidity, uint32_t uid, const struct journal_kept *kept);
int journal_kept_remove(struct index *ix, const char *wire, uint32_t uidvalidity, uint32_t uid);
/* The largest UID of which anything is kept; 0: none. */
int journal_kept_last(struct index *ix, const char *wire, uint32_t uidvalidity, uint32_t *ret_uid);
/* 1 when anything is kept of the folder's messages; what belongs to another UIDVALIDITY is forgotten. */
int journal_keeps_any(struct index *ix, const char *wire, uint32_t uidvalidity);

/* The server calls a folder otherwise from now on, and those below it: what stands there is found under the new names. */
int journal_rename_folder(struct index *ix, const char *from, const char *to, char delimiter);

/* What was recorded behind `after`, up to `until`, called a folder `from` that is `to` there. */
int journal_rename_recorded(struct index *ix, int64_t after, int64_t until, const char *from, const char *to, char delimiter);
/* What is remembered of the messages in it. */
int journal_rename_kept(struct index *ix, const char *from, const char *to, char delimiter);

static inline void journal_entry_cleanup(struct journal_entry *e)
{
	journal_entry_release(e);
}

static inline void journal_place_cleanup(struct journal_place *p)
{
	journal_place_release(p);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mail server in memory, behind the same contract as IMAP: what the layers above are tested against without any network.
 *
 * One server a process; every session sees it. Any thread. Faults are set by the test and last until unset.
 */
#ifndef MAILFS_MEMORY_BACKEND_H
#define MAILFS_MEMORY_BACKEND_H

#include "backend/backend.h"

extern const struct backend_ops memory_backend;

/* Empties the server and clears every fault and count. */
void memory_reset(void);
void memory_add_folder(const char *wire, char delimiter, unsigned attributes, enum special_use use);
void memory_remove_folder(const char *wire);
void memory_set_uidvalidity(const char *wire, uint32_t uidvalidity);
/* The same, and its messages are numbered anew from 1. */
void memory_begin_anew(const char *wire, uint32_t uidvalidity);
/* Returns the UID. `body` is copied. */
uint32_t memory_add_message(const char *wire, const void *body, size_t len, const char *flags, int64_t internaldate_s);
void memory_remove_message(const char *wire, uint32_t uid);
/* Copies of the message's bytes and flags to the end of both, either of which may be NULL. False when there is none. */
bool memory_get_message(const char *wire, uint32_t uid, struct buf *body, struct buf *flags);
size_t memory_count_messages(const char *wire);
bool memory_has_folder(const char *wire);
bool memory_is_subscribed(const char *wire);
void memory_set_flags(const char *wire, uint32_t uid, const char *flags);
/* The listing says `claimed` for the message's size; fetching it gives the truth. */
void memory_lie_about_size(const char *wire, uint32_t uid, int64_t claimed);

struct memory_faults {
	int open_error;	 /* every sign-in fails so */
	int fetch_error; /* every fetch fails so and breaks the session */
	int sync_error;
	int sync_breaks; /* after the folder's state was told, and breaks the session */
	bool has_no_condstore;
	int fetch_delay_ms;    /* before each fetch answers */
	int chunk_delay_ms;    /* between chunks of 16 KiB */
	int break_after_bytes; /* of a fetch; 0: never */
	bool tells_uid_last;   /* behind a message's bytes */

	/* Changes: store, copy, move, expunge, append and what is done to folders. */
	unsigned lacks;	      /* enum backend_ability that the server has not */
	bool keeps_expunged;  /* BACKEND_TRASH_FIRST: of what is expunged elsewhere, a copy is left in "All" */
	int64_t append_limit; /* bytes; 0: none */
	bool tells_no_uids;   /* of what it stored or copied */
	bool tells_no_uidnext;
	bool copies_nothing;	/* and says that it did */
	bool refuses_absent;	/* a move of UIDs that are not there */
	int done_error;		/* a change is done, and refused with this */
	int copies_only;	/* so many of those asked for, and refuses the others; what is asked then breaks the connection (fetch_error) */
	int moves_only;		/* so many of those asked for, tells their UIDs and refuses the others; 0: all */
	const char *unreadable; /* fetches of messages that hold this text are refused; NULL: none */
	bool stores_once;	/* a message that it has is not stored again: its UID is told */
	bool is_read_only;
	const char *permits;  /* flags that can be changed, words, `\*` for new ones; NULL: all */
	int change_error;     /* each is refused so, undone */
	int folder_error;     /* each of a folder is */
	int change_breaks;    /* each breaks the session so, undone … */
	bool change_was_done; /* … or done: only the answer is lost */
	int changes_before;   /* so many pass before the three above begin; counts down */
	int expunge_error;    /* refused so, the messages being marked; or, had others marked them, gone */
	const char *poison;   /* changes of messages that hold this text … */
	int poison_error;     /* … are refused so, undone, … */
	int poison_breaks;    /* … or break the session so */
	int change_answer_ms; /* flags were stored, or messages moved or copied, and it is answered so much later */
	int sync_begin_ms;    /* before a sync tells the folder's state */
	int sync_answer_ms;   /* between the flags of a sync and its end */
};
extern struct memory_faults memory_faults;

struct memory_counts {
	int opens, syncs, fetches; /* calls */
	int messages_fetched;
	int64_t bytes_fetched;
	int sessions, sessions_most;
	int stores, copies, moves, expunges, appends, folder_changes; /* calls */
};
struct memory_counts memory_counts(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the index share: index.c (connections, transactions), index_open.c, index_sql.c, index_folder.c, index_message.c,
 * index_message_write.c.
 * Nobody else includes it.
 */
#ifndef MAILFS_INDEX_PRIVATE_H
#define MAILFS_INDEX_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/database.h"
#include "store/index.h"

enum index_statement {
	FOLDER_GET, /* the ones that read counts: up to FOLDER_EACH */
	FOLDER_CHILD,
	FOLDER_BY_WIRE,
	FOLDER_BY_USE,
	FOLDER_EACH_BELOW,
	FOLDER_EACH,
	FOLDER_COUNT_BELOW,
	FOLDER_INSERT,
	FOLDER_INSERT_AS,
	ROWS_RESERVE,
	FOLDER_UPDATE,
	FOLDER_DELETE,
	FOLDER_RESET,
	FOLDER_PROGRESS,
	FOLDER_COMPLETE,
	FOLDER_TOUCH,
	FOLDER_COUNT,
	FOLDER_COUNT_ANEW,
	FOLDER_COUNT_WITHOUT_AWAY,
	MESSAGE_GET,
	MESSAGE_BY_UID,
	MESSAGE_BY_GIVEN_NAME,
	MESSAGE_AWAY,
	MESSAGE_FLAGS,
	MESSAGE_SERVER_FLAGS,
	MESSAGE_EACH,
	MESSAGE_EACH_WITHOUT_UID,
	MESSAGE_EACH_NAME,
	MESSAGE_EACH_NAME_WITHOUT_UID,
	MESSAGE_EACH_BY_FLAG,
	MESSAGE_EACH_BY_FLAG_WITHOUT_UID,
	MESSAGE_EACH_CHANGED,
	MESSAGE_EACH_FLAGS,
	MESSAGE_EACH_FLAGS_OF_ALL,
	MESSAGE_UIDS,
	MESSAGE_COUNT,
	MESSAGE_COUNT_MARKED,
	MESSAGE_ANY_FROM,
	MESSAGE_ANY_GIVEN_NAME,
	MESSAGE_INSERT,
	MESSAGE_PUT,
	MESSAGE_SET_FLAGS,
	MESSAGE_SET_SERVER_FLAGS,
	MESSAGE_PROVE_SIZE,
	MESSAGE_BURY,
	MESSAGE_BURY_ALL,
	MESSAGE_BURY_RESET,
	MESSAGE_BURY_AWAY,
	MESSAGE_PLACE,
	CHANGE_APPEND, /* from here on the tables of journal.db, where it is attached */
	CHANGE_EACH,
	CHANGE_EACH_OF,
	CHANGE_EACH_DEPENDING,
	CHANGE_EACH_FOLDER,
	CHANGE_REMOVE,
	CHANGE_REPLACE,
	CHANGE_MARK_SENT,
	CHANGE_NOTE_UNANSWERED,
	CHANGE_FORGET_SENT,
	CHANGE_NOTE_BOUND,
	CHANGE_RENAME,
	CHANGE_HAS,
	CHANGE_HAND_OVER,
	CHANGE_HAND_OVER_SOURCE,
	CHANGE_LAST_OF,
	CHANGE_LAST_IN,
	PLACE_GET,
	PLACE_AT,
	PLACE_PUT,
	PLACE_HAND_OVER,
	PLACE_SWEEP,
	PLACE_LAST_ROW,
	KEPT_GET,
	KEPT_PUT,
	KEPT_REMOVE,
	KEPT_ANY,
	KEPT_LAST,
	KEPT_FORGET_OTHERS,
	FILE_PUT,
	FILE_GET,
	FILE_EACH,
	FILE_REMOVE,
	DIRECTORY_PUT,
	DIRECTORY_EACH,
	DIRECTORY_REMOVE,
	BEGIN_READING,
	BEGIN_WRITING,
	END_TRANSACTION,
	N_INDEX_STATEMENTS
};

extern const char *const index_sql[N_INDEX_STATEMENTS];

/* How many read-only connections are kept when nobody uses them. More are made when more threads read at once. */
enum { READERS_KEPT = 8 };

enum { INDEX_LOGS = 2 };

/* One of SQLite's. */
struct index_log {
	const char *path;	     /* borrowed; of the database */
	int pages, seen;	     /* lock; in it after the last commit, and when it was last taken into the database */
	struct database *connection; /* own, the thread's; NULL: not needed yet */
};

struct checkpointer {
	pthread_t thread;
	bool is_running;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;			   /* lock */
	struct index_log logs[INDEX_LOGS]; /* the index's, the journal's */
};

struct index {
	char *path, *damage_mark; /* own */
	char identity[33];
	int journal_wal_fd; /* own; -1: no journal is attached */
	char *journal_path; /* own; NULL: as above */
	atomic_int changes; /* in the journal */
	int64_t last_seq;   /* under turn; none is used twice while we run: somebody may wait for it, or know it as settled */
	atomic_uint_fast64_t commits;

	pthread_mutex_t next; /* held by who waits for the turn longest: one that writes again and again does not come before it */
	pthread_mutex_t turn; /* held from index_begin() to commit or rollback */
	struct database *writer;	      /* own; only by the thread that has the turn */
	_Atomic(const void *) writing_thread; /* this_thread() of who has the turn; NULL: nobody */
	int failure;			      /* turn: the first error of a write: the transaction cannot be committed */
	int64_t pending_folder;		      /* turn: whose counts below are not in its row yet; 0: none */
	int pending_messages, pending_unseen;

	struct checkpointer checkpointer;

	pthread_mutex_t readers_lock;
	struct database *readers[READERS_KEPT]; /* own; readers_lock: those not in use */
	size_t n_readers;
};

/* Until it is this thread's turn: to be given on by unlocking ix->turn. */
void index_wait_turn(struct index *ix);

/* checkpoint.c. From now on the logs are not taken into the databases by those who commit; without another thread they still are. `journal_path`: borrowed. */
void checkpoint_start(struct index *ix, const char *journal_path);
void checkpoint_end(struct index *ix);

/* A statement for reading: on the writer's connection when this thread has the turn, so that it sees its own changes, else on a reader's. */
int index_read(struct index *ix, enum index_statement which, struct query *q);
/* A statement for writing; only within a transaction. -errno of an earlier failure in it. */
int index_write(struct index *ix, enum index_statement which, struct query *q);
/* Passes `r` on; an error that leaves the transaction half done makes sure that it is never committed. */
int index_written(struct index *ix, int r);

/* Adds to a folder's counts and touches it; put into its row when somebody reads it, and at commit. -ESTALE then: there is no such folder. */
int index_count(struct index *ix, int64_t folder, int messages, int unseen);
int index_flush_counts(struct index *ix);

/* Makes all messages of a folder tombstones; or those alone that the server has, or had, there. */
int index_message_bury_all(struct index *ix, int64_t folder);
int index_message_bury_stored(struct index *ix, int64_t folder);

/* journal.c. Rows of a table of the journal's database name a folder, or one below it, otherwise. */
int journal_rename_in(struct index *ix, const char *table, const char *from, const char *to, char delimiter);

int64_t index_now_ns(void);

/* One statement, its parameters by `format` (query_bind()), that returns nothing. 0 or -errno. */
int index_run(struct index *ix, enum index_statement which, const char *format, ...);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When what was committed is taken from SQLite's logs into the databases.
 *
 * For the journal that means to wait for the disk several times, tens of milliseconds: SQLite would do it in whichever commit finds the log large, with the turn
 * held, and a rm(1) that waits so long keeps everybody from its directory. So it is left to a connection of its own, beside which all others go on.
 */
#include "store/index_private.h"

#include <errno.h>
#include <string.h>

/* Pages in a log that are much. And in the journal's when nobody has come to take it for so long that the next commit has to. */
enum { LARGE_PAGES = 1000, TOO_LARGE_PAGES = 128 * 1024 };

/* Called by SQLite after each commit. */
static int committed(void *userdata, sqlite3 *handle, const char *name, int pages)
{
	struct index *ix = userdata;

	if (strcmp(name, "journal") == 0)
		atomic_store(&ix->log_pages, pages);
	if (pages >= (strcmp(name, "journal") == 0 ? TOO_LARGE_PAGES : LARGE_PAGES))
		sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK; /* the commit is one in any case */
}

void checkpoint_watch(struct index *ix)
{
	sqlite3_wal_hook(ix->writer->handle, committed, ix);
}

void checkpoint_end(struct index *ix)
{
	database_close(ix->checkpointer);
	ix->checkpointer = NULL;
}

/* The log goes on growing behind what was taken, until a commit finds that all of it was. */
static bool is_due(struct index *ix)
{
	int pages = atomic_load(&ix->log_pages);

	if (pages < ix->taken_pages)
		ix->taken_pages = 0;
	return pages >= ix->taken_pages + LARGE_PAGES;
}

/* Has the log open from the first. */
static int open_checkpointer(struct index *ix)
{
	int r = database_open(ix->journal_path, DATABASE_WRITE_AGAIN, NULL, 0, &ix->checkpointer);

	if (r == 0)
		r = database_exec(ix->checkpointer, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA mmap_size = 0");
	if (r < 0)
		checkpoint_end(ix);
	return r;
}

static int take(struct index *ix)
{
	int r = 0, pages = 0;

	if (!is_due(ix))
		return 0;
	if (!ix->checkpointer)
		r = open_checkpointer(ix);
	if (r < 0)
		return r;
	if (sqlite3_wal_checkpoint_v2(ix->checkpointer->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &pages) != SQLITE_OK)
		return -EIO;
	ix->taken_pages = pages;
	return 0;
}

int index_checkpoint(struct index *ix)
{
	int r;

	if (pthread_mutex_trylock(&ix->checkpointing) != 0) /* somebody is at it */
		return 0;
	r = take(ix);
	pthread_mutex_unlock(&ix->checkpointing);
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When what was committed is taken from SQLite's logs into the databases.
 *
 * That is to wait for the disk several times, tens of milliseconds: SQLite would do it in whichever commit finds a log large, with the turn held, and a rm(1) that
 * waits so long keeps everybody from its directory. So a thread does it on connections of its own, beside which all others go on. What is committed meanwhile is
 * little, and is taken with the turn held: once all of it is in the database, the log begins anew, and those who read it do not search a long one.
 */
#include "store/index_private.h"

#include <string.h>

#include "base/log.h"

/* Of 1 KiB. So many more than last time are due; others may wait for so few. */
enum { DUE_PAGES = 4 * 1024, LITTLE_PAGES = 256 };

/* Lock held. A log that is shorter than it was has begun anew. */
static bool is_due(struct index_log *log)
{
	if (log->pages < log->seen)
		log->seen = 0;
	return log->pages >= log->seen + DUE_PAGES;
}

/* Called by SQLite after each commit. */
static int committed(void *userdata, sqlite3 *handle, const char *name, int pages)
{
	struct checkpointer *c = userdata;
	struct index_log *log = &c->logs[strcmp(name, "main") != 0];

	pthread_mutex_lock(&c->lock);
	log->pages = pages;
	if (is_due(log))
		pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	(void)handle;
	return SQLITE_OK; /* the commit is one in any case */
}

/* Has the log open from the first. */
static int open_connection(struct index_log *log)
{
	int r = database_open(log->path, DATABASE_WRITE_AGAIN, NULL, 0, &log->connection);

	if (r == 0)
		r = database_exec(log->connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA mmap_size = 0");
	if (r < 0) {
		log_warning("%s: its log is not taken into it: %s", log->path, strerror(-r));
		database_close(log->connection);
		log->connection = NULL;
	}
	return r;
}

/* How many pages are left in it. A reader of what was before, too, keeps some there. */
static int take(struct index_log *log)
{
	int pages = 0, taken = 0;

	sqlite3_wal_checkpoint_v2(log->connection->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &taken);
	return pages - taken;
}

/* Where it fails, nothing is lost: the log stays large, and it is tried again when as much has come. */
static void take_all(struct index *ix, struct index_log *log)
{
	if ((!log->connection && open_connection(log) < 0) || take(log) > LITTLE_PAGES)
		return;
	index_wait_turn(ix);
	take(log);
	pthread_mutex_unlock(&ix->turn);
}

static void *run(void *argument)
{
	struct index *ix = argument;
	struct checkpointer *c = &ix->checkpointer;

	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		struct index_log *log = is_due(&c->logs[0]) ? &c->logs[0] : is_due(&c->logs[1]) ? &c->logs[1] : NULL;

		if (!log) {
			pthread_cond_wait(&c->wake, &c->lock);
			continue;
		}
		log->seen = log->pages;
		pthread_mutex_unlock(&c->lock);
		take_all(ix, log);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

void checkpoint_start(struct index *ix, const char *journal_path)
{
	struct checkpointer *c = &ix->checkpointer;

	c->logs[0].path = ix->path;
	c->logs[1].path = journal_path;
	c->is_running = pthread_create(&c->thread, NULL, run, ix) == 0;
	if (c->is_running)
		sqlite3_wal_hook(ix->writer->handle, committed, c);
}

void checkpoint_end(struct index *ix)
{
	struct checkpointer *c = &ix->checkpointer;

	if (!c->is_running)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	for (size_t i = 0; i < INDEX_LOGS; i++)
		database_close(c->logs[i].connection);
}

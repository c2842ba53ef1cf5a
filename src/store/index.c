/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The index's connections: whose turn it is to write, and those for readers.
 */
#include "store/index_private.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

/* Only the readers' page caches are resident, no map of the file: 2 MiB each. */
static const char reader_pragmas[] = "PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;";
/* An address that no two living threads share. */
static const void *this_thread(void)
{
	static _Thread_local char here;

	return &here;
}

/* This thread's, between index_begin_reading() and index_end_reading(). */
static _Thread_local struct {
	const struct index *index; /* NULL: no */
	struct database *database; /* own; or the writer's, whose turn is held for it */
	unsigned nested;	   /* more of them within this one, or within a transaction */
} reading;

int64_t index_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool has_turn(struct index *ix)
{
	return atomic_load_explicit(&ix->writing_thread, memory_order_relaxed) == this_thread();
}

static int run_alone(struct database *d, enum index_statement which)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = database_query(d, which, &q);

	return r < 0 ? r : query_run(&q);
}

void index_wait_turn(struct index *ix)
{
	pthread_mutex_lock(&ix->next);
	pthread_mutex_lock(&ix->turn);
	pthread_mutex_unlock(&ix->next);
}

int index_begin(struct index *ix)
{
	int r;

	assert(!has_turn(ix) && reading.index != ix);
	index_wait_turn(ix);
	r = run_alone(ix->writer, BEGIN_WRITING);
	if (r < 0) {
		pthread_mutex_unlock(&ix->turn);
		return r;
	}
	ix->failure = 0;
	ix->pending_folder = ix->pending_messages = ix->pending_unseen = 0;
	atomic_store_explicit(&ix->writing_thread, this_thread(), memory_order_relaxed);
	return 0;
}

static void end_turn(struct index *ix)
{
	atomic_store_explicit(&ix->writing_thread, NULL, memory_order_relaxed);
	pthread_mutex_unlock(&ix->turn);
}

/* The turn is kept when it succeeds. */
static int commit(struct index *ix)
{
	int r;

	assert(has_turn(ix));
	r = ix->failure < 0 ? ix->failure : index_flush_counts(ix);
	if (r == 0)
		r = run_alone(ix->writer, END_TRANSACTION);
	if (r < 0) {
		index_rollback(ix);
		return r;
	}
	atomic_fetch_add(&ix->commits, 1);
	return 0;
}

int index_commit(struct index *ix)
{
	int r = commit(ix);

	if (r == 0)
		end_turn(ix);
	return r;
}

uint64_t index_state(struct index *ix)
{
	return atomic_load(&ix->commits);
}

void index_rollback(struct index *ix)
{
	int64_t changes;

	assert(has_turn(ix));
	/* Out of space, SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(ix->writer->handle))
		database_exec(ix->writer, "ROLLBACK");
	if (ix->journal_wal_fd >= 0 && database_ask_int(ix->writer, "SELECT count(*) FROM journal.change", &changes) == 0)
		atomic_store(&ix->changes, (int)changes);
	end_turn(ix);
}

int index_end_then(struct index *ix, int r, void (*committed)(void *userdata), void *userdata)
{
	int error;

	if (r < 0) {
		index_rollback(ix);
		return r;
	}
	error = commit(ix);
	if (error < 0)
		return error;
	if (committed)
		committed(userdata);
	end_turn(ix);
	return r;
}

int index_end(struct index *ix, int r)
{
	return index_end_then(ix, r, NULL, NULL);
}

static int take_reader(struct index *ix, struct database **ret)
{
	struct database *d = NULL;
	int r;

	pthread_mutex_lock(&ix->readers_lock);
	if (ix->n_readers > 0)
		d = ix->readers[--ix->n_readers];
	pthread_mutex_unlock(&ix->readers_lock);
	if (!d) {
		r = database_open(ix->path, DATABASE_READ, index_sql, N_INDEX_STATEMENTS, &d);
		if (r < 0)
			return r;
		d->damage_mark = ix->damage_mark;
		r = database_exec(d, reader_pragmas);
		if (r < 0) {
			database_close(d);
			return r;
		}
	}
	*ret = d;
	return 0;
}

static void give_reader_back(void *owner, struct database *d)
{
	struct index *ix = owner;

	pthread_mutex_lock(&ix->readers_lock);
	if (ix->n_readers < READERS_KEPT)
		ix->readers[ix->n_readers++] = steal_pointer(&d);
	pthread_mutex_unlock(&ix->readers_lock);
	database_close(d);
}

int index_begin_reading(struct index *ix, bool is_brief)
{
	struct database *d;
	int r;

	if (has_turn(ix) || reading.index == ix) {
		reading.nested++;
		return 0;
	}
	if (is_brief && pthread_mutex_trylock(&ix->turn) == 0) {
		reading.index = ix;
		reading.database = ix->writer; /* nobody writes meanwhile: no snapshot is needed */
		return 0;
	}
	r = take_reader(ix, &d);
	if (r < 0)
		return r;
	r = run_alone(d, BEGIN_READING);
	if (r < 0) {
		database_close(d);
		return r;
	}
	reading.index = ix;
	reading.database = d;
	return 0;
}

void index_end_reading(struct index *ix)
{
	struct database *d;

	if (reading.nested) {
		reading.nested--;
		return;
	}
	assert(reading.index == ix);
	d = steal_pointer(&reading.database);
	reading.index = NULL;
	if (d == ix->writer)
		pthread_mutex_unlock(&ix->turn);
	else if (run_alone(d, END_TRANSACTION) < 0)
		database_close(d);
	else
		give_reader_back(ix, d);
}

int index_read(struct index *ix, enum index_statement which, struct query *q)
{
	struct database *d;
	int r;

	if (reading.index == ix)
		return database_query(reading.database, which, q);

	if (has_turn(ix)) {
		r = which <= FOLDER_EACH ? index_flush_counts(ix) : 0;
		return r < 0 ? r : database_query(ix->writer, which, q);
	}
	r = take_reader(ix, &d);
	if (r < 0)
		return r;
	q->give_back = give_reader_back;
	q->owner = ix;
	return database_query(d, which, q);
}

int index_write(struct index *ix, enum index_statement which, struct query *q)
{
	assert(has_turn(ix));
	return ix->failure < 0 ? ix->failure : index_written(ix, database_query(ix->writer, which, q));
}

int index_written(struct index *ix, int r)
{
	if (r < 0 && r != -ENOENT && r != -EEXIST)
		ix->failure = r;
	return r;
}

int index_run(struct index *ix, enum index_statement which, const char *format, ...)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	va_list parameters;
	int r = index_write(ix, which, &q);

	if (r < 0)
		return r;
	va_start(parameters, format);
	query_bind_list(&q, format, parameters);
	va_end(parameters);
	return index_written(ix, query_run(&q));
}

int index_count(struct index *ix, int64_t folder, int messages, int unseen)
{
	int r;

	if (ix->pending_folder != folder) {
		r = index_flush_counts(ix);
		if (r < 0)
			return r;
		ix->pending_folder = folder;
	}
	ix->pending_messages += messages;
	ix->pending_unseen += unseen;
	return 0;
}

int index_flush_counts(struct index *ix)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	if (ix->pending_folder == 0)
		return 0;
	r = index_write(ix, FOLDER_COUNT, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, ix->pending_folder);
	query_bind_int(&q, 2, ix->pending_messages);
	query_bind_int(&q, 3, ix->pending_unseen);
	query_bind_int(&q, 4, index_now_ns());
	ix->pending_folder = 0;
	ix->pending_messages = ix->pending_unseen = 0;
	r = query_run_on_one(&q);
	return index_written(ix, r == -ENOENT ? -ESTALE : r);
}

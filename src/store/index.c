/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The index's database: making it, opening it, whose turn it is to write, and connections for readers.
 *
 * Message rows are written in the order of their UIDs, so one index on (folder, uid) serves listing, lookup (a name ends in its UID) and
 * sync; names that a user gave have an index of their own, small as long as few did. A message that is shown nowhere has minus its own row for a folder: it is
 * in no folder, collides with nothing, and is found without a scan.
 */
#include "store/index_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

enum { SCHEMA_VERSION = 2, CHECK_BELOW_BYTES = 4 << 20, BOOT_ID_MAX = 64, LOST_ROWS_MAX = 1 << 20 };

static const char schema[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE folder ("
	" row INTEGER PRIMARY KEY AUTOINCREMENT,"
	" parent INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" wire TEXT,"
	" wire_is_utf8 INTEGER NOT NULL,"
	" delimiter INTEGER NOT NULL,"
	" attributes INTEGER NOT NULL,"
	" special_use INTEGER NOT NULL,"
	" rights TEXT,"
	" uidvalidity INTEGER NOT NULL DEFAULT 0,"
	" uidnext INTEGER NOT NULL DEFAULT 1,"
	" highestmodseq INTEGER NOT NULL DEFAULT 0,"
	" messages INTEGER NOT NULL DEFAULT 0,"
	" unseen INTEGER NOT NULL DEFAULT 0,"
	" complete INTEGER NOT NULL DEFAULT 0,"
	" mtime_ns INTEGER NOT NULL);"
	"CREATE UNIQUE INDEX folder_name ON folder (parent, name);"
	"CREATE UNIQUE INDEX folder_wire ON folder (wire);"
	"CREATE TABLE message ("
	" row INTEGER PRIMARY KEY AUTOINCREMENT,"
	" folder INTEGER NOT NULL,"
	" uid INTEGER,"
	" size INTEGER NOT NULL,"
	" size_proven INTEGER NOT NULL,"
	" internaldate_s INTEGER NOT NULL,"
	" ctime_ns INTEGER NOT NULL,"
	" flags TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" given INTEGER NOT NULL,"
	" local INTEGER NOT NULL,"
	" marked INTEGER NOT NULL,"
	" server_folder INTEGER,"
	" server_uid INTEGER,"
	" server_flags TEXT,"
	" mtime_ns INTEGER,"
	" mode INTEGER,"
	" arrived_s INTEGER NOT NULL);"
	"CREATE UNIQUE INDEX message_uid ON message (folder, uid);"
	"CREATE UNIQUE INDEX message_given ON message (folder, name) WHERE given = 1;"
	"CREATE UNIQUE INDEX message_away ON message (server_folder, server_uid) WHERE server_folder IS NOT NULL;"
	"CREATE INDEX message_flagged ON message (server_flags) WHERE server_flags IS NOT NULL;"
	"CREATE INDEX message_without_uid ON message (local) WHERE uid IS NULL;"
	"INSERT INTO folder (row, parent, name, wire_is_utf8, delimiter, attributes, special_use, mtime_ns)"
	" VALUES (1, 0, '', 0, 0, 0, 0, CAST(strftime('%s', 'now') AS INTEGER) * 1000000000);"
	"INSERT INTO sqlite_sequence (name, seq) VALUES ('message', 0);"
	"INSERT INTO meta VALUES ('identity', lower(hex(randomblob(16))));"
	"PRAGMA user_version = 2;"
	"COMMIT";

/* Only the readers' page caches are resident, no map of the file: 2 MiB each. */
static const char reader_pragmas[] = "PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;";
static const char writer_pragmas[] =
	"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY;"
	"PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 16777216; PRAGMA secure_delete = OFF;";

/* An address that no two living threads share. */
static const void *this_thread(void)
{
	static _Thread_local char here;

	return &here;
}

/* This thread's, between index_begin_reading() and index_end_reading(). */
static _Thread_local struct {
	const struct index *index; /* NULL: no */
	struct database *database; /* own */
} reading;

int64_t index_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int read_identity(struct index *ix)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = database_ask(ix->writer, "SELECT value FROM meta WHERE key = 'identity'", &q);

	if (r == 1)
		query_copy_text(&q, 0, ix->identity, sizeof ix->identity);
	return strlen(ix->identity) == sizeof ix->identity - 1 ? 0 : -EUCLEAN;
}

/* 0; -ENOENT: a new, empty file; -ESTALE: another version's. */
static int check_version(struct database *d)
{
	int64_t version, tables;
	int r;

	r = database_ask_int(d, "PRAGMA user_version", &version);
	if (r < 0)
		return r;
	if (version == SCHEMA_VERSION)
		return 0;
	r = database_ask_int(d, "SELECT count(*) FROM sqlite_master", &tables);
	if (r < 0)
		return r;
	return version == 0 && tables == 0 ? -ENOENT : -ESTALE;
}

/* Which start of the machine this is; empty where the kernel does not say. */
static void read_boot(char out[BOOT_ID_MAX])
{
	CLEANUP(fd) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, BOOT_ID_MAX - 1);

	out[n > 0 ? n : 0] = '\0';
	out[strspn(out, "0123456789abcdef-")] = '\0';
}

/*
 * A power cut may take back the last transactions, and with them rows that bodies in the cache are kept by. So the numbers go on far behind those
 * that could have been lost: on another start of the machine than the last, and on the disk before the first is used.
 */
static int skip_lost_rows(struct index *ix)
{
	char now[BOOT_ID_MAX], before[BOOT_ID_MAX] = "", sql[512];
	struct query q = QUERY_INIT;
	int r = database_ask(ix->writer, "SELECT value FROM meta WHERE key = 'boot'", &q);

	if (r == 1)
		query_copy_text(&q, 0, before, sizeof before);
	query_release(&q);
	if (r < 0)
		return r;
	read_boot(now);
	if (*now && !strcmp(now, before))
		return 0;
	snprintf(sql, sizeof sql,
		 "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; UPDATE sqlite_sequence SET seq = seq + %d;"
		 "INSERT OR REPLACE INTO meta (key, value) VALUES ('boot', '%s'); COMMIT; PRAGMA synchronous = NORMAL",
		 *before ? LOST_ROWS_MAX : 0, now);
	return database_exec(ix->writer, sql);
}

static int prepare_database(struct index *ix)
{
	int known, r;

	known = check_version(ix->writer);
	if (known < 0 && known != -ENOENT)
		return known;
	r = database_exec(ix->writer, writer_pragmas);
	if (r == 0 && known == -ENOENT)
		r = database_exec(ix->writer, schema);
	else if (r == 0 && database_size_bytes(ix->writer) < CHECK_BELOW_BYTES)
		r = database_check(ix->writer);
	if (r == 0)
		r = read_identity(ix);
	if (r == 0)
		r = skip_lost_rows(ix);
	return r < 0 ? r
		     : database_exec(ix->writer, "DELETE FROM message WHERE folder < 0 AND server_folder IS NULL AND local = 0");
}

static int open_writer(struct index *ix)
{
	int r = database_open(ix->path, DATABASE_WRITE, index_sql, N_INDEX_STATEMENTS, &ix->writer);

	if (r < 0)
		return r;
	ix->writer->damage_mark = ix->damage_mark;
	return prepare_database(ix);
}

static void remove_files(const struct index *ix)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal", "-damaged" };
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
		if (snprintf(path, sizeof path, "%s%s", ix->path, suffixes[i]) < (int)sizeof path)
			unlink(path);
}

/* Everything in it can be asked again: an index that cannot be trusted is no loss but time. */
static int make_anew(struct index *ix, int why)
{
	log_warning("%s: %s; it is made anew", ix->path, why == -ESTALE ? "of another version of mailfs" : "damaged");
	database_close(steal_pointer(&ix->writer));
	ix->identity[0] = '\0';
	remove_files(ix);
	return open_writer(ix);
}

int index_open(const char *cache_dir, struct index **ret)
{
	struct index *ix = calloc(1, sizeof *ix);
	int r;

	if (!ix)
		return -ENOMEM;
	pthread_mutex_init(&ix->turn, NULL);
	pthread_mutex_init(&ix->readers_lock, NULL);
	ix->journal_wal_fd = -1;
	r = -ENOMEM;
	if (asprintf(&ix->path, "%s/index.db", cache_dir) < 0)
		ix->path = NULL;
	else if (asprintf(&ix->damage_mark, "%s-damaged", ix->path) < 0)
		ix->damage_mark = NULL;
	else
		r = access(ix->damage_mark, F_OK) == 0 ? -EUCLEAN : open_writer(ix);
	if (r == -EUCLEAN || r == -ESTALE)
		r = make_anew(ix, r);
	if (r < 0) {
		index_close(ix);
		return r;
	}
	*ret = ix;
	return 0;
}

void index_close(struct index *ix)
{
	if (!ix)
		return;
	while (ix->n_readers > 0)
		database_close(ix->readers[--ix->n_readers]);
	database_close(ix->writer);
	fd_cleanup(&ix->journal_wal_fd);
	pthread_mutex_destroy(&ix->turn);
	pthread_mutex_destroy(&ix->readers_lock);
	free(ix->path);
	free(ix->damage_mark);
	free(ix);
}

const char *index_identity(const struct index *ix)
{
	return ix->identity;
}

static bool has_turn(struct index *ix)
{
	return atomic_load_explicit(&ix->writing_thread, memory_order_relaxed) == this_thread();
}

int index_begin(struct index *ix)
{
	int r;

	assert(!has_turn(ix) && reading.index != ix);
	pthread_mutex_lock(&ix->turn);
	r = database_exec(ix->writer, "BEGIN IMMEDIATE");
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

int index_commit(struct index *ix)
{
	int r;

	assert(has_turn(ix));
	r = ix->failure < 0 ? ix->failure : index_flush_counts(ix);
	if (r == 0)
		r = database_exec(ix->writer, "COMMIT");
	if (r < 0) {
		index_rollback(ix);
		return r;
	}
	end_turn(ix);
	return 0;
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

int index_end(struct index *ix, int r)
{
	int error;

	if (r < 0) {
		index_rollback(ix);
		return r;
	}
	error = index_commit(ix);
	return error < 0 ? error : r;
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

static int run_alone(struct database *d, enum index_statement which)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = database_query(d, which, &q);

	return r < 0 ? r : query_run(&q);
}

int index_begin_reading(struct index *ix)
{
	struct database *d;
	int r;

	assert(!has_turn(ix) && !reading.index);
	r = take_reader(ix, &d);
	if (r < 0)
		return r;
	r = run_alone(d, READING_BEGIN);
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
	struct database *d = steal_pointer(&reading.database);

	assert(reading.index == ix);
	reading.index = NULL;
	if (run_alone(d, READING_END) < 0)
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

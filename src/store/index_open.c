/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The index's database: making it, opening it, and making it anew where it cannot be trusted.
 *
 * Message rows are written in the order of their UIDs, so one index on (folder, uid) serves listing, lookup (a name ends in its UID) and
 * sync; names that a user gave have an index of their own, small as long as few did. A message that is shown nowhere has minus its own row for a folder: it is
 * in no folder, collides with nothing, and is found without a scan.
 */
#include "store/index_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { SCHEMA_VERSION = 3, CHECK_BELOW_BYTES = 4 << 20, BOOT_ID_MAX = 64, LOST_ROWS_MAX = 1 << 20 };

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
	"CREATE INDEX folder_use ON folder (special_use) WHERE special_use <> 0;"
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
	"PRAGMA user_version = 3;"
	"COMMIT";

/* A change of one message touches half a dozen pages, and each goes into the log, and is summed, as a whole: small ones make a rm(1) of thousands a quarter quicker. */
static const char writer_pragmas[] =
	"PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4096;"
	"PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA journal_size_limit = 16777216; PRAGMA secure_delete = OFF;";

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
	pthread_mutex_init(&ix->next, NULL);
	pthread_mutex_init(&ix->turn, NULL);
	pthread_mutex_init(&ix->readers_lock, NULL);
	pthread_mutex_init(&ix->checkpointer.lock, NULL);
	pthread_cond_init(&ix->checkpointer.wake, NULL);
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
	checkpoint_end(ix);
	database_close(ix->writer);
	fd_cleanup(&ix->journal_wal_fd);
	pthread_mutex_destroy(&ix->next);
	pthread_mutex_destroy(&ix->turn);
	pthread_mutex_destroy(&ix->readers_lock);
	pthread_mutex_destroy(&ix->checkpointer.lock);
	pthread_cond_destroy(&ix->checkpointer.wake);
	free(ix->path);
	free(ix->journal_path);
	free(ix->damage_mark);
	free(ix);
}

const char *index_identity(const struct index *ix)
{
	return ix->identity;
}

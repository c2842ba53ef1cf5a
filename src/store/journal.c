/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "store/durable.h"
#include "store/index_private.h"

enum { SCHEMA_VERSION = 6 };

/* Hardly a change touches two rows of one page, and a transaction writes whole ones. */
static const char page_size[] = "PRAGMA journal.page_size = 1024";

static const char schema[] = "BEGIN IMMEDIATE;"
			     "CREATE TABLE journal.change ("
			     " seq INTEGER PRIMARY KEY,"
			     " kind INTEGER NOT NULL,"
			     " row INTEGER NOT NULL,"
			     " source INTEGER NOT NULL,"
			     " folder TEXT NOT NULL,"
			     " detail TEXT NOT NULL,"
			     " depends INTEGER NOT NULL,"
			     " sent INTEGER NOT NULL DEFAULT 0,"
			     " uidnext INTEGER NOT NULL DEFAULT 0,"
			     " uidvalidity INTEGER NOT NULL DEFAULT 0,"
			     " unanswered INTEGER NOT NULL DEFAULT 0);"
			     "CREATE INDEX journal.change_row ON change (row);"
			     "CREATE INDEX journal.change_source ON change (source) WHERE source <> 0;"
			     "CREATE INDEX journal.change_depends ON change (depends) WHERE depends <> 0;"
			     /* JOURNAL_DELETE, JOURNAL_RENAME: asked for with every change that names a folder */
			     "CREATE INDEX journal.change_folder ON change (seq) WHERE kind IN (8, 9);"
			     "CREATE TABLE journal.place ("
			     " row INTEGER PRIMARY KEY,"
			     " wire TEXT NOT NULL,"
			     " uidvalidity INTEGER NOT NULL,"
			     " uid INTEGER,"
			     " name TEXT NOT NULL,"
			     " given INTEGER NOT NULL);"
			     "CREATE INDEX journal.place_uid ON place (wire, uidvalidity, uid);"
			     "CREATE TABLE journal.kept ("
			     " wire TEXT NOT NULL,"
			     " uidvalidity INTEGER NOT NULL,"
			     " uid INTEGER NOT NULL,"
			     " name TEXT NOT NULL,"
			     " mtime_ns INTEGER NOT NULL,"
			     " mode INTEGER NOT NULL,"
			     " arrived_s INTEGER NOT NULL,"
			     " marked INTEGER NOT NULL,"
			     " PRIMARY KEY (wire, uidvalidity, uid)) WITHOUT ROWID;"
			     "CREATE TABLE journal.file ("
			     " row INTEGER PRIMARY KEY,"
			     " directory INTEGER NOT NULL,"
			     " wire TEXT NOT NULL,"
			     " name TEXT NOT NULL,"
			     " mode INTEGER NOT NULL,"
			     " mtime_ns INTEGER NOT NULL,"
			     " flags TEXT NOT NULL,"
			     " size INTEGER NOT NULL);"
			     "CREATE TABLE journal.directory ("
			     " row INTEGER PRIMARY KEY, directory INTEGER NOT NULL, wire TEXT NOT NULL, name TEXT NOT NULL);"
			     "PRAGMA journal.user_version = 6;"
			     "COMMIT";

/* NORMAL: a commit is not fsynced; journal_sync() does that. */
static const char pragmas[] = "PRAGMA journal.journal_mode = WAL; PRAGMA journal.synchronous = NORMAL;"
			      "PRAGMA journal.cache_size = -1024; PRAGMA journal.mmap_size = 0;";

static int prepare(struct index *ix)
{
	int64_t version, tables;
	int r = database_ask_int(ix->writer, "PRAGMA journal.user_version", &version);

	if (r == 0)
		r = database_ask_int(ix->writer, "SELECT count(*) FROM journal.sqlite_master", &tables);
	if (r < 0)
		return r;
	if (version != SCHEMA_VERSION && (version != 0 || tables != 0))
		return -EUCLEAN;
	if (version == 0)
		r = database_exec(ix->writer, page_size);
	if (r == 0)
		r = database_exec(ix->writer, pragmas);
	return r == 0 && version == 0 ? database_exec(ix->writer, schema) : r;
}

static int count(struct index *ix)
{
	int64_t n = 0;
	int r = database_ask_int(ix->writer, "SELECT count(*) FROM journal.change", &n);

	atomic_store(&ix->changes, (int)n);
	return r < 0 ? r : database_ask_int(ix->writer, "SELECT ifnull(max(seq), 0) FROM journal.change", &ix->last_seq);
}

static int sync_directory(const char *directory)
{
	CLEANUP(fd) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : durable_sync_fd(fd);
}

int journal_attach(struct index *ix, const char *state_dir)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof path, "%s/journal.db-wal", state_dir) >= (int)sizeof path)
		return -ENAMETOOLONG;
	path[strlen(path) - strlen("-wal")] = '\0';
	r = database_attach(ix->writer, path, "journal");
	if (r == 0)
		r = prepare(ix);
	if (r == 0)
		r = count(ix);
	if (r == 0 && !(ix->journal_path = strdup(path)))
		r = -ENOMEM;
	if (r < 0)
		return r;
	strcat(path, "-wal");
	/* SQLite takes no locks on this file: closing it costs none. */
	ix->journal_wal_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	checkpoint_start(ix, ix->journal_path);
	return ix->journal_wal_fd < 0 ? -errno : sync_directory(state_dir);
}

bool journal_is_empty(const struct index *ix)
{
	return atomic_load(&ix->changes) == 0;
}

/* A checkpoint syncs what it takes out of the log, so the log is all there is to sync. */
int journal_sync(struct index *ix)
{
	return fdatasync(ix->journal_wal_fd) < 0 ? -errno : 0;
}

void journal_entry_release(struct journal_entry *e)
{
	free(e->folder);
	free(e->detail);
	e->folder = e->detail = NULL;
}

void journal_place_release(struct journal_place *p)
{
	free(p->wire);
	p->wire = NULL;
}

int journal_append(struct index *ix, struct journal_entry *e)
{
	int r = index_run(ix, CHANGE_APPEND, "iiiitti", ix->last_seq + 1, (int64_t)e->kind, e->row, e->source,
			  e->folder ? e->folder : "", e->detail ? e->detail : "", e->depends);

	if (r < 0)
		return r;
	e->seq = ++ix->last_seq;
	atomic_fetch_add(&ix->changes, 1);
	return 0;
}

int journal_remove(struct index *ix, int64_t seq)
{
	int r = index_run(ix, CHANGE_REMOVE, "i", seq);

	if (r == 0 && sqlite3_changes(ix->writer->handle) > 0)
		atomic_fetch_sub(&ix->changes, 1);
	return r;
}

int journal_replace(struct index *ix, const struct journal_entry *e)
{
	return index_run(ix, CHANGE_REPLACE, "iiittii", (int64_t)e->kind, e->row, e->source, e->folder ? e->folder : "",
			 e->detail ? e->detail : "", e->depends, e->seq);
}

int journal_mark_sent(struct index *ix, int64_t seq, uint32_t uidvalidity, uint32_t uidnext)
{
	return index_run(ix, CHANGE_MARK_SENT, "iii", seq, (int64_t)uidvalidity, (int64_t)uidnext);
}

int journal_note_unanswered(struct index *ix, int64_t seq, int64_t when_s)
{
	return index_run(ix, CHANGE_NOTE_UNANSWERED, "ii", seq, when_s);
}

int journal_forget_sent(struct index *ix, int64_t seq)
{
	return index_run(ix, CHANGE_FORGET_SENT, "i", seq);
}

int journal_note_bound(struct index *ix, int64_t seq, uint32_t uidnext)
{
	return index_run(ix, CHANGE_NOTE_BOUND, "ii", seq, (int64_t)uidnext);
}

int journal_rename(struct index *ix, int64_t row, const char *name)
{
	return index_run(ix, CHANGE_RENAME, "it", row, name);
}

/* The order of CHANGE_COLUMNS; texts borrowed from the query. */
static void borrow_entry(struct query *q, struct journal_entry *e)
{
	*e = (struct journal_entry){
		.seq = query_int(q, 0),
		.kind = (enum journal_kind)query_int(q, 1),
		.row = query_int(q, 2),
		.source = query_int(q, 3),
		.folder = (char *)query_text(q, 4),
		.detail = (char *)query_text(q, 5),
		.depends = query_int(q, 6),
		.was_sent = query_int(q, 7) != 0,
		.uidnext = (uint32_t)query_int(q, 8),
		.uidvalidity = (uint32_t)query_int(q, 9),
		.unanswered_s = query_int(q, 10),
	};
}

static int each_of(struct index *ix, enum index_statement which, int64_t key, journal_each *each, void *userdata)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	struct journal_entry e;
	int r;

	if (journal_is_empty(ix))
		return 0;
	r = index_write(ix, which, &q);
	if (r < 0)
		return r;
	query_bind(&q, "i", key);
	while ((r = query_step(&q)) == 1) {
		borrow_entry(&q, &e);
		r = each(userdata, &e);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return index_written(ix, r);
}

int journal_each_after(struct index *ix, int64_t seq, journal_each *each, void *userdata)
{
	return each_of(ix, CHANGE_EACH, seq, each, userdata);
}

int journal_each_of(struct index *ix, int64_t row, journal_each *each, void *userdata)
{
	return each_of(ix, CHANGE_EACH_OF, row, each, userdata);
}

int journal_each_depending(struct index *ix, int64_t seq, journal_each *each, void *userdata)
{
	return each_of(ix, CHANGE_EACH_DEPENDING, seq, each, userdata);
}

int journal_each_folder_after(struct index *ix, int64_t seq, journal_each *each, void *userdata)
{
	return each_of(ix, CHANGE_EACH_FOLDER, seq, each, userdata);
}

/* The first column of the first row, into *ret; -ENOENT. */
static int ask(struct index *ix, enum index_statement which, int64_t *ret, const char *format, ...)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	va_list parameters;
	int r = index_write(ix, which, &q);

	if (r < 0)
		return r;
	va_start(parameters, format);
	query_bind_list(&q, format, parameters);
	va_end(parameters);
	r = query_step(&q);
	if (r <= 0)
		return r < 0 ? index_written(ix, r) : -ENOENT;
	*ret = query_int(&q, 0);
	return 0;
}

int journal_last_of(struct index *ix, int64_t row, int64_t *ret_seq)
{
	return ask(ix, CHANGE_LAST_OF, ret_seq, "i", row);
}

int journal_last_in(struct index *ix, const char *wire, char delimiter, int64_t *ret_seq)
{
	CLEANUP(buf) struct buf below = BUF_INIT;
	int r = *wire ? buf_printf(&below, "%s%c", wire, delimiter ? delimiter : '\n') : buf_append_str(&below, "");

	return r < 0 ? r : ask(ix, CHANGE_LAST_IN, ret_seq, "tt", wire, buf_str(&below));
}

int journal_place_get(struct index *ix, int64_t row, struct journal_place *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_write(ix, PLACE_GET, &q);

	if (r < 0)
		return r;
	query_bind(&q, "i", row);
	r = query_step(&q);
	if (r <= 0)
		return r < 0 ? index_written(ix, r) : -ENOENT;
	ret->wire = strdup(query_text(&q, 0));
	ret->uidvalidity = (uint32_t)query_int(&q, 1);
	ret->uid = (uint32_t)query_int(&q, 2);
	query_copy_text(&q, 3, ret->name, sizeof ret->name);
	ret->is_given = query_int(&q, 4) != 0;
	return ret->wire ? 0 : -ENOMEM;
}

int journal_place_put(struct index *ix, int64_t row, const struct journal_place *p)
{
	return index_run(ix, PLACE_PUT, "itiiti", row, p->wire, (int64_t)p->uidvalidity, (int64_t)p->uid, p->name,
			 (int64_t)p->is_given);
}

int journal_has(struct index *ix, int64_t row, enum journal_kind kind)
{
	int64_t has = 0;
	int r = ask(ix, CHANGE_HAS, &has, "ii", row, (int64_t)kind);

	return r < 0 ? r : (int)has;
}

int journal_hand_over(struct index *ix, int64_t from, int64_t to)
{
	int r = index_run(ix, PLACE_HAND_OVER, "ii", from, to);

	if (r == 0)
		r = index_run(ix, CHANGE_HAND_OVER, "ii", from, to);
	return r == 0 ? index_run(ix, CHANGE_HAND_OVER_SOURCE, "ii", from, to) : r;
}

int journal_place_sweep(struct index *ix, int64_t row)
{
	return index_run(ix, PLACE_SWEEP, "i", row);
}

int journal_row_at(struct index *ix, const char *wire, uint32_t uidvalidity, uint32_t uid, int64_t *ret_row)
{
	return ask(ix, PLACE_AT, ret_row, "tii", wire, (int64_t)uidvalidity, (int64_t)uid);
}

int journal_last_row(struct index *ix, int64_t *ret_row)
{
	return ask(ix, PLACE_LAST_ROW, ret_row, "");
}

int journal_kept_get(struct index *ix, const char *wire, uint32_t uidvalidity, uint32_t uid, struct journal_kept *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_write(ix, KEPT_GET, &q);

	if (r < 0)
		return r;
	query_bind(&q, "tii", wire, (int64_t)uidvalidity, (int64_t)uid);
	r = query_step(&q);
	if (r <= 0)
		return r < 0 ? index_written(ix, r) : -ENOENT;
	query_copy_text(&q, 0, ret->name, sizeof ret->name);
	ret->mtime_ns = query_int(&q, 1);
	ret->mode = (uint32_t)query_int(&q, 2);
	ret->arrived_s = query_int(&q, 3);
	ret->is_marked = query_int(&q, 4) != 0;
	return 0;
}

int journal_kept_put(struct index *ix, const char *wire, uint32_t uidvalidity, uint32_t uid, const struct journal_kept *kept)
{
	return index_run(ix, KEPT_PUT, "tiitiiii", wire, (int64_t)uidvalidity, (int64_t)uid, kept->name, kept->mtime_ns,
			 (int64_t)kept->mode, kept->arrived_s, (int64_t)kept->is_marked);
}

int journal_kept_remove(struct index *ix, const char *wire, uint32_t uidvalidity, uint32_t uid)
{
	return index_run(ix, KEPT_REMOVE, "tii", wire, (int64_t)uidvalidity, (int64_t)uid);
}

int journal_kept_last(struct index *ix, const char *wire, uint32_t uidvalidity, uint32_t *ret_uid)
{
	int64_t uid = 0;
	int r = ask(ix, KEPT_LAST, &uid, "ti", wire, (int64_t)uidvalidity);

	if (r == 0)
		*ret_uid = (uint32_t)uid;
	return r;
}

int journal_keeps_any(struct index *ix, const char *wire, uint32_t uidvalidity)
{
	int64_t one;
	int r = ask(ix, KEPT_ANY, &one, "t", wire);

	if (r == 0)
		r = index_run(ix, KEPT_FORGET_OTHERS, "ti", wire, (int64_t)uidvalidity);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* `column` begins with a folder's wire name. */
static int rename_column(struct index *ix, const char *table, const char *column, const char *from, const char *to, char delimiter,
			 const char *condition)
{
	char below[2] = { delimiter, '\0' };
	char *sql = sqlite3_mprintf("UPDATE OR REPLACE journal.%s SET %s = %Q || substr(%s, length(%Q) + 1) WHERE (%s = %Q"
				    " OR (%Q <> '' AND substr(%s, 1, length(%Q) + 1) = %Q || %Q)) AND %s",
				    table, column, to, column, from, column, from, below, column, from, from, below, condition);
	int r = sql ? database_exec(ix->writer, sql) : -ENOMEM;

	sqlite3_free(sql);
	return index_written(ix, r);
}

int journal_rename_in(struct index *ix, const char *table, const char *from, const char *to, char delimiter)
{
	return rename_column(ix, table, "wire", from, to, delimiter, "1");
}

int journal_rename_folder(struct index *ix, const char *from, const char *to, char delimiter)
{
	int r = journal_rename_in(ix, "place", from, to, delimiter);

	return r < 0 ? r : journal_rename_kept(ix, from, to, delimiter);
}

int journal_rename_kept(struct index *ix, const char *from, const char *to, char delimiter)
{
	return journal_rename_in(ix, "kept", from, to, delimiter);
}

int journal_rename_recorded(struct index *ix, int64_t after, int64_t until, const char *from, const char *to, char delimiter)
{
	char change[96], renaming[128], place[256];
	int r;

	snprintf(change, sizeof change, "seq > %lld AND seq <= %lld", (long long)after, (long long)until);
	snprintf(renaming, sizeof renaming, "kind = %d AND %s", JOURNAL_RENAME, change);
	/* A place is remembered with the first change of its message. */
	snprintf(place, sizeof place,
		 "(SELECT min(seq) FROM journal.change WHERE row = place.row OR (source = place.row AND source <> 0))"
		 " BETWEEN %lld AND %lld",
		 (long long)after + 1, (long long)until);
	r = rename_column(ix, "place", "wire", from, to, delimiter, place);
	if (r == 0)
		r = rename_column(ix, "change", "folder", from, to, delimiter, change);
	return r < 0 ? r : rename_column(ix, "change", "detail", from, to, delimiter, renaming);
}

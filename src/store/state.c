/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>

#include "store/database.h"
#include "store/durable.h"

enum { SCHEMA_VERSION = 1, CHECK_BELOW_BYTES = 16 << 20 };

enum state_statement { FACT_GET, FACT_SET, SENT_HAS, SENT_ADD, SENT_FORGET, SENT_REMOVE, N_STATE_STATEMENTS };

static const char *const state_sql[N_STATE_STATEMENTS] = {
	[FACT_GET] = "SELECT value FROM fact WHERE key = ?1",
	[FACT_SET] = "INSERT INTO fact (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
	[SENT_HAS] = "SELECT 1 FROM sent WHERE digest = ?1 AND sent_s >= ?2",
	[SENT_ADD] = ("INSERT INTO sent (digest, sent_s) VALUES (?1, ?2) ON CONFLICT (digest) DO UPDATE SET sent_s = max(sent_s, "
		      "excluded.sent_s)"),
	[SENT_FORGET] = "DELETE FROM sent WHERE sent_s < ?1",
	[SENT_REMOVE] = "DELETE FROM sent WHERE digest = ?1",
};

static const char schema[] = "BEGIN IMMEDIATE;"
			     "CREATE TABLE fact (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
			     "CREATE TABLE sent (digest TEXT PRIMARY KEY, sent_s INTEGER NOT NULL) WITHOUT ROWID;"
			     "PRAGMA user_version = 1;"
			     "COMMIT";

/* FULL: the log of a commit is on disk when it returns. */
static const char pragmas[] =
	"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -512; PRAGMA mmap_size = 0;";

struct state {
	pthread_mutex_t lock;
	struct database *database; /* own; lock */
};

static int sync_directory(const char *directory)
{
	CLEANUP(fd) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : durable_sync_fd(fd);
}

/* A database of a later version is not understood, and so not touched either. */
static int prepare_database(struct database *d)
{
	int64_t version, tables;
	int r;

	r = database_ask_int(d, "PRAGMA user_version", &version);
	if (r == 0)
		r = database_ask_int(d, "SELECT count(*) FROM sqlite_master", &tables);
	if (r == 0 && database_size_bytes(d) < CHECK_BELOW_BYTES)
		r = database_check(d);
	if (r < 0)
		return r;
	if (version != SCHEMA_VERSION && (version != 0 || tables != 0))
		return -EUCLEAN;
	r = database_exec(d, pragmas);
	return r == 0 && version == 0 ? database_exec(d, schema) : r;
}

int state_open(const char *state_dir, struct state **ret)
{
	CLEANUP(free) char *path = NULL;
	struct database *d = NULL;
	struct state *s;
	int r;

	if (asprintf(&path, "%s/state.db", state_dir) < 0)
		return -ENOMEM;
	r = database_open(path, DATABASE_WRITE, state_sql, N_STATE_STATEMENTS, &d);
	if (r == 0)
		r = prepare_database(d);
	if (r == 0)
		r = sync_directory(state_dir);
	s = r == 0 ? malloc(sizeof *s) : NULL;
	if (!s) {
		database_close(d);
		return r < 0 ? r : -ENOMEM;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->database = d;
	*ret = s;
	return 0;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	database_close(s->database);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static int fact_get(struct state *s, const char *key, struct buf *out)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = database_query(s->database, FACT_GET, &q);
	if (r < 0)
		return r;
	query_bind_text(&q, 1, key);
	r = query_step(&q);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	return buf_append_str(out, query_text(&q, 0));
}

int state_get(struct state *s, const char *key, struct buf *out)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = fact_get(s, key, out);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static int fact_set(struct state *s, const char *key, const char *value)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = database_query(s->database, FACT_SET, &q);
	if (r < 0)
		return r;
	query_bind_text(&q, 1, key);
	query_bind_text(&q, 2, value);
	return query_run(&q);
}

int state_set(struct state *s, const char *key, const char *value)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = fact_set(s, key, value);
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* One of the statements on `sent`; its number of results is the result. */
static int sent_run(struct state *s, enum state_statement which, const char *digest, const int64_t *time_s)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = database_query(s->database, which, &q);
	if (r < 0)
		return r;
	if (digest)
		query_bind_text(&q, 1, digest);
	if (time_s)
		query_bind_int(&q, digest ? 2 : 1, *time_s);
	return query_step(&q);
}

int state_sent_has(struct state *s, const char *digest, int64_t since_s)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = sent_run(s, SENT_HAS, digest, &since_s);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static int sent_add(struct state *s, const char *digest, int64_t now_s, int64_t forget_before_s)
{
	int r;

	r = database_exec(s->database, "BEGIN IMMEDIATE");
	if (r < 0)
		return r;
	r = sent_run(s, SENT_FORGET, NULL, &forget_before_s);
	if (r == 0)
		r = sent_run(s, SENT_ADD, digest, &now_s);
	if (r == 0)
		r = database_exec(s->database, "COMMIT");
	if (r < 0 && !sqlite3_get_autocommit(s->database->handle))
		database_exec(s->database, "ROLLBACK");
	return r;
}

int state_sent_add(struct state *s, const char *digest, int64_t now_s, int64_t forget_before_s)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = sent_add(s, digest, now_s, forget_before_s);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int state_sent_remove(struct state *s, const char *digest)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = sent_run(s, SENT_REMOVE, digest, NULL);
	pthread_mutex_unlock(&s->lock);
	return r;
}

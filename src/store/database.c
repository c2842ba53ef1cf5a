/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "store/wal_vfs.h"

enum { BUSY_TIMEOUT_MS = 5000 };

static const struct {
	int result;
	int error;
} error_table[] = {
	{ SQLITE_OK, 0 },	    { SQLITE_BUSY, EBUSY },	 { SQLITE_LOCKED, EBUSY },   { SQLITE_FULL, ENOSPC },
	{ SQLITE_IOERR, EIO },	    { SQLITE_CORRUPT, EUCLEAN }, { SQLITE_NOTADB, EUCLEAN }, { SQLITE_NOMEM, ENOMEM },
	{ SQLITE_READONLY, EROFS }, { SQLITE_PERM, EACCES },	 { SQLITE_AUTH, EACCES },    { SQLITE_CONSTRAINT, EEXIST },
	{ SQLITE_TOOBIG, EFBIG },   { SQLITE_INTERRUPT, EINTR }, { SQLITE_NOLFS, EFBIG },
};

/* SQLite says "cannot open" for a full descriptor table and for a missing directory: the system knows which. */
static int open_errno(struct database *d)
{
	int error = sqlite3_system_errno(d->handle);

	return error > 0 ? -error : -EIO;
}

static void mark_damage(struct database *d)
{
	int fd;

	if (!d->damage_mark)
		return;
	fd = open(d->damage_mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

static int database_errno(struct database *d, int result)
{
	size_t i;

	if ((result & 0xff) != SQLITE_OK)
		log_debug("sqlite: %s (%d)", sqlite3_errmsg(d->handle), result);
	if ((result & 0xff) == SQLITE_CANTOPEN)
		return open_errno(d);
	for (i = 0; i < sizeof error_table / sizeof *error_table; i++)
		if (error_table[i].result == (result & 0xff))
			break;
	if (i == sizeof error_table / sizeof *error_table)
		return -EIO;
	if (error_table[i].error == EUCLEAN)
		mark_damage(d);
	return -error_table[i].error;
}

/* A process-wide count of allocations would be a lock that every thread takes at every row. */
static void configure_once(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_initialize();
	wal_vfs_register();
}

/* SQLite would make it readable by others; its -wal and -shm files copy the mode. */
static int make_private_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int database_open(const char *path, enum database_mode mode, const char *const *sql, size_t n_statements, struct database **ret)
{
	static pthread_once_t configured = PTHREAD_ONCE_INIT;
	int flags = mode == DATABASE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	struct database *d;
	int r;

	pthread_once(&configured, configure_once);
	if (mode == DATABASE_WRITE) {
		r = make_private_file(path);
		if (r < 0)
			return r;
	}
	d = calloc(1, sizeof *d + n_statements * sizeof *d->statements);
	if (!d)
		return -ENOMEM;
	d->sql = sql;
	d->n_statements = n_statements;
	r = database_errno(
		d, sqlite3_open_v2(path, &d->handle, flags | SQLITE_OPEN_NOMUTEX, WAL_VFS)); /* ours alone by store/lock.h */
	if (r < 0) {
		database_close(d);
		return r;
	}
	sqlite3_busy_timeout(d->handle, BUSY_TIMEOUT_MS);
	*ret = d;
	return 0;
}

void database_close(struct database *d)
{
	size_t i;

	if (!d)
		return;
	for (i = 0; i < d->n_statements; i++)
		sqlite3_finalize(d->statements[i]);
	sqlite3_close(d->handle);
	free(d);
}

int database_attach(struct database *d, const char *path, const char *name)
{
	char *sql;
	int r = make_private_file(path);

	if (r < 0)
		return r;
	sql = sqlite3_mprintf("ATTACH %Q AS %Q", path, name);
	r = sql ? database_exec(d, sql) : -ENOMEM;
	sqlite3_free(sql);
	return r;
}

int database_exec(struct database *d, const char *sql)
{
	return database_errno(d, sqlite3_exec(d->handle, sql, NULL, NULL, NULL));
}

int database_ask(struct database *d, const char *sql, struct query *q)
{
	int r;

	q->database = d;
	q->is_extra = true;
	r = database_errno(d, sqlite3_prepare_v2(d->handle, sql, -1, &q->statement, NULL));
	return r < 0 ? r : query_step(q);
}

int database_ask_int(struct database *d, const char *sql, int64_t *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = database_ask(d, sql, &q);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret = query_int(&q, 0);
	return 0;
}

int database_check(struct database *d)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = database_ask(d, "PRAGMA quick_check(1)", &q);

	if (r < 0)
		return r;
	return r == 1 && strcmp(query_text(&q, 0), "ok") == 0 ? 0 : -EUCLEAN;
}

int64_t database_size_bytes(struct database *d)
{
	int64_t pages = 0, page_size = 0;

	if (database_ask_int(d, "PRAGMA page_count", &pages) < 0 || database_ask_int(d, "PRAGMA page_size", &page_size) < 0)
		return 0;
	return pages * page_size;
}

int database_query(struct database *d, size_t which, struct query *q)
{
	sqlite3_stmt **kept = &d->statements[which];
	int r;

	q->database = d;
	q->is_extra = *kept && sqlite3_stmt_busy(*kept);
	if (*kept && !q->is_extra) {
		q->statement = *kept;
		return 0;
	}
	r = database_errno(d, sqlite3_prepare_v3(d->handle, d->sql[which], -1, q->is_extra ? 0 : SQLITE_PREPARE_PERSISTENT,
						 &q->statement, NULL));
	if (r == 0 && !q->is_extra)
		*kept = q->statement;
	return r;
}

void query_release(struct query *q)
{
	if (q->is_extra)
		sqlite3_finalize(q->statement);
	else if (q->statement)
		sqlite3_reset(q->statement);
	if (q->give_back)
		q->give_back(q->owner, q->database);
	*q = QUERY_INIT;
}

void query_bind_int(struct query *q, int parameter, int64_t value)
{
	sqlite3_bind_int64(q->statement, parameter, value);
}

void query_bind_text(struct query *q, int parameter, const char *text)
{
	sqlite3_bind_text(q->statement, parameter, text, -1, SQLITE_STATIC);
}

void query_bind_list(struct query *q, const char *format, va_list parameters)
{
	for (int i = 1; *format; format++, i++)
		if (*format == 'i')
			query_bind_int(q, i, va_arg(parameters, int64_t));
		else
			query_bind_text(q, i, va_arg(parameters, const char *));
}

void query_bind(struct query *q, const char *format, ...)
{
	va_list parameters;

	va_start(parameters, format);
	query_bind_list(q, format, parameters);
	va_end(parameters);
}

int query_step(struct query *q)
{
	int result = sqlite3_step(q->statement);

	if (result == SQLITE_ROW)
		return 1;
	if (result == SQLITE_DONE)
		return 0;
	return database_errno(q->database, result);
}

int query_run(struct query *q)
{
	int r;

	do
		r = query_step(q);
	while (r == 1);
	sqlite3_reset(q->statement);
	return r;
}

int query_run_on_one(struct query *q)
{
	int r = query_run(q);

	if (r < 0)
		return r;
	return sqlite3_changes(q->database->handle) > 0 ? 0 : -ENOENT;
}

int64_t query_int(struct query *q, int column)
{
	return sqlite3_column_int64(q->statement, column);
}

const char *query_text(struct query *q, int column)
{
	return (const char *)sqlite3_column_text(q->statement, column);
}

void query_copy_text(struct query *q, int column, char *out, size_t cap)
{
	const char *text = query_text(q, column);
	size_t len = text ? (size_t)sqlite3_column_bytes(q->statement, column) : 0;

	if (len >= cap)
		len = cap - 1;
	if (len)
		memcpy(out, text, len);
	out[len] = '\0';
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One SQLite connection, its statements prepared once, its errors as -errno. What index and state share.
 *
 * A connection serves one thread at a time: its owner sees to that. Only store/ includes this header.
 */
#ifndef MAILFS_DATABASE_H
#define MAILFS_DATABASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/cleanup.h"

struct database {
	sqlite3 *handle;	/* own */
	const char *const *sql; /* borrowed: the text of each statement */
	size_t n_statements;
	const char *damage_mark;    /* borrowed: a file to make when damage is met; NULL: none */
	sqlite3_stmt *statements[]; /* own; NULL until first used */
};

struct query;

/*
 * One that this process has open already is opened AGAIN: to make it, or look at it, by a descriptor of our own would on its close drop the lock that keeps other
 * processes out (fcntl(2)).
 */
enum database_mode { DATABASE_READ, DATABASE_WRITE, DATABASE_WRITE_AGAIN };

/* DATABASE_WRITE makes the file (0600) when it is missing. -EUCLEAN: it is no database, or a damaged one. */
int database_open(const char *path, enum database_mode mode, const char *const *sql, size_t n_statements, struct database **ret);
void database_close(struct database *d);
/* Makes the file when it is missing; its tables are then `name`.TABLE. */
int database_attach(struct database *d, const char *path, const char *name);

/* Statements without parameters and results, separated by semicolons. */
int database_exec(struct database *d, const char *sql);
/* The first row of a statement that is run once, into a query to release: 1, 0 (none) or -errno. */
int database_ask(struct database *d, const char *sql, struct query *q);
/* Its first column; -ENOENT without a row. */
int database_ask_int(struct database *d, const char *sql, int64_t *ret);
/* PRAGMA quick_check: 0 or -EUCLEAN. Reads everything: for small databases. */
int database_check(struct database *d);
/* The file's size. */
int64_t database_size_bytes(struct database *d);

/* One run of one statement; QUERY_INIT, then database_query(), bind, step; query_release() at the end. */
struct query {
	sqlite3_stmt *statement;
	struct database *database;
	bool is_extra; /* prepared for this run, because the kept one was running already */
	void (*give_back)(void *owner, struct database *d);
	void *owner; /* borrowed; of the connection, when it must go back */
};

#define QUERY_INIT ((struct query){ NULL })

int database_query(struct database *d, size_t which, struct query *q);
void query_release(struct query *q);

/* Parameters count from 1. Texts are borrowed until it is released; NULL binds NULL. */
void query_bind_int(struct query *q, int parameter, int64_t value);
void query_bind_text(struct query *q, int parameter, const char *text);
/* All of them in order: 'i' an int64_t, 't' a text. */
void query_bind(struct query *q, const char *format, ...);
void query_bind_list(struct query *q, const char *format, va_list parameters);
/* 1: a row; 0: no more; -errno. */
int query_step(struct query *q);
/* Runs it to its end and makes it ready for other parameters. 0 or -errno. */
int query_run(struct query *q);
/* The same, and -ENOENT when no row was changed. */
int query_run_on_one(struct query *q);
/* Columns count from 0; valid until the next step. */
int64_t query_int(struct query *q, int column);
const char *query_text(struct query *q, int column);
/* Copies a text into out[cap], cut to fit. */
void query_copy_text(struct query *q, int column, char *out, size_t cap);

static inline void query_cleanup(struct query *q)
{
	query_release(q);
}

#endif

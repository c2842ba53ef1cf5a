/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a transaction adds to SQLite's log goes there at once, and all of it: after each commit the two files, copied as a crash would leave them, hold the
 * same for a SQLite of its own.
 */
#include "unit.h"
#include "scratch.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/wal_vfs.h"

static sqlite3 *open_with(const char *path, const char *vfs)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs), SQLITE_OK);
	return db;
}

static void run(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

static char *ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	char *answer;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	answer = strdup((const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	return answer;
}

static void expect(sqlite3 *db, const char *sql, const char *expected)
{
	char *answer = ask(db, sql);

	assert_string_equal(answer, expected);
	free(answer);
}

static sqlite3 *open_log(void **state)
{
	sqlite3 *db;

	wal_vfs_register();
	db = open_with(scratch_path(state, "db"), WAL_VFS);
	/* So little memory that a transaction's pages leave it before its end, and are written over in the log. */
	run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = 10; PRAGMA wal_autocheckpoint = 100;"
		"CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT); CREATE INDEX i ON t (v);");
	return db;
}

static void copy_file(void **state, const char *from, const char *to)
{
	int in = open(scratch_path(state, from), O_RDONLY), out = open(scratch_path(state, to), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char data[65536];
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, data, sizeof data)) > 0)
		assert_int_equal(write(out, data, (size_t)n), n);
	close(in);
	close(out);
}

static const char everything[] =
	"SELECT count(*) || ' ' || ifnull(sum(length(v)), 0) || ' ' || ifnull(group_concat(substr(v, 1, 3)), '') FROM t";

/* A crash now: what was committed is there, and nothing else. */
static void expect_survives(void **state, const char *expected)
{
	sqlite3 *crashed;

	copy_file(state, "db", "crashed");
	copy_file(state, "db-wal", "crashed-wal");
	crashed = open_with(scratch_path(state, "crashed"), "unix");
	expect(crashed, "PRAGMA integrity_check", "ok");
	expect(crashed, everything, expected);
	sqlite3_close(crashed);
	unlink(scratch_path(state, "crashed-shm"));
}

static long writes_so_far(void)
{
	FILE *io = fopen("/proc/self/io", "r");
	char line[128];
	long n = -1;

	while (io && fgets(line, sizeof line, io))
		sscanf(line, "syscw: %ld", &n);
	if (io)
		fclose(io);
	return n;
}

static void a_transaction_of_many_pages_is_one_write(void **state)
{
	sqlite3 *db = open_log(state);
	long before;

	run(db, "PRAGMA cache_size = 1000; WITH RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 300)"
		" INSERT INTO t SELECT k, printf('%.300c', char(97 + k % 26)) FROM n;");
	before = writes_so_far();
	if (before < 0)
		skip();
	run(db, "UPDATE t SET v = 'changed' || v WHERE k % 60 = 1");
	assert_in_range(writes_so_far() - before, 1, 4);
	sqlite3_close(db);
}

/* A little, or more than memory holds. (No savepoints: after ROLLBACK TO, SQLite 3.40.1 damages such a database under its own VFS, too; mailfs uses none.) */
static void change_at_random(sqlite3 *db, unsigned *seed)
{
	char sql[512];

	if (rand_r(seed) % 2)
		snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO t VALUES (%d, 'few')", rand_r(seed) % 500);
	else
		snprintf(sql, sizeof sql,
			 "WITH RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < %d)"
			 " INSERT OR REPLACE INTO t SELECT (k * %d) %% 500, printf('%%.*c', %d, char(97 + k %% 26)) FROM n;"
			 "DELETE FROM t WHERE k %% %d = 0",
			 rand_r(seed) % 300 + 1, rand_r(seed) % 7 + 1, rand_r(seed) % 700 + 3, rand_r(seed) % 9 + 2);
	run(db, sql);
}

static void what_was_committed_is_in_the_files_and_nothing_else(void **state)
{
	sqlite3 *db = open_log(state), *reader = open_with(scratch_path(state, "db"), WAL_VFS);
	unsigned seed = 1;

	for (int i = 0; i < 200; i++) {
		char *before = ask(db, everything), *after;
		bool stays = rand_r(&seed) % 4;

		run(db, "BEGIN IMMEDIATE");
		for (int n = rand_r(&seed) % 4; n >= 0; n--)
			change_at_random(db, &seed);
		after = ask(db, stays ? everything : "SELECT 0"); /* it reads back what it has written */
		expect(reader, everything, before);
		if (rand_r(&seed) % 4 == 0)
			expect_survives(state, before);
		run(db, stays ? "COMMIT" : "ROLLBACK");
		/* Before this connection reads anything, which would write what it has kept. */
		expect_survives(state, stays ? after : before);
		expect(reader, everything, stays ? after : before);
		if (rand_r(&seed) % 10 == 0)
			run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
		free(before);
		free(after);
	}
	sqlite3_close(reader);
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_transaction_of_many_pages_is_one_write),
		scratch_test(what_was_committed_is_in_the_files_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

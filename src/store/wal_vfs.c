/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/wal_vfs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * SQLite writes each frame of its log in two pieces, a header and a page (sqlite.org/fileformat2.html#walformat), with a system call each: two dozen for a
 * change that touches a dozen pages, a third of what it costs. Here pieces that follow each other at the end of the log wait for the last page of their
 * transaction, whose frame bears the commit mark. Nobody looks for them before that: other connections read what was committed, and what this one reads
 * back, syncs or cuts is written first.
 */
enum { HEADER_BYTES = 24, COMMIT_MARK_AT = 4, COMMIT_MARK_BYTES = 4, WAITING_MAX = 64 << 10 };

struct wal_file {
	sqlite3_file base; /* first */
	sqlite3_int64 end; /* of what SQLite wrote last: where a frame is appended, not written over */
	int n_waiting;	   /* bytes, in front of `end` */
	bool is_commit;	   /* the last header's frame ends a transaction */
	char *waiting;	   /* own; WAITING_MAX of them */
};

static sqlite3_vfs *below; /* SQLite's own */

/* SQLite's own file stands behind ours. */
static sqlite3_file *own(sqlite3_file *file)
{
	return (sqlite3_file *)((struct wal_file *)file + 1);
}

static int flush(sqlite3_file *file)
{
	struct wal_file *f = (struct wal_file *)file;
	int n = f->n_waiting;

	f->n_waiting = 0;
	return n ? own(file)->pMethods->xWrite(own(file), f->waiting, n, f->end - n) : SQLITE_OK;
}

static bool has_commit_mark(const void *header)
{
	static const char none[COMMIT_MARK_BYTES];

	return memcmp((const char *)header + COMMIT_MARK_AT, none, COMMIT_MARK_BYTES) != 0;
}

static int wal_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 at)
{
	struct wal_file *f = (struct wal_file *)file;
	bool is_appended = at == f->end, is_header = n == HEADER_BYTES;
	int r = SQLITE_OK;

	if (!is_appended || f->n_waiting + n > WAITING_MAX)
		r = flush(file);
	f->end = at + n;
	if (r != SQLITE_OK)
		return r;
	if (!is_appended || n > WAITING_MAX || (!is_header && !f->n_waiting))
		return own(file)->pMethods->xWrite(own(file), data, n, at);
	memcpy(f->waiting + f->n_waiting, data, (size_t)n);
	f->n_waiting += n;
	if (is_header)
		f->is_commit = has_commit_mark(data);
	return is_header || !f->is_commit ? SQLITE_OK : flush(file);
}

static int wal_close(sqlite3_file *file)
{
	int r = flush(file), closed = own(file)->pMethods->xClose(own(file));

	free(((struct wal_file *)file)->waiting);
	return r != SQLITE_OK ? r : closed;
}

static int wal_read(sqlite3_file *file, void *data, int n, sqlite3_int64 at)
{
	int r = flush(file);

	return r != SQLITE_OK ? r : own(file)->pMethods->xRead(own(file), data, n, at);
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int r = flush(file);

	return r != SQLITE_OK ? r : own(file)->pMethods->xTruncate(own(file), size);
}

static int wal_sync(sqlite3_file *file, int flags)
{
	int r = flush(file);

	return r != SQLITE_OK ? r : own(file)->pMethods->xSync(own(file), flags);
}

static int wal_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	int r = flush(file);

	return r != SQLITE_OK ? r : own(file)->pMethods->xFileSize(own(file), ret);
}

static int wal_lock(sqlite3_file *file, int lock)
{
	return own(file)->pMethods->xLock(own(file), lock);
}

static int wal_unlock(sqlite3_file *file, int lock)
{
	return own(file)->pMethods->xUnlock(own(file), lock);
}

static int wal_check_reserved_lock(sqlite3_file *file, int *ret)
{
	return own(file)->pMethods->xCheckReservedLock(own(file), ret);
}

static int wal_control(sqlite3_file *file, int what, void *argument)
{
	return own(file)->pMethods->xFileControl(own(file), what, argument);
}

static int wal_sector_size(sqlite3_file *file)
{
	return own(file)->pMethods->xSectorSize(own(file));
}

static int wal_characteristics(sqlite3_file *file)
{
	return own(file)->pMethods->xDeviceCharacteristics(own(file));
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = wal_close,
	.xRead = wal_read,
	.xWrite = wal_write,
	.xTruncate = wal_truncate,
	.xSync = wal_sync,
	.xFileSize = wal_size,
	.xLock = wal_lock,
	.xUnlock = wal_unlock,
	.xCheckReservedLock = wal_check_reserved_lock,
	.xFileControl = wal_control,
	.xSectorSize = wal_sector_size,
	.xDeviceCharacteristics = wal_characteristics,
};

/* Only the log's file is ours; all others SQLite opens in the same room itself. */
static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	struct wal_file *f = (struct wal_file *)file;
	int r;

	(void)vfs;
	if (!(flags & SQLITE_OPEN_WAL))
		return below->xOpen(below, name, file, flags, ret_flags);
	*f = (struct wal_file){ .end = -1, .waiting = malloc(WAITING_MAX) };
	if (!f->waiting)
		return SQLITE_NOMEM;
	r = below->xOpen(below, name, own(file), flags, ret_flags);
	if (r == SQLITE_OK)
		f->base.pMethods = &methods;
	else
		free(f->waiting);
	return r;
}

static sqlite3_vfs vfs;

static void make(void)
{
	/* Locks a database's files once for this process, not at each statement (sqlite.org/vfs.html). */
	below = sqlite3_vfs_find("unix-excl");
	if (!below)
		return;
	vfs = *below;
	vfs.zName = WAL_VFS;
	vfs.szOsFile = (int)sizeof(struct wal_file) + below->szOsFile;
	vfs.xOpen = open_file;
	sqlite3_vfs_register(&vfs, 0);
}

void wal_vfs_register(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make);
}

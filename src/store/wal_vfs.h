/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VFS for SQLite (sqlite.org/vfs.html) whose database files are this process's alone, and which writes what a transaction adds to the log at once.
 */
#ifndef MAILFS_WAL_VFS_H
#define MAILFS_WAL_VFS_H

#include <sqlite3.h>

#define WAL_VFS "mailfs"

/* Before a database is opened with it. Again: nothing. */
void wal_vfs_register(void);

#endif

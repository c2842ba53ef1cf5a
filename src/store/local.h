/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local files: bytes that were written into a folder and are on no server (yet), STATE/files/ROW, and the list of them in the journal's database, so
 * that they outlive the cache. Scratch files, messages on their way, and directories of scratch.
 *
 * The list's calls need a transaction of the index, like the journal's; those on bytes are any thread's.
 */
#ifndef MAILFS_LOCAL_H
#define MAILFS_LOCAL_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/index.h"

struct local_files;

/* Of a file, or of a directory (then without mode, mtime and flags). */
struct local_entry {
	int64_t row;
	int64_t directory; /* the row of the local directory that it is in; 0: in a folder of the server's */
	char *wire; /* own; that folder's wire name as the tree shows it, renamed on the server or not yet; "": the root, or in a local directory */
	char name[NAME_MAX + 1];
	uint32_t mode;	    /* 0: the usual one */
	int64_t mtime_ns;   /* 0: not set */
	int64_t size_bytes; /* of what is to be uploaded; 0: nothing yet */
	char *flags;	    /* own; canonical */
};

int local_files_open(const char *state_dir, struct local_files **ret);
void local_files_close(struct local_files *l);

/* An empty file, read-write; *ret_fd own. Bytes that were there under this row are gone. */
int local_file_make(struct local_files *l, int64_t row, int *ret_fd);
/* -ENOENT. */
int local_file_open(struct local_files *l, int64_t row, int flags, int *ret_fd);
/* All that was written to any of them is on the disk when it returns. */
int local_files_sync(struct local_files *l);
/* Bytes; 0 when there is none. */
int64_t local_file_size(struct local_files *l, int64_t row);
void local_file_unlink(struct local_files *l, int64_t row);
/* Another file for the same row: made empty beside it, read-write; it takes the place of the old one when that is told. */
int local_file_begin(struct local_files *l, int64_t row, int *ret_fd);
int local_file_replace(struct local_files *l, int64_t row);
/* The bytes belong to another row, too, until either is unlinked. */
int local_file_link(struct local_files *l, int64_t from, int64_t to);
/* Removes the bytes of rows that `is_wanted` does not know. */
int local_files_sweep(struct local_files *l, bool (*is_wanted)(void *userdata, int64_t row), void *userdata);

int local_put(struct index *ix, const struct local_entry *e);
/* -ENOENT. Release *ret. */
int local_get(struct index *ix, int64_t row, struct local_entry *ret);
int local_remove(struct index *ix, int64_t row);
int local_put_directory(struct index *ix, const struct local_entry *e);
int local_remove_directory(struct index *ix, int64_t row);
/* A folder is shown under another name on the wire, and those below it: what is in them goes with them. */
int local_rename_folder(struct index *ix, const char *from, const char *to, char delimiter);
/* In the order of rows: a directory before what is in it. Borrowed; 0 to go on, or -errno. Each may change the index. */
typedef int local_each(void *userdata, const struct local_entry *e);
int local_each_file(struct index *ix, local_each *each, void *userdata);
int local_each_directory(struct index *ix, local_each *each, void *userdata);

void local_entry_release(struct local_entry *e);

static inline void local_entry_cleanup(struct local_entry *e)
{
	local_entry_release(e);
}

#endif

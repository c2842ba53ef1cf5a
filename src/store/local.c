/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/durable.h"
#include "store/index_private.h"

struct local_files {
	int dirfd; /* own */
};

enum { LOCAL_NAME_MAX = 24 };

static void file_name(int64_t row, char out[LOCAL_NAME_MAX])
{
	snprintf(out, LOCAL_NAME_MAX, "%" PRId64, row);
}

int local_files_open(const char *state_dir, struct local_files **ret)
{
	struct local_files *l = calloc(1, sizeof *l);
	CLEANUP(buf) struct buf path = BUF_INIT;
	int r = l ? buf_printf(&path, "%s/files", state_dir) : -ENOMEM;

	if (r == 0)
		r = directory_make(buf_str(&path));
	if (r == 0) {
		l->dirfd = open(buf_str(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		r = l->dirfd < 0 ? -errno : 0;
	}
	if (r < 0) {
		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void local_files_close(struct local_files *l)
{
	if (!l)
		return;
	close(l->dirfd);
	free(l);
}

/* What was there may have another name by now, and is not to be cut under that. */
int local_file_make(struct local_files *l, int64_t row, int *ret_fd)
{
	local_file_unlink(l, row);
	return local_file_open(l, row, O_RDWR | O_CREAT | O_EXCL, ret_fd);
}

int local_file_open(struct local_files *l, int64_t row, int flags, int *ret_fd)
{
	char name[LOCAL_NAME_MAX];
	int fd;

	file_name(row, name);
	fd = openat(l->dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* One call for however many files there are. */
int local_files_sync(struct local_files *l)
{
	return syncfs(l->dirfd) < 0 ? -errno : 0;
}

int64_t local_file_size(struct local_files *l, int64_t row)
{
	char name[LOCAL_NAME_MAX];
	struct stat st;

	file_name(row, name);
	return fstatat(l->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_size;
}

void local_file_unlink(struct local_files *l, int64_t row)
{
	char name[LOCAL_NAME_MAX];

	file_name(row, name);
	unlinkat(l->dirfd, name, 0);
}

static void new_name(int64_t row, char out[LOCAL_NAME_MAX])
{
	snprintf(out, LOCAL_NAME_MAX, "%" PRId64 ".n", row);
}

int local_file_begin(struct local_files *l, int64_t row, int *ret_fd)
{
	char name[LOCAL_NAME_MAX];
	int fd;

	new_name(row, name);
	fd = openat(l->dirfd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int local_file_replace(struct local_files *l, int64_t row)
{
	char from[LOCAL_NAME_MAX], to[LOCAL_NAME_MAX];

	new_name(row, from);
	file_name(row, to);
	return renameat(l->dirfd, from, l->dirfd, to) < 0 ? -errno : 0;
}

int local_file_link(struct local_files *l, int64_t from, int64_t to)
{
	char from_name[LOCAL_NAME_MAX], to_name[LOCAL_NAME_MAX];

	file_name(from, from_name);
	file_name(to, to_name);
	unlinkat(l->dirfd, to_name, 0);
	return linkat(l->dirfd, from_name, l->dirfd, to_name, 0) < 0 ? -errno : 0;
}

int local_files_sweep(struct local_files *l, bool (*is_wanted)(void *userdata, int64_t row), void *userdata)
{
	int fd = openat(l->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		char *end;
		int64_t row = strtoll(entry->d_name, &end, 10);

		if (row > 0 && (*end || !is_wanted(userdata, row)))
			unlinkat(l->dirfd, entry->d_name, 0);
	}
	closedir(d);
	return 0;
}

void local_entry_release(struct local_entry *e)
{
	free(e->wire);
	free(e->flags);
	e->wire = e->flags = NULL;
}

int local_put(struct index *ix, const struct local_entry *e)
{
	return index_run(ix, FILE_PUT, "iittiiti", e->row, e->directory, e->wire ? e->wire : "", e->name, (int64_t)e->mode,
			 e->mtime_ns, e->flags ? e->flags : "", e->size_bytes);
}

int local_remove(struct index *ix, int64_t row)
{
	return index_run(ix, FILE_REMOVE, "i", row);
}

int local_put_directory(struct index *ix, const struct local_entry *e)
{
	return index_run(ix, DIRECTORY_PUT, "iitt", e->row, e->directory, e->wire ? e->wire : "", e->name);
}

int local_remove_directory(struct index *ix, int64_t row)
{
	return index_run(ix, DIRECTORY_REMOVE, "i", row);
}

int local_rename_folder(struct index *ix, const char *from, const char *to, char delimiter)
{
	int r = journal_rename_in(ix, "file", from, to, delimiter);

	return r < 0 ? r : journal_rename_in(ix, "directory", from, to, delimiter);
}

/* The first row of a query, as the caller's own. */
static int take(struct index *ix, enum index_statement which, int64_t key, struct local_entry *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_write(ix, which, &q);

	if (r < 0)
		return r;
	query_bind(&q, "i", key);
	r = query_step(&q);
	if (r <= 0)
		return r < 0 ? index_written(ix, r) : -ENOENT;
	*ret = (struct local_entry){ .row = query_int(&q, 0), .directory = query_int(&q, 1), .wire = strdup(query_text(&q, 2)) };
	query_copy_text(&q, 3, ret->name, sizeof ret->name);
	if (which != DIRECTORY_EACH) {
		ret->mode = (uint32_t)query_int(&q, 4);
		ret->mtime_ns = query_int(&q, 5);
		ret->flags = strdup(query_text(&q, 6));
		ret->size_bytes = query_int(&q, 7);
	}
	if (ret->wire && (ret->flags || which == DIRECTORY_EACH))
		return 0;
	local_entry_release(ret);
	return -ENOMEM;
}

int local_get(struct index *ix, int64_t row, struct local_entry *ret)
{
	return take(ix, FILE_GET, row, ret);
}

static int each_of(struct index *ix, enum index_statement which, local_each *each, void *userdata)
{
	struct local_entry e = { 0 };
	int64_t after = 0;
	int r;

	while ((r = take(ix, which, after, &e)) == 0) {
		after = e.row;
		r = each(userdata, &e);
		local_entry_release(&e);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

int local_each_file(struct index *ix, local_each *each, void *userdata)
{
	return each_of(ix, FILE_EACH, each, userdata);
}

int local_each_directory(struct index *ix, local_each *each, void *userdata)
{
	return each_of(ix, DIRECTORY_EACH, each, userdata);
}

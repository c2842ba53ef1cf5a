/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The durable steps of an entry, in their order. `;` stands between what a kill -9 or a power cut may separate.
 *
 *   create    mkdir ID; `message`, empty; `entry`, state writing. Nothing is fsynced: what is lost with a power cut is what a local
 *             file that nobody synced loses. Found at the next start, such an entry is scratch, under NAME.partial unless the name is scratch or it is empty.
 *   commit    fsync `message`; replace `entry` (state queued or held, or place failed with the reason); fsync STATE/outbox. Before the replacement it is
 *             still `writing`; after it, it is queued, and close(2) has not returned 0 before the last fsync.
 *   attempt   prepare into a file without a name; MAIL, RCPT, DATA, all but the final dot; fsync the mark dot.N, N being `attempts` + 1; the dot;
 *             the verdict; replace `entry` with the verdict in it and `attempts` = N. So a queued entry with the mark of the attempt to come was cut off when
 *             the server may have taken it: uncertain. Without the mark nothing was decided: it is tried again. A verdict makes
 *             its own mark meaningless in the same step that records it; the file is removed later, at leisure.
 *   accepted  `entry` in state sent (that was the verdict); the copy is filed, its owner searching for the Message-ID first; the key is recorded
 *             in the state database; the directory is removed. Each of them is repeated after a crash and does nothing the second time.
 *             Until the key is in the database, the entry itself is the record of what was sent.
 *   partly    Some recipients took it, others will later: `entry` in state retry with only those left and the copy due; the copy; `entry` with the copy done.
 *   refused   `entry` in place failed with its recipients, the server's words for each, and the notice due (that was the verdict); the notice is filed in
 *             the inbox, its owner searching for its Message-ID first; `entry` with none due.
 *   removal   rename ID to gone-ID; fsync STATE/outbox; unlink what is in it. A gone-ID found at start is finished off.
 *   over      A rename over another entry: replace `entry` with the new name and `replaces` = that one's ID; remove that one. Found at start, its
 *             removal is done before anything is sent.
 */
#include "outbox/entry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "store/durable.h"

enum { ENTRY_NAME_SIZE = 32, RECORD_MAX_BYTES = 16 * 1024 * 1024 };

static const char message_file[] = "message";
static const char record_file[] = "entry";
static const char gone_prefix[] = "gone-";

static int open_directory(int outbox_dirfd, int64_t id, int *ret_fd)
{
	char name[ENTRY_NAME_SIZE];
	int fd;

	snprintf(name, sizeof name, "%" PRId64, id);
	fd = openat(outbox_dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static void file_path(int64_t id, const char *file, char out[ENTRY_NAME_SIZE * 2])
{
	snprintf(out, ENTRY_NAME_SIZE * 2, "%" PRId64 "/%s", id, file);
}

static void dot_name(int attempt, char out[ENTRY_NAME_SIZE])
{
	snprintf(out, ENTRY_NAME_SIZE, "dot.%d", attempt);
}

/* The first record needs no care: an entry that nobody committed is scratch whatever it says. */
static int write_first_record(int dirfd, const struct record *r)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	CLEANUP(fd) int fd = -1;
	ssize_t n;
	int e = record_format(r, &text);

	if (e < 0)
		return e;
	fd = openat(dirfd, record_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = write(fd, text.data, text.len);
	if (n < 0)
		return -errno;
	return (size_t)n == text.len ? 0 : -ENOSPC;
}

static int fill_new_directory(int outbox_dirfd, int64_t id, const struct record *r, int *ret_fd)
{
	CLEANUP(fd) int dirfd = -1;
	CLEANUP(fd) int fd = -1;
	int e = open_directory(outbox_dirfd, id, &dirfd);

	if (e < 0)
		return e;
	fd = openat(dirfd, message_file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	fault_point("create: before its record");
	e = write_first_record(dirfd, r);
	if (e < 0)
		return e;
	fault_point("create: made");
	*ret_fd = steal_fd(&fd);
	return 0;
}

int entry_make(int outbox_dirfd, int64_t id, const struct record *r, int *ret_fd)
{
	char name[ENTRY_NAME_SIZE];
	int e;

	snprintf(name, sizeof name, "%" PRId64, id);
	if (mkdirat(outbox_dirfd, name, 0700) < 0)
		return -errno;
	fault_point("create: directory without files");
	e = fill_new_directory(outbox_dirfd, id, r, ret_fd);
	if (e < 0)
		entry_sweep(outbox_dirfd, name);
	return e;
}

int entry_open_message(int outbox_dirfd, int64_t id, int flags, int *ret_fd)
{
	char path[ENTRY_NAME_SIZE * 2];
	int fd;

	file_path(id, message_file, path);
	fd = openat(outbox_dirfd, path, flags | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int entry_stat_message(int outbox_dirfd, int64_t id, struct stat *ret)
{
	char path[ENTRY_NAME_SIZE * 2];
	struct stat st;

	file_path(id, message_file, path);
	if (fstatat(outbox_dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret = st;
	return 0;
}

int entry_set_times(int outbox_dirfd, int64_t id, const struct timespec *mtime)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, *mtime };
	char path[ENTRY_NAME_SIZE * 2];

	file_path(id, message_file, path);
	return utimensat(outbox_dirfd, path, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int entry_save(int outbox_dirfd, int64_t id, const struct record *r)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	CLEANUP(fd) int dirfd = -1;
	int e = record_format(r, &text);

	if (!e)
		e = open_directory(outbox_dirfd, id, &dirfd);
	return e < 0 ? e : durable_write(dirfd, record_file, text.data, text.len);
}

int entry_load(int outbox_dirfd, int64_t id, struct record *ret)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	CLEANUP(fd) int dirfd = -1;
	int e = open_directory(outbox_dirfd, id, &dirfd);

	if (!e)
		e = durable_read(dirfd, record_file, RECORD_MAX_BYTES, &text);
	return e < 0 ? e : record_parse(buf_str(&text), text.len, ret);
}

int entry_publish(int outbox_dirfd, int64_t id, const struct record *r)
{
	CLEANUP(fd) int fd = -1;
	int e = entry_open_message(outbox_dirfd, id, O_RDONLY, &fd);

	if (e < 0)
		return e;
	if (fsync(fd) < 0)
		return -errno;
	fault_point("publish: before the record");
	e = entry_save(outbox_dirfd, id, r);
	if (e < 0)
		return e;
	fault_point("publish: before the directory's fsync");
	return fsync(outbox_dirfd) < 0 ? -errno : 0;
}

int entry_mark_dot(int outbox_dirfd, int64_t id, int attempt)
{
	CLEANUP(fd) int dirfd = -1;
	CLEANUP(fd) int fd = -1;
	char name[ENTRY_NAME_SIZE];
	int e = open_directory(outbox_dirfd, id, &dirfd);

	if (e < 0)
		return e;
	dot_name(attempt, name);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	fault_point("send: mark made");
	/* An empty file is its name: the directory's fsync is what counts. */
	if (fsync(dirfd) == 0)
		return 0;
	e = -errno;
	/* The dot stays here: after a crash a mark must not say that it may have gone out. */
	unlinkat(dirfd, name, 0);
	return e;
}

bool entry_has_dot(int outbox_dirfd, int64_t id, int attempt)
{
	char name[ENTRY_NAME_SIZE], path[ENTRY_NAME_SIZE * 2];

	dot_name(attempt, name);
	file_path(id, name, path);
	return faccessat(outbox_dirfd, path, F_OK, 0) == 0;
}

void entry_clear_dot(int outbox_dirfd, int64_t id, int attempt)
{
	char name[ENTRY_NAME_SIZE], path[ENTRY_NAME_SIZE * 2];

	dot_name(attempt, name);
	file_path(id, name, path);
	unlinkat(outbox_dirfd, path, 0);
}

int entry_remove(int outbox_dirfd, int64_t id)
{
	char name[ENTRY_NAME_SIZE], gone[ENTRY_NAME_SIZE * 2];
	int e;

	snprintf(name, sizeof name, "%" PRId64, id);
	snprintf(gone, sizeof gone, "%s%s", gone_prefix, name);
	e = durable_rename(outbox_dirfd, name, outbox_dirfd, gone);
	if (e < 0)
		return e;
	fault_point("remove: renamed");
	entry_sweep(outbox_dirfd, gone);
	return 0;
}

void entry_sweep(int outbox_dirfd, const char *name)
{
	struct dirent *file;
	DIR *dir;
	int fd = openat(outbox_dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((file = readdir(dir))) {
		unlinkat(fd, file->d_name, 0);
		fault_point("remove: in the middle");
	}
	closedir(dir);
	unlinkat(outbox_dirfd, name, AT_REMOVEDIR);
}

int64_t entry_id_of(const char *name, bool *ret_is_gone)
{
	size_t prefix_len = strlen(gone_prefix);
	bool is_gone = !strncmp(name, gone_prefix, prefix_len);
	const char *digits = is_gone ? name + prefix_len : name;

	if (!*digits || strlen(digits) > 18 || digits[strspn(digits, "0123456789")] || *digits == '0')
		return 0;
	*ret_is_gone = is_gone;
	return strtoll(digits, NULL, 10);
}

int entry_temporary(int outbox_dirfd, int64_t id, int *ret_fd)
{
	static const char name[] = "prepared";
	CLEANUP(fd) int dirfd = -1;
	int fd, e = open_directory(outbox_dirfd, id, &dirfd);

	if (e < 0)
		return e;
	fd = openat(dirfd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	fault_point("prepare: named");
	unlinkat(dirfd, name, 0);
	*ret_fd = fd;
	return 0;
}

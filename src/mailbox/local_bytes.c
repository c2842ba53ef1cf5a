/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/local_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message/mime.h"

enum { HEAD_BYTES = 64 * 1024, SMALL_BYTES = 64 * 1024 };

/* A file's bytes. A large one is mapped, and costs no memory; to take a map away again stops every thread, which for a small one is longer than to read it. */
struct view {
	const char *data;
	size_t len;
	bool is_mapped;
};

static void view_cleanup(struct view *v)
{
	if (v->is_mapped)
		munmap((void *)v->data, v->len);
	else
		free((void *)v->data);
}

/* All of it: what is read short would be taken for the message. */
static int read_all(int fd, char *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = pread(fd, data + at, len - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

static int view_read(int fd, size_t len, struct view *ret)
{
	char *data = malloc(len);
	int r = data ? read_all(fd, data, len) : -ENOMEM;

	if (r == 0)
		*ret = (struct view){ .data = data, .len = len };
	else
		free(data);
	return r;
}

static int view_map(int fd, size_t len, struct view *ret)
{
	void *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);

	if (data == MAP_FAILED)
		return -errno;
	*ret = (struct view){ .data = data, .len = len, .is_mapped = true };
	return 0;
}

static int view_open(int fd, struct view *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!st.st_size)
		return 0;
	return (st.st_size <= SMALL_BYTES ? view_read : view_map)(fd, (size_t)st.st_size, ret);
}

/* The first line end that is a bare LF; NULL: none. */
static const char *bare_lf(const char *from, const struct view *v)
{
	const char *end = v->data + v->len;

	while (from < end && (from = memchr(from, '\n', (size_t)(end - from)))) {
		if (from == v->data || from[-1] != '\r')
			return from;
		from++;
	}
	return NULL;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The same with CRLF for each bare LF (RFC 5322 2.1), in a file of its own that then takes the name: who has the old one open reads on in it. */
static int make_crlf(struct local_files *files, int64_t row, const struct view *v, const char *lf)
{
	CLEANUP(fd) int fd = -1;
	const char *from = v->data, *end = v->data + v->len;
	int r = local_file_begin(files, row, &fd);

	for (; r == 0 && lf; lf = bare_lf(from, v)) {
		r = write_all(fd, from, (size_t)(lf - from));
		if (r == 0)
			r = write_all(fd, "\r\n", 2);
		from = lf + 1;
	}
	if (r == 0)
		r = write_all(fd, from, (size_t)(end - from));
	return r < 0 ? r : local_file_replace(files, row);
}

int local_bytes_make_message(struct local_files *files, int64_t row)
{
	CLEANUP(fd) int fd = -1;
	CLEANUP(view) struct view v = { 0 };
	const char *lf;
	int r = local_file_open(files, row, O_RDONLY, &fd);

	if (r == 0)
		r = view_open(fd, &v);
	lf = r == 0 && v.len ? bare_lf(v.data, &v) : NULL;
	return lf ? make_crlf(files, row, &v, lf) : r;
}

int local_bytes_measure(struct local_files *files, int64_t row, int64_t *ret_size_bytes)
{
	CLEANUP(fd) int fd = -1;
	CLEANUP(view) struct view v = { 0 };
	int64_t n_bare = 0;
	int r = local_file_open(files, row, O_RDONLY, &fd);

	if (r == 0)
		r = view_open(fd, &v);
	if (r == 0 && !message_is_plausible(v.data, v.len < HEAD_BYTES ? v.len : HEAD_BYTES))
		r = -EINVAL;
	if (r < 0)
		return r;
	for (const char *lf = v.data - 1; (lf = bare_lf(lf + 1, &v));)
		n_bare++;
	*ret_size_bytes = (int64_t)v.len + n_bare;
	return 0;
}

/* Whether the bytes go on so; *at then goes behind them. */
static bool go_on_with(const struct view *v, size_t *at, const char *data, size_t len)
{
	if (len > v->len - *at || memcmp(v->data + *at, data, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool make_same(const struct view *written, const struct view *stored)
{
	const char *from = written->data, *end = from + written->len, *lf;
	size_t at = 0;

	for (; (lf = bare_lf(from, written)); from = lf + 1)
		if (!go_on_with(stored, &at, from, (size_t)(lf - from)) || !go_on_with(stored, &at, "\r\n", 2))
			return false;
	return go_on_with(stored, &at, from, (size_t)(end - from)) && at == stored->len;
}

bool local_bytes_make_same(int written, int stored)
{
	CLEANUP(view) struct view w = { 0 }, s = { 0 };

	return view_open(written, &w) == 0 && view_open(stored, &s) == 0 && w.len && s.len && make_same(&w, &s);
}

int local_bytes_copy(int from, int to)
{
	CLEANUP(view) struct view v = { 0 };
	int r = view_open(from, &v);

	return r < 0 ? r : write_all(to, v.data, v.len);
}

bool local_bytes_hold_nul(int fd)
{
	CLEANUP(view) struct view v = { 0 };

	return view_open(fd, &v) == 0 && v.len && memchr(v.data, '\0', v.len);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "net/secret_source.h"

enum { COMMAND_LIMIT_S = 60 };

/* Memory that is not swapped (as far as the limits allow), not dumped, and wiped before it is given back. */
struct secret_memory {
	char *data; /* own; NULL: none */
	size_t cap;
};

struct secret {
	char *what;    /* own */
	char *command; /* own */
	char *file;    /* own */
	int command_limit_s;
	pthread_mutex_t lock;
	struct secret_memory known; /* lock; from the configuration or the terminal; ends in NUL */
};

static int secret_memory_init(struct secret_memory *m, size_t cap)
{
	void *data = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED)
		return -ENOMEM;
	madvise(data, cap, MADV_DONTDUMP);
	mlock(data, cap);
	m->data = data;
	m->cap = cap;
	return 0;
}

static void secret_memory_release(struct secret_memory *m)
{
	if (!m->data)
		return;
	explicit_bzero(m->data, m->cap);
	munmap(m->data, m->cap);
	*m = (struct secret_memory){ NULL, 0 };
}

static void secret_memory_cleanup(struct secret_memory *m)
{
	secret_memory_release(m);
}

DEFINE_CLEANUP(secret, struct secret *, secret_free)

static int copy_text(const char *text, char **ret)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int remember(struct secret *s, const char *data, size_t len)
{
	int r = secret_memory_init(&s->known, len + 1);

	if (r < 0)
		return r;
	memcpy(s->known.data, data, len);
	return 0;
}

int secret_new(const struct secret_source *source, const char *what, struct secret **ret)
{
	CLEANUP(secret) struct secret *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->command_limit_s = COMMAND_LIMIT_S;
	r = copy_text(what, &s->what);
	if (r < 0)
		return r;
	r = copy_text(source->command, &s->command);
	if (r < 0)
		return r;
	r = copy_text(source->file, &s->file);
	if (r < 0)
		return r;
	if (source->literal && !s->command && !s->file)
		r = remember(s, source->literal, strlen(source->literal));
	if (r < 0)
		return r;
	*ret = steal_pointer(&s);
	return 0;
}

void secret_free(struct secret *s)
{
	if (!s)
		return;
	secret_memory_release(&s->known);
	pthread_mutex_destroy(&s->lock);
	free(s->what);
	free(s->command);
	free(s->file);
	free(s);
}

void secret_set_command_limit(struct secret *s, int limit_s)
{
	s->command_limit_s = limit_s;
}

/* The length of the first line, its end left out; what comes behind it is notes (pass(1) keeps some there). */
static size_t first_line(const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);

	if (end)
		len = (size_t)(end - data);
	if (len && data[len - 1] == '\r')
		len--;
	return len;
}

/* 0 with the length of the secret at the head of `data`, or -EACCES. */
static int check_line(const struct secret *s, const char *source, const char *data, size_t len, size_t *ret_len, struct buf *why)
{
	len = first_line(data, len);
	if (!len) {
		buf_printf(why, "%s: %s gave an empty first line", s->what, source);
		return -EACCES;
	}
	if (memchr(data, '\0', len)) {
		buf_printf(why, "%s: %s gave a line with a NUL byte in it", s->what, source);
		return -EACCES;
	}
	*ret_len = len;
	return 0;
}

static int ask(struct secret *s, struct buf *why)
{
	CLEANUP(secret_memory) struct secret_memory m = { NULL, 0 };
	CLEANUP(buf) struct buf how = BUF_INIT;
	size_t len;
	ssize_t n;
	int r;

	if (secret_memory_init(&m, SECRET_MAX_BYTES) < 0)
		return -ENOMEM;
	n = secret_source_terminal(s->what, m.data, &how);
	if (n < 0) {
		buf_printf(why, "%s: %s", s->what, buf_str(&how));
		return (int)n;
	}
	r = check_line(s, "the terminal", m.data, (size_t)n, &len, why);
	return r < 0 ? r : remember(s, m.data, len);
}

/* With the lock held. */
static int prepare(struct secret *s, struct buf *why)
{
	return s->command || s->file || s->known.data ? 0 : ask(s, why);
}

int secret_prepare(struct secret *s, struct buf *why)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = prepare(s, why);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static int get_known(struct secret *s, struct buf *out, struct buf *why)
{
	size_t len;
	int r;

	pthread_mutex_lock(&s->lock);
	r = prepare(s, why);
	if (r == 0)
		r = check_line(s, "password", s->known.data, strlen(s->known.data), &len, why);
	if (r == 0)
		r = buf_append(out, s->known.data, len);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int secret_get(struct secret *s, const struct cancel *cancel, struct buf *out, struct buf *why)
{
	const char *source = s->command ? "password-command" : "password-file";
	CLEANUP(secret_memory) struct secret_memory m = { NULL, 0 };
	CLEANUP(buf) struct buf how = BUF_INIT;
	size_t len;
	ssize_t n;
	int r;

	if (!s->command && !s->file)
		return get_known(s, out, why);
	if (secret_memory_init(&m, SECRET_MAX_BYTES) < 0)
		return -ENOMEM;
	n = s->command ? secret_source_command(s->command, s->command_limit_s, cancel, m.data, &how)
		       : secret_source_file(s->file, m.data, &how);
	if (n < 0) {
		buf_printf(why, "%s: %s %s", s->what, source, buf_str(&how));
		return (int)n;
	}
	r = check_line(s, source, m.data, (size_t)n, &len, why);
	return r < 0 ? r : buf_append(out, m.data, len);
}

static int check_file(const char *path, int fd, struct buf *why)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		buf_printf(why, "%s: not a regular file", path);
		return -EACCES;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		buf_printf(why, "%s: belongs to another user; chown it to yours", path);
		return -EACCES;
	}
	if (st.st_mode & 077) {
		buf_printf(why, "%s: others can read it; chmod 600 %s", path, path);
		return -EACCES;
	}
	return 0;
}

static int open_file(const char *path, struct buf *why)
{
	/* Non-blocking, or a FIFO would hold the open until somebody writes. */
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r;

	if (fd < 0) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		return -EACCES;
	}
	r = check_file(path, fd, why);
	return r < 0 ? r : steal_fd(&fd);
}

int secret_check_file(const char *path, struct buf *why)
{
	CLEANUP(fd) int fd = open_file(path, why);

	return fd < 0 ? fd : 0;
}

ssize_t secret_source_file(const char *path, char *data, struct buf *why)
{
	CLEANUP(fd) int fd = open_file(path, why);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, data, SECRET_MAX_BYTES);
	if (n < 0) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		return -EACCES;
	}
	if (n == SECRET_MAX_BYTES) {
		buf_printf(why, "%s: %d bytes or more", path, SECRET_MAX_BYTES);
		return -EACCES;
	}
	return n;
}

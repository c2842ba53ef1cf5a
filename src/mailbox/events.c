/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/events.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { LISTENERS_MAX = 32, UNREAD_MAX_BYTES = 4 << 20 };

struct listener {
	int fd;		   /* own */
	struct buf unread; /* not sent yet */
};

struct events {
	char *path;		       /* own */
	int dirfd, socket_fd, wake_fd; /* own */
	pthread_t thread;
	bool has_thread;
	atomic_int n_heard;   /* listeners.n */
	pthread_mutex_t lock; /* protects the rest */
	struct listener listeners[LISTENERS_MAX];
	int n;
	bool stopping;
};

static void wake(struct events *e)
{
	eventfd_write(e->wake_fd, 1);
}

/* Lock held. */
static void drop(struct events *e, int i)
{
	close(e->listeners[i].fd);
	buf_release(&e->listeners[i].unread);
	e->listeners[i] = e->listeners[--e->n];
	atomic_store(&e->n_heard, e->n);
}

/* Lock held. */
static void take_one(struct events *e)
{
	int fd = accept4(e->socket_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (e->n == LISTENERS_MAX) {
		close(fd);
		return;
	}
	e->listeners[e->n++] = (struct listener){ fd, BUF_INIT };
	atomic_store(&e->n_heard, e->n);
}

/* Lock held. False when the listener has gone, or reads too slowly. */
static bool send_unread(struct listener *l)
{
	ssize_t n = l->unread.len ? send(l->fd, l->unread.data, l->unread.len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n > 0)
		buf_consume(&l->unread, (size_t)n);
	return l->unread.len <= UNREAD_MAX_BYTES;
}

/* Lock held. What a listener says is of no interest; its end is. */
static bool is_there(const struct listener *l, short events)
{
	char heard[256];
	ssize_t n = events & (POLLIN | POLLHUP | POLLERR) ? recv(l->fd, heard, sizeof heard, MSG_DONTWAIT) : 1;

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Lock held. */
static int prepare_poll(struct events *e, struct pollfd fds[2 + LISTENERS_MAX])
{
	fds[0] = (struct pollfd){ .fd = e->wake_fd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = e->socket_fd, .events = POLLIN };
	for (int i = 0; i < e->n; i++)
		fds[2 + i] = (struct pollfd){ .fd = e->listeners[i].fd,
					      .events = (short)(POLLIN | (e->listeners[i].unread.len ? POLLOUT : 0)) };
	return 2 + e->n;
}

/* Lock held. From the last: dropping one moves the last into its place. */
static void serve(struct events *e, const struct pollfd *fds, int n)
{
	eventfd_t woken;

	if (fds[0].revents)
		eventfd_read(e->wake_fd, &woken);
	for (int i = n - 3; i >= 0; i--)
		if (!is_there(&e->listeners[i], fds[2 + i].revents) || !send_unread(&e->listeners[i]))
			drop(e, i);
	if (fds[1].revents)
		take_one(e);
}

static void *run(void *argument)
{
	struct events *e = argument;
	struct pollfd fds[2 + LISTENERS_MAX];
	int n;

	pthread_mutex_lock(&e->lock);
	while (!e->stopping) {
		n = prepare_poll(e, fds);
		pthread_mutex_unlock(&e->lock);
		poll(fds, (nfds_t)n, -1);
		pthread_mutex_lock(&e->lock);
		serve(e, fds, n);
	}
	for (int i = e->n - 1; i >= 0; i--) {
		send_unread(&e->listeners[i]);
		drop(e, i);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

/* Through the directory's descriptor: a socket's own path may be 107 bytes long. */
static int listen_in(struct events *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	e->socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (e->socket_fd < 0)
		return -errno;
	if (unlinkat(e->dirfd, "events", 0) < 0 && errno != ENOENT)
		return -errno;
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/events", e->dirfd);
	if (bind(e->socket_fd, (struct sockaddr *)&address, sizeof address) < 0)
		return -errno;
	if (fchmodat(e->dirfd, "events", 0600, 0) < 0 || listen(e->socket_fd, LISTENERS_MAX) < 0)
		return -errno;
	return 0;
}

static int start(struct events *e, const char *state_dir)
{
	CLEANUP(free) char *directory = realpath(state_dir, NULL);
	int r;

	if (!directory)
		return -errno;
	if (asprintf(&e->path, "%s/events", directory) < 0) {
		e->path = NULL;
		return -ENOMEM;
	}
	e->dirfd = open(directory, O_DIRECTORY | O_PATH | O_CLOEXEC);
	e->wake_fd = e->dirfd < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->wake_fd < 0)
		return -errno;
	r = listen_in(e);
	if (r == 0)
		r = -pthread_create(&e->thread, NULL, run, e);
	e->has_thread = r == 0;
	return r;
}

int events_new(const char *state_dir, struct events **ret)
{
	struct events *e = calloc(1, sizeof *e);
	int r;

	if (!e)
		return -ENOMEM;
	e->dirfd = e->socket_fd = e->wake_fd = -1;
	pthread_mutex_init(&e->lock, NULL);
	r = start(e, state_dir);
	if (r < 0) {
		events_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	if (e->has_thread) {
		pthread_mutex_lock(&e->lock);
		e->stopping = true;
		pthread_mutex_unlock(&e->lock);
		wake(e);
		pthread_join(e->thread, NULL);
		unlinkat(e->dirfd, "events", 0);
	}
	fd_cleanup(&e->socket_fd);
	fd_cleanup(&e->wake_fd);
	fd_cleanup(&e->dirfd);
	pthread_mutex_destroy(&e->lock);
	free(e->path);
	free(e);
}

const char *events_path(const struct events *e)
{
	return e->path;
}

bool events_are_heard(const struct events *e)
{
	return e && atomic_load(&e->n_heard) > 0;
}

static int make_line(struct buf *line, const char *format, va_list arguments)
{
	int r = buf_vprintf(line, format, arguments);

	for (size_t i = 0; r == 0 && i < line->len; i++)
		if ((unsigned char)line->data[i] < ' ' || line->data[i] == 0x7f)
			line->data[i] = ' ';
	return r < 0 ? r : buf_append_char(line, '\n');
}

void events_say(struct events *e, const char *format, ...)
{
	CLEANUP(buf) struct buf line = BUF_INIT;
	va_list arguments;
	int r;

	if (!events_are_heard(e))
		return;
	va_start(arguments, format);
	r = make_line(&line, format, arguments);
	va_end(arguments);
	pthread_mutex_lock(&e->lock);
	for (int i = 0; r == 0 && i < e->n; i++)
		r = buf_append(&e->listeners[i].unread, line.data, line.len);
	pthread_mutex_unlock(&e->lock);
	wake(e);
}

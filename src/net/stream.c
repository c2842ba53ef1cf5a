/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/dial.h"

enum { TRACE_MAX_BYTES = 160, UNSENT_MAX_BYTES = 128 * 1024 };

struct stream {
	int fd; /* own */
	int timeout_s;
	struct tls *tls;	     /* own; NULL: cleartext */
	const struct cancel *cancel; /* borrowed */
	bool is_private;
};

int stream_from_socket(int fd, int timeout_s, const struct cancel *cancel, struct stream **ret)
{
	int flags = fcntl(fd, F_GETFL);
	struct stream *s;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->fd = fd;
	s->timeout_s = timeout_s;
	s->cancel = cancel;
	*ret = s;
	return 0;
}

/*
 * Of what was written, no more than this waits in the kernel to be sent. Else megabytes do on a slow line, and an answer to them
 * looks late although all goes on.
 */
static void keep_queue_short(int fd)
{
	int bytes = UNSENT_MAX_BYTES;

	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

int stream_connect(const char *host, uint16_t port, int timeout_s, const struct cancel *cancel, struct stream **ret,
		   struct buf *why)
{
	CLEANUP(fd) int fd = dial(host, port, timeout_s, cancel, why);
	int r;

	if (fd < 0)
		return fd;
	keep_queue_short(fd);
	r = stream_from_socket(fd, timeout_s, cancel, ret);
	if (r < 0)
		return r;
	steal_fd(&fd);
	return 0;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	tls_free(s->tls);
	close(s->fd);
	free(s);
}

static void trace(const struct stream *s, const char *direction, const char *data, size_t len)
{
	size_t line = 0;

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	while (!s->is_private && line < len && line < TRACE_MAX_BYTES && data[line] != '\r' && data[line] != '\n')
		line++;
	log_debug("%d %s %zu bytes: %.*s", s->fd, direction, len, (int)line, s->is_private ? "" : data);
}

int stream_start_tls(struct stream *s, const char *host, const struct tls_options *options, struct buf *why)
{
	return tls_open(s->fd, host, options, s->timeout_s, s->cancel, &s->tls, why);
}

bool stream_is_tls(const struct stream *s)
{
	return s->tls != NULL;
}

const char *stream_tls_description(const struct stream *s)
{
	return s->tls ? tls_description(s->tls) : NULL;
}

/* 1: one of `events`, 0: not before `until_ms`, -errno. */
static int poll_socket(const struct stream *s, short events, int64_t until_ms)
{
	struct pollfd pollfd = { .fd = s->fd, .events = events };

	return cancel_poll(s->cancel, &pollfd, 1, until_ms);
}

/* After a call said `error`: 0 to try again, the socket being ready, else -errno. */
static int wait_to_retry(const struct stream *s, int error, short events)
{
	int n;

	if (error == EINTR)
		return 0;
	if (error != EAGAIN)
		return error == EPIPE ? -ECONNRESET : error == ETIMEDOUT ? -EHOSTUNREACH : -error;
	n = poll_socket(s, events, clock_monotonic_ms() + (int64_t)s->timeout_s * 1000);
	if (n < 0)
		return n;
	return n ? 0 : -ETIMEDOUT;
}

static ssize_t read_clear(struct stream *s, void *data, size_t len)
{
	for (;;) {
		ssize_t n = recv(s->fd, data, len, 0);
		int r;

		if (n >= 0)
			return n;
		r = wait_to_retry(s, errno, POLLIN);
		if (r < 0)
			return r;
	}
}

static int write_clear(struct stream *s, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL);
		int r = n < 0 ? wait_to_retry(s, errno, POLLOUT) : 0;

		if (r < 0)
			return r;
		if (n < 0)
			continue;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t stream_read(struct stream *s, void *data, size_t len)
{
	ssize_t n;

	if (cancel_is_set(s->cancel))
		return -ECANCELED;
	n = s->tls ? tls_read(s->tls, data, len, s->timeout_s) : read_clear(s, data, len);
	if (n > 0)
		trace(s, "<", data, (size_t)n);
	return n;
}

int stream_write(struct stream *s, const void *data, size_t len)
{
	if (cancel_is_set(s->cancel))
		return -ECANCELED;
	trace(s, ">", data, len);
	return s->tls ? tls_write(s->tls, data, len, s->timeout_s) : write_clear(s, data, len);
}

/* Some of the bytes, or -EAGAIN and what has to be polled for. */
static ssize_t try_to_write(struct stream *s, const void *data, size_t len, short *ret_events)
{
	ssize_t n;

	if (s->tls)
		return tls_write_some(s->tls, data, len, ret_events);
	*ret_events = POLLOUT;
	do
		n = send(s->fd, data, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EPIPE ? -ECONNRESET : -errno;
	return n;
}

int stream_wait(struct stream *s, int timeout_ms)
{
	int64_t until_ms = timeout_ms < 0 ? -1 : clock_monotonic_ms() + timeout_ms;
	int n;

	if (cancel_is_set(s->cancel))
		return -ECANCELED;
	for (;;) {
		if (s->tls && tls_pending(s->tls))
			return 1;
		n = poll_socket(s, POLLIN, until_ms);
		/* With TLS, what came may be no data yet: half a record, a session ticket. */
		if (n <= 0 || !s->tls)
			return n;
	}
}

static ssize_t write_or_hear(struct stream *s, const void *data, size_t len)
{
	short events;
	ssize_t n;
	int r;

	for (;;) {
		r = stream_wait(s, 0);
		if (r)
			return r < 0 ? r : 0;
		n = try_to_write(s, data, len, &events);
		if (n != -EAGAIN)
			return n;
		r = poll_socket(s, events | POLLIN, clock_monotonic_ms() + (int64_t)s->timeout_s * 1000);
		if (r <= 0)
			return r ? r : -ETIMEDOUT;
	}
}

ssize_t stream_write_some(struct stream *s, const void *data, size_t len)
{
	ssize_t n = write_or_hear(s, data, len);

	if (n > 0)
		trace(s, ">", data, (size_t)n);
	return n;
}

void stream_watch_peer(struct stream *s, bool on)
{
	if (on)
		dial_watch(s->fd, s->timeout_s);
	else
		dial_watch_as_usual(s->fd);
}

void stream_set_private(struct stream *s, bool is_private)
{
	s->is_private = is_private;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/smtp_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "net/smtp_reply.h"

enum {
	READ_BYTES = 4096,
	LINE_MAX_BYTES = 4096, /* RFC 5321 4.5.3.1.5 says 512 */
	REPLY_MAX_LINES = 256,
	UNREAD_MAX_BYTES = 1 << 20, /* some thousand recipients' replies to one pipelined group */
};

/*
 * After an error nothing more leaves this machine: libcurl's TLS would send what it still has when it is closed, and that may be the final dot of a
 * message that was told to be not sent.
 */
void smtp_wire_release(struct smtp_wire *w)
{
	if (w->error && w->fd >= 0)
		shutdown(w->fd, SHUT_WR);
	curl_multi_remove_handle(w->multi, w->curl);
	curl_easy_cleanup(w->curl);
	curl_multi_cleanup(w->multi);
	w->curl = NULL;
	w->multi = NULL;
	buf_release(&w->in);
}

static int fail(struct smtp_wire *w, int error)
{
	if (!w->error)
		w->error = error;
	return w->error;
}

bool smtp_wire_go_on(struct smtp_wire *w)
{
	if (w->error != -ECANCELED)
		return false;
	w->error = 0;
	w->cancel = NULL;
	return true;
}

static int check(struct smtp_wire *w)
{
	return w->error || cancel_is_set(w->cancel) ? fail(w, -ECANCELED) : 0;
}

/* 1: one of `events`, 0: not before `until_ms`, -errno. */
static int wait_until(const struct smtp_wire *w, short events, int64_t until_ms)
{
	struct pollfd pollfd = { .fd = w->fd, .events = events };

	return clock_monotonic_ms() >= until_ms ? 0 : cancel_poll(w->cancel, &pollfd, 1, until_ms);
}

static int64_t deadline(const struct smtp_wire *w, int timeout_s)
{
	return clock_monotonic_ms() + (int64_t)(w->reply_timeout_s ? w->reply_timeout_s : timeout_s) * 1000;
}

/* Takes in what is there. 1: something, 0: nothing for now, -errno. */
static int receive(struct smtp_wire *w)
{
	size_t n = 0;
	CURLcode code;

	if (w->in.len > UNREAD_MAX_BYTES)
		return fail(w, -EPROTO);
	if (buf_reserve(&w->in, READ_BYTES) < 0)
		return fail(w, -ENOMEM);
	code = curl_easy_recv(w->curl, w->in.data + w->in.len, READ_BYTES, &n);
	if (code == CURLE_AGAIN)
		return 0;
	if (code != CURLE_OK || n == 0)
		return fail(w, -ECONNRESET);
	w->in.len += n;
	w->in.data[w->in.len] = '\0';
	return 1;
}

/* What libcurl's TLS took of the bytes before it said "again" must be offered again as it was: so no other bytes meanwhile. */
static int wait_to_send(struct smtp_wire *w, int64_t until_ms)
{
	int r = wait_until(w, POLLIN | POLLOUT, until_ms);

	if (r == 0)
		return fail(w, -ETIMEDOUT);
	if (r < 0)
		return fail(w, r);
	r = receive(w);
	return r < 0 ? r : 0;
}

/* A server that hangs up has mostly said why: smtp_wire_reply() still gives what came before the end. */
static int hear_last_words(struct smtp_wire *w)
{
	while (receive(w) > 0)
		;
	return fail(w, -ECONNRESET);
}

int smtp_wire_send(struct smtp_wire *w, const void *data, size_t len, int timeout_s)
{
	const char *next = data;
	int64_t until_ms = deadline(w, timeout_s);

	while (len) {
		size_t n = 0;
		int r = check(w);
		CURLcode code;

		if (r < 0)
			return r;
		fault_point("smtp: before a write");
		code = curl_easy_send(w->curl, next, len, &n);
		fault_point("smtp: written");
		if (code != CURLE_OK && code != CURLE_AGAIN)
			return hear_last_words(w);
		if (n) {
			next += n;
			len -= n;
			until_ms = deadline(w, timeout_s);
			continue;
		}
		r = wait_to_send(w, until_ms);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The length of the first line with its end; 0: not whole yet. */
static size_t line_length(const struct smtp_wire *w)
{
	const char *end = w->in.len ? memchr(w->in.data, '\n', w->in.len) : NULL;

	return end ? (size_t)(end - w->in.data) + 1 : 0;
}

static int receive_line(struct smtp_wire *w, int64_t until_ms, size_t *ret_len)
{
	for (;;) {
		int r;

		*ret_len = line_length(w);
		if (*ret_len > LINE_MAX_BYTES || (!*ret_len && w->in.len > LINE_MAX_BYTES))
			return fail(w, -EPROTO);
		if (*ret_len)
			return 0;
		r = check(w);
		if (r < 0)
			return r;
		r = receive(w);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		r = wait_until(w, POLLIN, until_ms);
		if (r <= 0)
			return fail(w, r ? r : -ETIMEDOUT);
	}
}

int smtp_wire_reply(struct smtp_wire *w, int timeout_s, struct smtp_reply *ret)
{
	int64_t until_ms = deadline(w, timeout_s);

	*ret = (struct smtp_reply){ 0 };
	for (int lines = 0; lines < REPLY_MAX_LINES; lines++) {
		size_t len;
		int r = receive_line(w, until_ms, &len);

		if (r < 0)
			return r;
		log_debug("%d < %.*s", w->fd, (int)len, w->in.data);
		r = smtp_reply_add_line(ret, w->in.data, len);
		buf_consume(&w->in, len);
		if (r < 0)
			return fail(w, r);
		if (r == 0) {
			fault_point("smtp: answered");
			return 0;
		}
	}
	return fail(w, -EPROTO);
}

int smtp_wire_has_input(struct smtp_wire *w)
{
	int r = check(w);

	if (r < 0)
		return r;
	if (w->in.len)
		return 1;
	return receive(w);
}

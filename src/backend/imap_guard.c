/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_guard.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { GUARD_BUFFER = 64 * 1024, GUARD_ROOM = 16 * 1024 };

/* Chatter ("* OK Still searching") keeps a silent server alive, but not for ever: this many times the timeout. */
enum { GUARD_CHATTER_TIMES = 60 };

const struct imap_limits imap_limits_default = {
	.line = 64 * 1024,
	.long_line = 16 * 1024 * 1024,
	.literals = 1024 * 1024,
	.body = INT64_C(1) << 30,
	.rate_bytes = 1024,
};

int imap_guard_init(struct imap_guard *g, const struct imap_source *source, const struct imap_limits *limits)
{
	*g = (struct imap_guard){ .source = *source, .limits = *limits, .head = BUF_INIT, .why = BUF_INIT };
	g->in = malloc(GUARD_BUFFER);
	if (!g->in)
		return -ENOMEM;
	g->cap = GUARD_BUFFER;
	g->progress_ms = clock_monotonic_ms();
	return 0;
}

void imap_guard_release(struct imap_guard *g)
{
	free(g->in);
	buf_release(&g->head);
	buf_release(&g->why);
	*g = (struct imap_guard){ .error = -ENOTCONN };
}

int imap_guard_fail(struct imap_guard *g, int error, const char *format, ...)
{
	char text[512];
	va_list arguments;

	if (g->error)
		return g->error;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	buf_truncate(&g->why, 0);
	buf_append_str(&g->why, text);
	g->error = error;
	return error;
}

bool imap_guard_has_more(const struct imap_guard *g)
{
	return g->end > g->start + g->last;
}

int imap_guard_write(struct imap_guard *g, const void *data, size_t len)
{
	int r;

	if (g->error)
		return g->error;
	g->progress_ms = clock_monotonic_ms();
	r = g->source.write(g->source.userdata, data, len);
	if (r < 0)
		return imap_guard_fail(g, r, "cannot send to the server: %s", strerror(-r));
	return 0;
}

ssize_t imap_guard_write_some(struct imap_guard *g, const void *data, size_t len)
{
	ssize_t n;

	if (!g->source.write_some) {
		n = imap_guard_write(g, data, len);
		return n < 0 ? n : (ssize_t)len;
	}
	if (g->error)
		return g->error;
	if (imap_guard_has_more(g))
		return 0;
	n = g->source.write_some(g->source.userdata, data, len);
	/* Who cuts somebody off may have said why. */
	if (n == -ECONNRESET)
		return 0;
	if (n < 0)
		return imap_guard_fail(g, (int)n, "cannot send to the server: %s", strerror((int)-n));
	if (n > 0)
		g->progress_ms = clock_monotonic_ms();
	return n;
}

/* Makes room behind `end` for at least `room` bytes. */
static int guard_reserve(struct imap_guard *g, size_t room)
{
	size_t held = g->end - g->start, cap = GUARD_BUFFER;
	char *in;

	if (g->start && held)
		memmove(g->in, g->in + g->start, held);
	g->start = 0;
	g->end = held;
	while (cap < held + room)
		cap *= 2;
	if (cap <= g->cap && (g->cap == GUARD_BUFFER || cap > GUARD_BUFFER))
		return 0;
	in = realloc(g->in, cap);
	if (!in)
		return imap_guard_fail(g, -ENOMEM, "no memory for a response");
	g->in = in;
	g->cap = cap;
	return 0;
}

static void guard_part_begins(struct imap_guard *g)
{
	g->part_since_ms = -1;
	g->part_bytes = 0;
}

/* After `n` more bytes of a line or literal that is still incomplete: is it too slow? */
static int guard_check_pace(struct imap_guard *g, size_t n)
{
	int64_t now = clock_monotonic_ms();
	int64_t timeout_ms = (int64_t)g->limits.timeout_s * 1000;

	g->part_bytes += (int64_t)n;
	if (g->part_since_ms < 0)
		g->part_since_ms = now;
	if (now - g->part_since_ms > timeout_ms + g->part_bytes * 1000 / g->limits.rate_bytes)
		return imap_guard_fail(g, -ETIMEDOUT, "the server sends too slowly (%lld bytes of a response in %lld s)",
				       (long long)g->part_bytes, (long long)(now - g->part_since_ms) / 1000);
	if (now - g->progress_ms > timeout_ms * GUARD_CHATTER_TIMES && now - g->progress_ms > g->patience_ms)
		return imap_guard_fail(g, -ETIMEDOUT, "the server goes on talking without an answer");
	return 0;
}

/* Not within a line or literal: who has begun to speak goes on. */
static bool guard_bears_silence(struct imap_guard *g)
{
	if (g->part_since_ms >= 0 || clock_monotonic_ms() - g->progress_ms >= g->patience_ms)
		return false;
	if (g->silent)
		g->silent(g->silent_userdata);
	return true;
}

static int guard_read(struct imap_guard *g, void *data, size_t len, size_t *ret_n)
{
	ssize_t n;

	do
		n = g->source.read(g->source.userdata, data, len);
	while (n == -ETIMEDOUT && guard_bears_silence(g));
	if (n == 0)
		return imap_guard_fail(g, -ENOTCONN, "the server closed the connection");
	if (n < 0)
		return imap_guard_fail(g, (int)n, "%s", n == -ETIMEDOUT ? "the server does not answer" : strerror((int)-n));
	*ret_n = (size_t)n;
	return guard_check_pace(g, (size_t)n);
}

/* Reads more of the response at `start`, of which the caller wants `room` bytes more. */
static int guard_fill(struct imap_guard *g, size_t room)
{
	size_t n = 0;
	int r;

	if (g->start == g->end || g->cap - g->end < room || g->cap - g->end < GUARD_ROOM) {
		r = guard_reserve(g, room > GUARD_ROOM ? room : GUARD_ROOM);
		if (r < 0)
			return r;
	}
	r = guard_read(g, g->in + g->end, g->cap - g->end, &n);
	if (r < 0)
		return r;
	g->end += n;
	return 0;
}

/*
 * Finds the end of the line that begins `offset` bytes behind `start`; *ret_end is behind its LF. `before`: bytes of earlier
 * lines of the same response.
 */
static int guard_find_line(struct imap_guard *g, size_t offset, size_t before, size_t *ret_end)
{
	size_t scanned = offset, limit = g->limits.line, held;
	const char *lf;
	int r;

	guard_part_begins(g);
	for (;;) {
		held = g->end - g->start;
		lf = held > scanned ? memchr(g->in + g->start + scanned, '\n', held - scanned) : NULL;
		scanned = lf ? (size_t)(lf - (g->in + g->start)) + 1 : held;
		if (scanned - offset + before > limit) {
			if (limit < g->limits.long_line && !before && !offset && imap_response_is_long(g->in + g->start, held))
				limit = g->limits.long_line;
			if (scanned - offset + before > limit)
				return imap_guard_fail(g, -EPROTO, "the server sent a line of more than %zu bytes", limit);
		}
		if (lf) {
			*ret_end = scanned;
			return 0;
		}
		if (held == offset)
			guard_part_begins(g); /* silence before the first byte is the stream's affair */
		r = guard_fill(g, 1);
		if (r < 0)
			return r;
	}
}

static int guard_body_data(struct imap_guard *g, const void *data, size_t len)
{
	int r = g->body->data(g->body->userdata, data, len);

	return r < 0 ? imap_guard_fail(g, r, "the message could not be put away: %s", strerror(-r)) : 0;
}

/* The literal behind in[start, start + line_end) goes to the sink; its text so far moves to `head`. */
static int guard_divert(struct imap_guard *g, size_t brace, size_t line_end, int64_t origin, int64_t size)
{
	int r;

	if (size > g->limits.body)
		return imap_guard_fail(g, -EPROTO, "the server announces a message of %lld bytes", (long long)size);
	buf_truncate(&g->head, 0);
	if (buf_append(&g->head, g->in + g->start, brace) < 0 || buf_append_str(&g->head, "{0}\r\n") < 0)
		return imap_guard_fail(g, -ENOMEM, "no memory for a response");
	r = g->body->begin(g->body->userdata, imap_response_uid_before(g->head.data, brace), origin, size);
	if (r < 0)
		return imap_guard_fail(g, r, "the message could not be put away: %s", strerror(-r));
	g->start += line_end;
	guard_part_begins(g);
	while (size > 0) {
		size_t n = g->end - g->start;

		if (!n) {
			g->start = g->end = 0;
			r = guard_fill(g, 1);
			if (r < 0)
				return r;
			continue;
		}
		if ((int64_t)n > size)
			n = (size_t)size;
		r = guard_body_data(g, g->in + g->start, n);
		if (r < 0)
			return r;
		g->start += n;
		size -= (int64_t)n;
	}
	return 0;
}

/* Waits until `offset` bytes of the response are there. */
static int guard_await(struct imap_guard *g, size_t offset)
{
	int r;

	guard_part_begins(g);
	while (g->end - g->start < offset) {
		r = guard_fill(g, offset - (g->end - g->start));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Gathers one response at `start`. *ret_len is its length there; what was diverted before it is in `head`. */
static int guard_gather(struct imap_guard *g, bool *ret_diverted, size_t *ret_len)
{
	size_t line = 0, end = 0, brace, text = 0, literals = 0;
	bool diverted = false;
	int64_t size, origin;
	int r;

	for (;;) {
		r = guard_find_line(g, line, text, &end);
		if (r < 0)
			return r;
		if (!diverted && !line && !imap_response_may_have_literals(g->in + g->start, end))
			break;
		if (!imap_response_literal(g->in + g->start + line, end - line, &size, &brace))
			break;
		text += end - line;
		if (g->body && imap_response_is_body(g->in + g->start + line, brace, &origin)) {
			if (diverted || line)
				return imap_guard_fail(g, -EPROTO, "the server sent a message in an unexpected shape");
			r = guard_divert(g, brace, end, origin, size);
			if (r < 0)
				return r;
			diverted = true;
			line = 0;
			continue;
		}
		if (size > (int64_t)(g->limits.literals - literals))
			return imap_guard_fail(g, -EPROTO, "the server announces a literal of %lld bytes", (long long)size);
		literals += (size_t)size;
		line = end + (size_t)size;
		r = guard_await(g, line);
		if (r < 0)
			return r;
	}
	*ret_diverted = diverted;
	*ret_len = end;
	return 0;
}

static int guard_not_imap(struct imap_guard *g, struct imap_text all)
{
	char shown[41];
	size_t i;

	for (i = 0; i < all.len && i < sizeof(shown) - 1 && all.data[i] != '\r' && all.data[i] != '\n'; i++)
		shown[i] = isprint((unsigned char)all.data[i]) ? all.data[i] : '?';
	shown[i] = '\0';
	return imap_guard_fail(g, -EPROTO, "the server does not speak IMAP: \"%s\"", shown);
}

int imap_guard_next(struct imap_guard *g, struct imap_response *ret)
{
	struct imap_response response;
	bool diverted = false;
	size_t len = 0;
	int r;

	if (g->error)
		return g->error;
	do {
		g->start += g->last;
		g->last = 0;
		r = guard_gather(g, &diverted, &len);
		if (r < 0)
			return r;
		g->last = len;
	} while (!diverted && len <= 2 && memchr("\r\n", g->in[g->start], 2));

	response = (struct imap_response){ .all = { g->in + g->start, len }, .body_diverted = diverted };
	if (diverted) {
		if (buf_append(&g->head, g->in + g->start, len) < 0)
			return imap_guard_fail(g, -ENOMEM, "no memory for a response");
		response.all = (struct imap_text){ g->head.data, g->head.len };
	}
	if (!imap_response_split(&response))
		return guard_not_imap(g, response.all);
	if (imap_response_is_progress(&response)) {
		g->progress_ms = clock_monotonic_ms();
		if (g->answered)
			*g->answered = true;
	}
	*ret = response;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int fill(struct line_reader *r)
{
	ssize_t n;

	memmove(r->data, r->data + r->start, r->end - r->start);
	r->end -= r->start;
	r->start = 0;
	do
		n = pread(r->fd, r->data + r->end, sizeof r->data - r->end, r->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->is_at_end = n == 0;
	r->end += (size_t)n;
	r->offset += n;
	return 0;
}

/* The buffer is full of one line: all but a CR at its end, which may belong to the line end. */
static size_t piece_length(const struct line_reader *r)
{
	size_t len = r->end - r->start;

	return r->data[r->end - 1] == '\r' ? len - 1 : len;
}

int line_reader_next(struct line_reader *r, struct line *ret)
{
	const char *newline;
	int e;

	while (!(newline = memchr(r->data + r->start, '\n', r->end - r->start)) && !r->is_at_end) {
		if (r->end - r->start == sizeof r->data) {
			*ret = (struct line){ r->data + r->start, piece_length(r), false };
			r->start += ret->len;
			return 1;
		}
		e = fill(r);
		if (e < 0)
			return e;
	}
	ret->text = r->data + r->start;
	ret->is_last = true;
	if (newline) {
		ret->len = (size_t)(newline - ret->text);
		r->start += ret->len + 1;
		if (ret->len && ret->text[ret->len - 1] == '\r')
			ret->len--;
		return 1;
	}
	ret->len = r->end - r->start;
	r->start = r->end;
	return ret->len > 0;
}

int line_writer_flush(struct line_writer *w)
{
	size_t done = 0;

	while (done < w->used) {
		ssize_t n = write(w->fd, w->data + done, w->used - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	w->used = 0;
	return 0;
}

static bool holds_eightbit(const char *text, size_t len)
{
	unsigned char all = 0;

	for (size_t i = 0; i < len; i++)
		all |= (unsigned char)text[i];
	return all & 0x80;
}

int line_writer_put(struct line_writer *w, const char *text, size_t len)
{
	w->size_bytes += (int64_t)len;
	w->is_eightbit |= holds_eightbit(text, len);
	while (len) {
		size_t room = sizeof w->data - w->used;
		size_t n = len < room ? len : room;
		int r;

		memcpy(w->data + w->used, text, n);
		w->used += n;
		text += n;
		len -= n;
		if (w->used < sizeof w->data)
			continue;
		r = line_writer_flush(w);
		if (r < 0)
			return r;
	}
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines out of one descriptor and into another, in bounded memory: CRLF or LF comes in, CRLF goes out.
 *
 * On the caller's stack, one thread. Reads by offset, so that the descriptor's own position does not matter.
 */
#ifndef MAILFS_OUTBOX_LINES_H
#define MAILFS_OUTBOX_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINES_BUFFER_BYTES = 16384 };

struct line_reader {
	int fd; /* borrowed */
	int64_t offset;
	size_t start, end;
	bool is_at_end;
	char data[LINES_BUFFER_BYTES];
};

struct line {
	const char *text; /* without its line end; borrowed until the next call. A CR in it is a bare one */
	size_t len;
	bool is_last; /* the line ends here; false: more of it comes with the next call */
};

static inline void line_reader_init(struct line_reader *r, int fd, int64_t offset)
{
	r->fd = fd;
	r->offset = offset;
	r->start = r->end = 0;
	r->is_at_end = false;
}

/* 1 with a line or a piece of a long one, 0 at the end, -errno. */
int line_reader_next(struct line_reader *r, struct line *ret);

struct line_writer {
	int fd;		    /* borrowed */
	int64_t size_bytes; /* written so far, the buffer's included */
	bool is_eightbit;   /* a byte over 127 was among them */
	size_t used;
	char data[LINES_BUFFER_BYTES];
};

static inline void line_writer_init(struct line_writer *w, int fd)
{
	w->fd = fd;
	w->size_bytes = 0;
	w->is_eightbit = false;
	w->used = 0;
}

/* As they are; 0 or -errno. */
int line_writer_put(struct line_writer *w, const char *text, size_t len);
int line_writer_flush(struct line_writer *w);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A growable run of bytes.
 *
 * Owned by whoever embeds it; not locked. `data` is NULL while nothing was ever appended, and otherwise has a NUL
 * behind its last byte, so that text can be used as a C string. Holds any bytes, NUL included.
 */
#ifndef MAILFS_BUF_H
#define MAILFS_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/cleanup.h"

struct buf {
	char *data; /* own */
	size_t len;
	size_t cap;
};

#define BUF_INIT ((struct buf){ NULL, 0, 0 })

void buf_release(struct buf *b);

/* Room for `more` bytes behind the present ones, and their NUL. 0 or -ENOMEM. */
int buf_reserve(struct buf *b, size_t more);

/* Each: 0 or -ENOMEM, the buffer untouched on failure. */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_append_str(struct buf *b, const char *text);
int buf_append_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/* Forgets the bytes past `len`; keeps the memory. */
void buf_truncate(struct buf *b, size_t len);

/* Forgets the first `len` bytes and moves the others down. */
void buf_consume(struct buf *b, size_t len);

/* The content as a C string, never NULL. Valid until the next change. */
const char *buf_str(const struct buf *b);

/* Hands the memory to the caller (free()); NULL when nothing was ever appended. The buffer is empty after it. */
char *buf_steal(struct buf *b);

/* Overwrites the content, for secrets, before releasing it. */
void buf_wipe(struct buf *b);

static inline void buf_cleanup(struct buf *b)
{
	buf_release(b);
}

#endif

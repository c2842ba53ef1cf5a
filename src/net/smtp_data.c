/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/smtp_data.h"

#include <errno.h>
#include <unistd.h>

enum { BLOCK_BYTES = 32 * 1024 };

void smtp_data_init(struct smtp_data *d, int fd, int64_t size_bytes)
{
	*d = (struct smtp_data){ .fd = fd, .size = size_bytes, .at_line_start = true };
}

static ssize_t read_block(struct smtp_data *d, char *block)
{
	int64_t left = d->size - d->offset;
	size_t wanted = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
	ssize_t n;

	if (!wanted)
		return 0;
	do
		n = pread(d->fd, block, wanted, d->offset);
	while (n < 0 && errno == EINTR);
	return n <= 0 ? -EIO : n;
}

/* `out` has room for twice as much. */
static int stuff(struct smtp_data *d, const char *block, size_t len, struct buf *out)
{
	char *to = out->data + out->len;

	for (size_t i = 0; i < len; i++) {
		char c = block[i];

		if (d->after_cr != (c == '\n'))
			return -EINVAL;
		if (c == '.' && d->at_line_start)
			*to++ = '.';
		*to++ = c;
		d->at_line_start = c == '\n';
		d->after_cr = c == '\r';
	}
	out->len = (size_t)(to - out->data);
	return 0;
}

int smtp_data_next(struct smtp_data *d, struct buf *out, bool *ret_is_last)
{
	char block[BLOCK_BYTES];
	ssize_t n = read_block(d, block);
	int r;

	if (n < 0)
		return (int)n;
	buf_truncate(out, 0);
	r = buf_reserve(out, 2 * (size_t)n + sizeof "\r\n.\r\n");
	if (r < 0)
		return r;
	r = stuff(d, block, (size_t)n, out);
	if (r < 0)
		return r;
	d->offset += n;
	*ret_is_last = d->offset == d->size;
	if (!*ret_is_last)
		return 0;
	if (d->after_cr)
		return -EINVAL;
	return buf_append_str(out, d->at_line_start ? ".\r\n" : "\r\n.\r\n");
}

int smtp_data_check(int fd, int64_t size_bytes)
{
	CLEANUP(buf) struct buf block = BUF_INIT;
	struct smtp_data d;
	bool is_last = false;

	smtp_data_init(&d, fd, size_bytes);
	while (!is_last) {
		int r = smtp_data_next(&d, &block, &is_last);

		if (r < 0)
			return r;
	}
	return 0;
}

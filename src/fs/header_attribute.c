/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/header_attribute.h"

#include <stdlib.h>
#include <string.h>

#include "fs/xattr.h"
#include "message/header.h"

/* A header of more bytes than this is not looked through. */
#define HEADER_BYTES (64 * 1024)

static const struct {
	const char *attribute, *field;
} fields[] = {
	{ "message-id", "Message-ID" }, { "from", "From" }, { "to", "To" }, { "subject", "Subject" }, { "date", "Date" },
};

static const char *field_of(const char *attribute)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(fields[i].attribute, attribute) == 0)
			return fields[i].field;
	return NULL;
}

struct asking {
	struct wait wait;  /* first */
	struct body *body; /* own */
	const char *field;
	size_t size; /* room for the value */
};

static void finish(struct asking *asking, int r, const struct buf *value)
{
	xattr_reply(asking->wait.req, r, value, asking->size);
	if (asking->body)
		mailbox_close(asking->wait.fs->mailbox, asking->body);
	free(asking);
}

static void find_field(struct asking *asking, size_t len)
{
	CLEANUP(free) char *bytes = malloc(len + 1);
	CLEANUP(buf) struct buf value = BUF_INIT;
	ssize_t n = bytes ? pread(body_fd(asking->body), bytes, len, 0) : -1;
	int r;

	if (n < 0)
		r = bytes ? -errno : -ENOMEM;
	else
		r = header_text(bytes, (size_t)n, asking->field, &value);
	finish(asking, r == -ENOENT ? -ENODATA : r, &value);
}

static void read_header(struct asking *asking);

static void bytes_came(struct wait *w, int result)
{
	struct asking *asking = (struct asking *)w;

	if (result < 0)
		finish(asking, result, NULL);
	else
		read_header(asking);
}

static void read_header(struct asking *asking)
{
	struct fs *fs = asking->wait.fs;
	ssize_t n;

	wait_start(&asking->wait, fs, asking->wait.req, bytes_came);
	n = body_read(fs->mailbox, asking->body, 0, HEADER_BYTES, &asking->wait.waiter);
	if (n == -EINPROGRESS)
		return;
	wait_end(&asking->wait);
	if (n < 0)
		finish(asking, (int)n, NULL);
	else
		find_field(asking, (size_t)n);
}

void header_attribute_get(struct fs *fs, fuse_req_t req, int64_t row, const char *name, size_t size)
{
	const char *field = field_of(name);
	struct asking *asking = field ? calloc(1, sizeof(*asking)) : NULL;
	int r;

	if (!asking) {
		fuse_reply_err(req, field ? ENOMEM : ENODATA);
		return;
	}
	asking->field = field;
	asking->size = size;
	wait_start(&asking->wait, fs, req, bytes_came);
	r = mailbox_open(fs->mailbox, row, &asking->wait.waiter, &asking->body);
	if (r == -EINPROGRESS)
		return;
	wait_end(&asking->wait);
	bytes_came(&asking->wait, r);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/gmail_attribute.h"

#include <stdlib.h>
#include <string.h>

#include "fs/xattr.h"

struct asking {
	struct wait wait;    /* first */
	struct gmail *gmail; /* own */
	size_t size;	     /* room for the value */
	char name[];
};

static void told(struct wait *w, int result)
{
	struct asking *asking = (struct asking *)w;
	CLEANUP(buf) struct buf value = BUF_INIT;

	if (result == 0)
		result = gmail_attribute(asking->gmail, asking->name, &value);
	xattr_reply(w->req, result, &value, asking->size);
	if (asking->gmail)
		mailbox_gmail_close(w->fs->mailbox, asking->gmail);
	free(asking);
}

void gmail_attribute_get(struct fs *fs, fuse_req_t req, int64_t row, const char *name, size_t size)
{
	struct asking *asking = calloc(1, sizeof(*asking) + strlen(name) + 1);
	int r;

	if (!asking) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	asking->size = size;
	strcpy(asking->name, name);
	wait_start(&asking->wait, fs, req, told);
	r = mailbox_gmail_open(fs->mailbox, row, &asking->wait.waiter, &asking->gmail);
	if (r == -EINPROGRESS)
		return;
	wait_end(&asking->wait);
	told(&asking->wait, r);
}

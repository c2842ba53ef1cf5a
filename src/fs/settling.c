/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/settling.h"

#include <stdlib.h>

static void settled(struct wait *w, int result)
{
	fuse_reply_err(w->req, -result);
	free(w);
}

void settling_wait(struct fs *fs, fuse_req_t req, fuse_ino_t ino, int (*settle)(struct fs *fs, fuse_ino_t ino, struct waiter *w))
{
	struct wait *w = calloc(1, sizeof(*w));
	int r;

	if (!w) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	wait_start(w, fs, req, settled);
	r = settle(fs, ino, &w->waiter);
	if (r == -EINPROGRESS)
		return;
	wait_end(w);
	settled(w, r);
}

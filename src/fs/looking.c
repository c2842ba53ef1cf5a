/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/looking.h"

#include <stdlib.h>
#include <string.h>

#include "fs/inode.h"

static void looked(struct wait *w, int result)
{
	struct looking *looking = (struct looking *)w;

	looking->looked(w->fs, w->req, looking, result);
	free(looking);
}

void looking_start(struct fs *fs, fuse_req_t req, const struct looking *what, const char *name)
{
	struct looking *looking = calloc(1, sizeof(*looking) + strlen(name) + 1);
	int r;

	if (!looking) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	memcpy(looking, what, sizeof(*looking));
	strcpy(looking->name, name);
	wait_start(&looking->wait, fs, req, looked);
	r = mailbox_look(fs->mailbox, inode_row(what->ino), &looking->wait.waiter);
	if (r == -EINPROGRESS)
		return;
	wait_end(&looking->wait);
	looked(&looking->wait, r);
}

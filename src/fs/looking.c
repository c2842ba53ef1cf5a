/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/looking.h"

#include <stdlib.h>
#include <string.h>

#include "fs/attributes.h"
#include "fs/inode.h"
#include "fs/requester.h"

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

static void lookup_looked(struct fs *fs, fuse_req_t req, struct looking *looking, int result)
{
	struct fuse_entry_param entry;

	if (result == 0)
		result = looking->find(fs, looking->ino, looking->name, &entry);
	entry_reply(req, result, &entry);
}

/* -ESTALE: the kernel comes again. Another -errno: it has, and the look failed. 0: it waits here. */
static int come_again(struct fs *fs, fuse_req_t req, fuse_ino_t parent)
{
	pid_t thread = fuse_req_ctx(req)->pid;
	int r = again_failed(&fs->again, thread, parent);

	if (r < 0)
		again_end(&fs->again, thread);
	if (r < 0 || mailbox_was_looked_at(fs->mailbox, inode_row(parent)) || !requester_renames(thread))
		return r;
	return again_tell(&fs->again, thread, parent) ? -ESTALE : 0;
}

static void lookup_now(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, looking_find *find)
{
	struct fuse_entry_param entry;
	int r = find(fs, parent, name, &entry), again = r == -ENOENT ? come_again(fs, req, parent) : 0;

	if (r == 0)
		listing_note_lookup(fs, parent);
	if (r != -ENOENT)
		entry_reply(req, r, &entry);
	else if (again < 0)
		fuse_reply_err(req, -again);
	else
		looking_start(fs, req, &(struct looking){ .ino = parent, .looked = lookup_looked, .find = find }, name);
}

/* What came of the look the thread is told where it asks in that folder. */
static void other_looked(struct fs *fs, fuse_req_t req, struct looking *looking, int result)
{
	again_has_waited(&fs->again, fuse_req_ctx(req)->pid, result);
	if (result == -EINTR)
		fuse_reply_err(req, EINTR);
	else
		lookup_now(fs, req, looking->parent, looking->name, looking->find);
}

void looking_lookup(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, looking_find *find)
{
	fuse_ino_t other = again_waits_for(&fs->again, fuse_req_ctx(req)->pid, parent);

	if (other)
		looking_start(fs, req, &(struct looking){ .ino = other, .looked = other_looked, .find = find, .parent = parent },
			      name);
	else
		lookup_now(fs, req, parent, name, find);
}

static void opendir_looked(struct fs *fs, fuse_req_t req, struct looking *looking, int result)
{
	struct mailbox_folder folder;

	if (result == 0)
		result = mailbox_folder(fs->mailbox, inode_row(looking->ino), &folder);
	if (result < 0)
		fuse_reply_err(req, -result);
	else
		listing_reply_open(fs, req, looking->ino, folder.messages + folder.folders, &looking->fi);
}

void looking_opendir(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	looking_start(fs, req, &(struct looking){ .ino = ino, .looked = opendir_looked, .fi = *fi }, "");
}

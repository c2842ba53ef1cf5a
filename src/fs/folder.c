/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folders: names looked up, listed. From the index; only a folder that was not looked at since the start makes its caller wait. What changes them:
 * folder_change.c.
 */
#include <stdlib.h>
#include <string.h>

#include "fs/attributes.h"
#include "fs/control.h"
#include "fs/folder_change.h"
#include "fs/inode.h"
#include "fs/kinds.h"
#include "fs/place.h"
#include "fs/xattr.h"

/* In the root, what the tree itself adds. */
static bool lookup_own(struct fs *fs, const char *name, struct fuse_entry_param *ret)
{
	if (strcmp(name, CONTROL_NAME) == 0) {
		control_entry(fs, CONTROL_ROOT, ret);
		return true;
	}
	if (strcmp(name, PLACE_NAME) == 0 && fs->outbox) {
		place_entry(fs, OUTBOX_QUEUE, ret);
		return true;
	}
	return false;
}

/* A request that waits until its folder was synced. */
struct looking {
	struct wait wait; /* first */
	fuse_ino_t folder;
	struct fuse_file_info fi; /* opendir */
	size_t size;		  /* getxattr */
	char name[];		  /* lookup, getxattr */
};

static void reply_lookup(struct fs *fs, fuse_req_t req, int r, const struct mailbox_entry *child)
{
	struct fuse_entry_param entry;

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	entry_of_child(fs, child, &entry);
	fuse_reply_entry(req, &entry);
}

static void lookup_looked(struct wait *w, int result)
{
	struct looking *looking = (struct looking *)w;
	struct mailbox_entry child;

	if (result == 0)
		result = mailbox_lookup(w->fs->mailbox, inode_row(looking->folder), looking->name, &child);
	reply_lookup(w->fs, w->req, result, &child);
	free(looking);
}

/*
 * A name that the index has is answered at once. For one that it has not, the folder is looked at first, and that may wait for the server, though the
 * kernel holds the directory's lock: a false ENOENT is worse (cp would think the name free), and lookups hold the lock shared.
 */
static void folder_lookup(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param own;
	struct mailbox_entry child;
	struct looking *looking;
	int r;

	listing_note_lookup(fs, parent);
	if (parent == FUSE_ROOT_ID && lookup_own(fs, name, &own)) {
		fuse_reply_entry(req, &own);
		return;
	}
	r = mailbox_lookup(fs->mailbox, inode_row(parent), name, &child);
	if (r != -ENOENT) {
		reply_lookup(fs, req, r, &child);
		return;
	}
	looking = calloc(1, sizeof(*looking) + strlen(name) + 1);
	if (!looking) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	looking->folder = parent;
	strcpy(looking->name, name);
	wait_start(&looking->wait, fs, req, lookup_looked);
	r = mailbox_look(fs->mailbox, inode_row(parent), &looking->wait.waiter);
	if (r == -EINPROGRESS)
		return;
	wait_end(&looking->wait);
	lookup_looked(&looking->wait, r);
}

static void reply_opendir(struct fs *fs, fuse_req_t req, fuse_ino_t ino, int r, struct fuse_file_info *fi)
{
	struct mailbox_folder folder;

	if (r == 0)
		r = mailbox_folder(fs->mailbox, inode_row(ino), &folder);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		listing_reply_open(fs, req, ino, folder.messages + folder.folders, fi);
}

static void opendir_looked(struct wait *w, int result)
{
	struct looking *looking = (struct looking *)w;

	reply_opendir(w->fs, w->req, looking->folder, result, &looking->fi);
	free(looking);
}

static void folder_opendir(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct looking *looking = calloc(1, sizeof(*looking));
	int r;

	if (!looking) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	looking->folder = ino;
	looking->fi = *fi;
	wait_start(&looking->wait, fs, req, opendir_looked);
	r = mailbox_look(fs->mailbox, inode_row(ino), &looking->wait.waiter);
	if (r == -EINPROGRESS)
		return;
	wait_end(&looking->wait);
	opendir_looked(&looking->wait, r);
}

struct folder_listing {
	struct fs *fs;
	struct listing *listing;
};

static int add_child(void *userdata, const struct mailbox_entry *child)
{
	struct folder_listing *fl = userdata;
	struct fuse_entry_param entry;

	entry_of_child(fl->fs, child, &entry);
	return !listing_add(fl->listing, child->is_folder ? child->folder.name : child->message.name, &entry, child->cookie);
}

static int folder_list(struct fs *fs, fuse_ino_t ino, uint64_t after, struct listing *listing)
{
	struct folder_listing fl = { .fs = fs, .listing = listing };
	struct fuse_entry_param outbox;
	struct mailbox_folder folder;
	int r;

	if (listing_stored_position(after) == 0) {
		r = mailbox_folder(fs->mailbox, inode_row(ino), &folder);
		if (r < 0)
			return r;
		if (!listing_add_dots(listing, after, ino, inode_make(INODE_FOLDER, 0, folder.parent ? folder.parent : folder.row)))
			return 0;
		if (ino == FUSE_ROOT_ID && fs->outbox) {
			place_entry(fs, OUTBOX_QUEUE, &outbox);
			if (!listing_add_fixed(listing, after, 3, PLACE_NAME, &outbox))
				return 0;
		}
	}
	return mailbox_list(fs->mailbox, inode_row(ino), listing_stored_position(after), add_child, &fl);
}

static void folder_getattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	struct mailbox_folder folder;
	struct stat st;
	int r = mailbox_folder(fs->mailbox, inode_row(ino), &folder);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	attributes_of_folder(fs, &folder, &st);
	fuse_reply_attr(req, &st, SESSION_KEEP_S);
}

/* What only a sync tells: 0 messages must not be said of a folder that nobody looked at. */
static bool is_learned_by_looking(const char *name)
{
	static const char *const names[] = { "messages", "unseen", "uidvalidity" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void reply_attribute(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	CLEANUP(buf) struct buf value = BUF_INIT;

	xattr_reply(req, mailbox_folder_attribute(fs->mailbox, inode_row(ino), name, &value), &value, size);
}

static void getxattr_looked(struct wait *w, int result)
{
	struct looking *looking = (struct looking *)w;

	if (result < 0)
		fuse_reply_err(w->req, -result);
	else
		reply_attribute(w->fs, w->req, looking->folder, looking->name, looking->size);
	free(looking);
}

static void folder_getxattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct looking *looking;
	int r;

	if (!is_learned_by_looking(name)) {
		reply_attribute(fs, req, ino, name, size);
		return;
	}
	looking = calloc(1, sizeof(*looking) + strlen(name) + 1);
	if (!looking) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	looking->folder = ino;
	looking->size = size;
	strcpy(looking->name, name);
	wait_start(&looking->wait, fs, req, getxattr_looked);
	r = mailbox_look(fs->mailbox, inode_row(ino), &looking->wait.waiter);
	if (r == -EINPROGRESS)
		return;
	wait_end(&looking->wait);
	getxattr_looked(&looking->wait, r);
}

const struct kind_operations folder_operations = {
	.getattr = folder_getattr,
	.setattr = folder_change_attributes,
	.getxattr = folder_getxattr,
	.setxattr = folder_change_xattr,
	.lookup = folder_lookup,
	.opendir = folder_opendir,
	.list = folder_list,
	.create = folder_change_create,
	.make = folder_change_make,
	.mkdir = folder_change_mkdir,
	.rmdir = folder_change_rmdir,
	.fsyncdir = folder_change_sync,
	.unlink = folder_change_unlink,
	.rename = folder_change_rename,
};

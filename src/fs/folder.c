/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folders: names looked up, listed. From the index; only a folder that was not looked at since the start makes its caller wait. What changes them:
 * folder_change.c.
 */
#include <string.h>

#include "fs/attributes.h"
#include "fs/control.h"
#include "fs/folder_change.h"
#include "fs/inode.h"
#include "fs/kinds.h"
#include "fs/looking.h"
#include "fs/place.h"
#include "fs/view_flags.h"
#include "fs/view_maildir.h"
#include "fs/xattr.h"

/* What the tree itself adds. */
static bool lookup_own(struct fs *fs, fuse_ino_t parent, const char *name, struct fuse_entry_param *ret)
{
	bool is_root = parent == FUSE_ROOT_ID;

	if (is_root && strcmp(name, CONTROL_NAME) == 0)
		control_entry(fs, CONTROL_ROOT, ret);
	else if (is_root && strcmp(name, PLACE_NAME) == 0 && fs->outbox)
		place_entry(fs, OUTBOX_QUEUE, ret);
	else
		return view_flags_lookup(fs, parent, name, ret) || view_maildir_lookup(fs, parent, name, ret);
	return true;
}

static int find_child(struct fs *fs, fuse_ino_t parent, const char *name, struct fuse_entry_param *ret)
{
	struct mailbox_entry child;
	int r;

	if (lookup_own(fs, parent, name, ret))
		return 0;
	r = mailbox_lookup(fs->mailbox, inode_row(parent), name, &child);
	if (r == 0)
		entry_of_child(fs, &child, ret);
	return r;
}

static void folder_lookup(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	looking_lookup(fs, req, parent, name, find_child);
}

struct folder_listing {
	struct fs *fs;
	struct listing *listing;
};

static int add_child(void *userdata, const struct mailbox_entry *child)
{
	struct folder_listing *fl = userdata;
	struct fuse_entry_param entry;

	if (fl->listing->names_only && !child->is_folder)
		entry_of_name(child->message.row, &entry);
	else
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
	after = listing_stored_position(after);
	if (listing->names_only)
		return mailbox_list_names(fs->mailbox, inode_row(ino), after, add_child, &fl);
	return mailbox_list(fs->mailbox, inode_row(ino), after, add_child, &fl);
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

static void getxattr_looked(struct fs *fs, fuse_req_t req, struct looking *looking, int result)
{
	if (result < 0)
		fuse_reply_err(req, -result);
	else
		reply_attribute(fs, req, looking->ino, looking->name, looking->size);
}

static void folder_getxattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	if (is_learned_by_looking(name))
		looking_start(fs, req, &(struct looking){ .ino = ino, .looked = getxattr_looked, .size = size }, name);
	else
		reply_attribute(fs, req, ino, name, size);
}

const struct kind_operations folder_operations = {
	.getattr = attributes_reply_folder,
	.setattr = folder_change_attributes,
	.getxattr = folder_getxattr,
	.setxattr = folder_change_xattr,
	.lookup = folder_lookup,
	.opendir = looking_opendir,
	.list = folder_list,
	.create = folder_change_create,
	.make = folder_change_make,
	.mkdir = folder_change_mkdir,
	.rmdir = folder_change_rmdir,
	.fsyncdir = folder_change_sync,
	.unlink = folder_change_unlink,
	.rename = folder_change_rename,
};

/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/view.h"

#include "fs/attributes.h"
#include "fs/inode.h"
#include "message/scratch_name.h"

bool view_shows(const struct mailbox_message *message)
{
	return !message->is_local || (message->size_bytes > 0 && !scratch_name(message->name));
}

void view_entry(struct fs *fs, const struct mailbox_message *message, struct fuse_entry_param *ret)
{
	entry_of_message(fs, message, ret);
	ret->entry_timeout = 0;
}

int view_find_directory(struct fs *fs, fuse_ino_t ino, double keep_s, struct fuse_entry_param *ret)
{
	struct mailbox_folder folder;
	int r = mailbox_folder(fs->mailbox, inode_row(ino), &folder);

	if (r == 0)
		entry_of_view(fs, ino, &folder, keep_s, ret);
	return r;
}

int view_find_file(struct fs *fs, int64_t folder, const char *name, struct mailbox_message *ret)
{
	struct mailbox_entry child;
	int r = mailbox_lookup(fs->mailbox, folder, name, &child);

	if (r == 0 && child.is_folder)
		r = -ENOENT;
	if (r == 0)
		*ret = child.message;
	return r;
}

static void entry_of_mirrored(struct fs *fs, fuse_ino_t directory, const struct mailbox_folder *folder,
			      struct fuse_entry_param *ret)
{
	fuse_ino_t ino = inode_make(inode_kind(directory), inode_part(directory), folder->row);

	entry_of_view(fs, ino, folder, VIEW_KEEP_FOLDER_S, ret);
}

int view_find_folder(struct fs *fs, fuse_ino_t directory, const char *name, struct fuse_entry_param *ret)
{
	struct mailbox_entry child;
	int r = mailbox_lookup(fs->mailbox, inode_row(directory), name, &child);

	if (r == 0 && (!child.is_folder || child.folder.is_local))
		r = -ENOENT;
	if (r == 0)
		entry_of_mirrored(fs, directory, &child.folder, ret);
	return r;
}

int view_list_folder(struct fs *fs, struct listing *listing, fuse_ino_t directory, const struct mailbox_entry *child,
		     const char *name)
{
	struct fuse_entry_param entry;

	if (child->folder.is_local)
		return 0;
	entry_of_mirrored(fs, directory, &child->folder, &entry);
	return !listing_add(listing, name, &entry, child->cookie);
}

int view_list_message(struct fs *fs, struct listing *listing, const struct mailbox_entry *child, const char *name)
{
	struct fuse_entry_param entry;

	view_entry(fs, &child->message, &entry);
	return !listing_add(listing, name, &entry, child->cookie);
}

void view_reply_unlink(struct fs *fs, fuse_req_t req, int r, int64_t row)
{
	fuse_reply_err(req, -r);
	if (r == 0)
		notify_attributes(&fs->notifier, inode_make(INODE_MESSAGE, 0, row));
}

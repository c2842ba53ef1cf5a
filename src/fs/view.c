/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/view.h"

#include "fs/attributes.h"
#include "fs/inode.h"
#include "fs/looking.h"
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

void view_reply_message(struct fs *fs, fuse_req_t req, int r, const struct mailbox_message *message)
{
	struct fuse_entry_param entry;

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	view_entry(fs, message, &entry);
	fuse_reply_entry(req, &entry);
}

void view_reply_directory(struct fs *fs, fuse_req_t req, fuse_ino_t ino, double keep_s)
{
	struct fuse_entry_param entry;
	struct mailbox_folder folder;
	int r = mailbox_folder(fs->mailbox, inode_row(ino), &folder);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	entry_of_view(fs, ino, &folder, keep_s, &entry);
	fuse_reply_entry(req, &entry);
}

void view_reply_unlink(struct fs *fs, fuse_req_t req, int r, int64_t row)
{
	fuse_reply_err(req, -r);
	if (r == 0)
		notify_attributes(&fs->notifier, inode_make(INODE_MESSAGE, 0, row));
}

void view_getattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	struct mailbox_folder folder;
	struct stat st;
	int r = mailbox_folder(fs->mailbox, inode_row(ino), &folder);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	attributes_of_view(fs, ino, &folder, &st);
	fuse_reply_attr(req, &st, 0);
}

static void opendir_looked(struct fs *fs, fuse_req_t req, struct looking *looking, int result)
{
	struct mailbox_folder folder;

	if (result == 0)
		result = mailbox_folder(fs->mailbox, inode_row(looking->ino), &folder);
	if (result < 0)
		fuse_reply_err(req, -result);
	else
		listing_reply_open(fs, req, looking->ino, folder.messages, &looking->fi);
}

void view_opendir(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	looking_start(fs, req, &(struct looking){ .ino = ino, .looked = opendir_looked, .fi = *fi }, "");
}

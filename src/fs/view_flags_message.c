/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "fs/attributes.h"
#include "fs/view.h"
#include "fs/view_flags_private.h"
#include "mailbox/changing.h"
#include "message/flags.h"

static int shows(struct fs *fs, int64_t row, const struct shown_flag *flag)
{
	CLEANUP(buf) struct buf flags = BUF_INIT;
	int r = mailbox_message_attribute(fs->mailbox, row, "flags", &flags);

	return r < 0 ? r : flags_has(buf_str(&flags), flag->word) == flag->is_set;
}

/* -ENOENT: there is no such message, or it has not the flag. */
static int find_message(struct fs *fs, fuse_ino_t directory, const char *name, struct mailbox_message *ret)
{
	struct shown_flag flag;
	int r = view_flags_of(fs, directory, &flag);

	if (r == 0)
		r = view_find_file(fs, inode_row(directory), name, ret);
	if (r < 0)
		return r;
	r = view_shows(ret) ? shows(fs, ret->row, &flag) : 0;
	return r == 1 ? 0 : r < 0 ? r : -ENOENT;
}

int view_flags_find_child(struct fs *fs, fuse_ino_t directory, const char *name, struct fuse_entry_param *ret)
{
	struct mailbox_message message;
	int r = find_message(fs, directory, name, &message);

	if (r == -ENOENT && view_flags_is_mirror(directory))
		return view_find_folder(fs, directory, name, ret);
	if (r == 0)
		view_entry(fs, &message, ret);
	return r;
}

struct flag_listing {
	struct fs *fs;
	struct listing *listing;
	fuse_ino_t directory;
};

static int add_child(void *userdata, const struct mailbox_entry *child)
{
	struct flag_listing *fl = userdata;

	if (!child->is_folder)
		return view_shows(&child->message) ? view_list_message(fl->fs, fl->listing, child, child->message.name) : 0;
	return view_flags_is_mirror(fl->directory) ? view_list_folder(fl->fs, fl->listing, fl->directory, child, child->folder.name)
						   : 0;
}

static fuse_ino_t parent_of(fuse_ino_t directory, const struct mailbox_folder *folder)
{
	if (view_flags_is_mirror(directory) && folder->parent)
		return inode_make(INODE_FLAGS, inode_part(directory), folder->parent);
	return view_flags_ino(directory, PART_VIEW);
}

int view_flags_list_children(struct fs *fs, fuse_ino_t directory, uint64_t after, struct listing *listing)
{
	struct flag_listing fl = { fs, listing, directory };
	struct mailbox_folder folder;
	struct shown_flag flag;
	int r = view_flags_of(fs, directory, &flag);

	if (r == 0)
		r = mailbox_folder(fs->mailbox, inode_row(directory), &folder);
	if (r < 0 || !listing_add_dots(listing, after, directory, parent_of(directory, &folder)))
		return r;
	return mailbox_list_by_flag(fs->mailbox, folder.row, flag.word, flag.is_set, listing_stored_position(after), add_child,
				    &fl);
}

/* So that the directory shows the message, or shows it no longer. */
static int change(struct fs *fs, int64_t row, const struct shown_flag *flag, bool is_to_show)
{
	CLEANUP(buf) struct buf value = BUF_INIT;
	int r = buf_printf(&value, "%c%s", is_to_show == flag->is_set ? '+' : '-', flag->word);

	return r < 0 ? r : mailbox_set_flags(fs->mailbox, row, buf_str(&value), value.len);
}

static int link_message(struct fs *fs, fuse_ino_t directory, fuse_ino_t ino, struct mailbox_message *ret)
{
	struct shown_flag flag;
	int r = view_flags_of(fs, directory, &flag);

	if (r < 0 || inode_kind(ino) != INODE_MESSAGE)
		return -EPERM;
	r = mailbox_message(fs->mailbox, inode_row(ino), ret);
	if (r == 0 && ret->folder != inode_row(directory))
		r = ret->folder ? -EXDEV : -ENOENT;
	if (r == 0 && !view_shows(ret))
		r = -EPERM;
	if (r == 0)
		r = change(fs, ret->row, &flag, true);
	return r < 0 ? r : mailbox_message(fs->mailbox, inode_row(ino), ret);
}

/* The name does not matter: a message may be linked from where it has another one, and shows under its own. */
void view_flags_link(struct fs *fs, fuse_req_t req, fuse_ino_t directory, const char *name, fuse_ino_t ino)
{
	struct mailbox_message message;
	struct fuse_entry_param entry;
	int r = link_message(fs, directory, ino, &message);

	(void)name;
	if (r == 0)
		view_entry(fs, &message, &entry);
	entry_reply(req, r, &entry);
	if (r == 0)
		notify_attributes(&fs->notifier, ino);
}

/* In `unseen` somebody might mean to delete. */
static int unlink_message(struct fs *fs, fuse_ino_t directory, const char *name, struct mailbox_message *ret)
{
	struct shown_flag flag;
	int r = view_flags_of(fs, directory, &flag);

	if (r < 0)
		return -EISDIR;
	if (!flag.is_set)
		return -EPERM;
	r = find_message(fs, directory, name, ret);
	return r < 0 ? r : change(fs, ret->row, &flag, false);
}

void view_flags_unlink(struct fs *fs, fuse_req_t req, fuse_ino_t directory, const char *name)
{
	struct mailbox_message message = { 0 };
	int r = unlink_message(fs, directory, name, &message);

	view_reply_unlink(fs, req, r, message.row);
}

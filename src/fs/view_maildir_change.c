/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What programs do to a Maildir: write into tmp, rename from there into new or cur, rename for flags, rename into another folder, remove. Links are refused: who delivers then renames.
 */
#include <stdio.h>
#include <string.h>

#include "fs/view.h"
#include "fs/view_maildir_private.h"
#include "fs/writing.h"
#include "mailbox/changing.h"
#include "message/flags.h"
#include "message/maildir_name.h"
#include "message/scratch_name.h"

static fuse_ino_t folder_ino(int64_t row)
{
	return inode_make(INODE_FOLDER, 0, row);
}

/* A file is begun in tmp, and nowhere else. */
static int name_to_write(fuse_ino_t parent, const char *name, struct buf *out)
{
	return inode_part(parent) == PART_TMP ? view_maildir_tmp_name(name, out) : -EPERM;
}

void view_maildir_create(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	CLEANUP(buf) struct buf file = BUF_INIT;
	int r = name_to_write(parent, name, &file);

	if (r < 0)
		fuse_reply_err(req, -r);
	else
		writing_create(fs, req, folder_ino(inode_row(parent)), buf_str(&file), mode, fi);
}

void view_maildir_make(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	CLEANUP(buf) struct buf file = BUF_INIT;
	int r = name_to_write(parent, name, &file);

	if (r < 0)
		fuse_reply_err(req, -r);
	else
		writing_make(fs, req, folder_ino(inode_row(parent)), buf_str(&file), mode);
}

/* The message or file that a name stands for; `ret->name` is what it is called in the folder. */
static int find(struct fs *fs, fuse_ino_t directory, const char *name, struct mailbox_message *ret)
{
	CLEANUP(buf) struct buf file = BUF_INIT;
	int r;

	if (inode_part(directory) == PART_MAILDIR)
		return -EPERM;
	if (inode_part(directory) != PART_TMP)
		return view_maildir_find(fs, inode_row(directory), name, ret);
	r = view_maildir_tmp_name(name, &file);
	return r < 0 ? r : view_find_file(fs, inode_row(directory), buf_str(&file), ret);
}

/* The kernel changed names here; that the folder has one less it must be told. */
static void tell_folder(struct fs *fs, const struct mailbox_message *message)
{
	notify_name_gone(&fs->notifier, folder_ino(message->folder), message->name);
}

void view_maildir_unlink(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mailbox_message message = { 0 };
	int r = find(fs, parent, name, &message);

	if (r == 0)
		r = mailbox_unlink(fs->mailbox, message.folder, message.name);
	view_reply_unlink(fs, req, r, message.row);
	if (r == 0)
		tell_folder(fs, &message);
}

/* ------------------------------------------------------------ renaming */

static int set_flags(struct fs *fs, int64_t row, char sign, const struct buf *words)
{
	CLEANUP(buf) struct buf value = BUF_INIT;
	int r = words->len ? buf_printf(&value, "%c%s", sign, buf_str(words)) : 0;

	return r < 0 || !value.len ? r : mailbox_set_flags(fs->mailbox, row, buf_str(&value), value.len);
}

/* What the new name says otherwise than the old one did: keywords stay, and so does what others changed meanwhile. */
static int change_flags(struct fs *fs, int64_t row, const char *from_name, const char *to_name)
{
	CLEANUP(buf) struct buf from = BUF_INIT, to = BUF_INIT, add = BUF_INIT, remove = BUF_INIT;
	char from_letters[6], to_letters[6];
	int r;

	maildir_name_letters(from_name, from_letters);
	maildir_name_letters(to_name, to_letters);
	r = flags_from_maildir(from_letters, &from);
	if (r == 0)
		r = flags_from_maildir(to_letters, &to);
	if (r == 0)
		r = flags_difference(buf_str(&from), buf_str(&to), &add, &remove);
	if (r == 0)
		r = set_flags(fs, row, '+', &add);
	return r < 0 ? r : set_flags(fs, row, '-', &remove);
}

static int move(struct fs *fs, const struct mailbox_message *message, int64_t to_folder, const char *to_file)
{
	struct waiter nobody = { 0 };

	return mailbox_rename(fs->mailbox, message->folder, message->name, to_folder, to_file, true, &nobody);
}

/* From tmp: a new message of the folder, with these flags from the start. */
static int deliver(struct fs *fs, const struct mailbox_message *message, int64_t to_folder, const char *to_name)
{
	CLEANUP(buf) struct buf file = BUF_INIT;
	int r = maildir_name_to_file(to_name, &file);

	if (r == 0 && scratch_name(buf_str(&file))) /* no reader of a Maildir sees it, and it would be uploaded by nobody */
		r = -EINVAL;
	if (r == 0)
		r = change_flags(fs, message->row, "", to_name);
	return r < 0 ? r : move(fs, message, to_folder, buf_str(&file));
}

/* It keeps its name in the tree, unless that is taken there. */
static int refile(struct fs *fs, const struct mailbox_message *message, int64_t to_folder, const char *to_name)
{
	CLEANUP(buf) struct buf file = BUF_INIT;
	int r = move(fs, message, to_folder, message->name);

	if (r == -EEXIST)
		r = maildir_name_to_file(to_name, &file);
	return file.len && r == 0 ? move(fs, message, to_folder, buf_str(&file)) : r;
}

static int rename_tmp(struct fs *fs, const struct mailbox_message *message, int64_t to_folder, const char *to_name)
{
	CLEANUP(buf) struct buf file = BUF_INIT;
	int r = view_maildir_tmp_name(to_name, &file);

	return r < 0 ? r : move(fs, message, to_folder, buf_str(&file));
}

static int rename_message(struct fs *fs, const struct mailbox_message *message, fuse_ino_t parent, const char *name, fuse_ino_t to,
			  const char *to_name)
{
	bool is_from_tmp = inode_part(parent) == PART_TMP, is_to_tmp = inode_part(to) == PART_TMP;
	int r;

	if (is_to_tmp)
		return is_from_tmp ? rename_tmp(fs, message, inode_row(to), to_name) : -EPERM;
	if (is_from_tmp)
		return deliver(fs, message, inode_row(to), to_name);
	r = change_flags(fs, message->row, name, to_name);
	return r < 0 || inode_row(to) == message->folder ? r : refile(fs, message, inode_row(to), to_name);
}

static int check_rename(fuse_ino_t to, unsigned flags)
{
	if (inode_kind(to) != INODE_MAILDIR)
		return inode_kind(to) == INODE_FOLDER || inode_kind(to) == INODE_PLACE ? -EXDEV : -EPERM;
	if (inode_part(to) == PART_MAILDIR)
		return -EPERM;
	return flags & ~(unsigned)RENAME_NOREPLACE ? -EINVAL : 0;
}

/* Nothing is replaced in a Maildir: a name that is taken means another message. */
static int rename_to(struct fs *fs, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name,
		     struct mailbox_message *ret)
{
	struct mailbox_message target;
	int r = find(fs, parent, name, ret);

	if (r < 0)
		return r;
	r = find(fs, to, to_name, &target);
	if (r == 0 && target.row != ret->row)
		return -EEXIST;
	return r < 0 && r != -ENOENT ? r : rename_message(fs, ret, parent, name, to, to_name);
}

/* The kernel takes the new name for the message's; it is to ask again, as its name in cur may be another one. */
void view_maildir_rename(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name,
			 unsigned flags)
{
	struct mailbox_message message = { 0 }, now;
	int r = check_rename(to, flags);

	if (r == 0)
		r = rename_to(fs, parent, name, to, to_name, &message);
	fuse_reply_err(req, -r);
	if (r < 0)
		return;
	notify_name_gone(&fs->notifier, to, to_name);
	if (mailbox_message(fs->mailbox, message.row, &now) < 0 || now.folder != message.folder ||
	    strcmp(now.name, message.name) != 0)
		tell_folder(fs, &message);
}

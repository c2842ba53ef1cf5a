/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/view_maildir.h"

#include <string.h>

#include "fs/attributes.h"
#include "fs/folder_change.h"
#include "fs/kinds.h"
#include "fs/looking.h"
#include "fs/view.h"
#include "fs/view_maildir_private.h"
#include "message/maildir_name.h"

/* Files of tmp in the folder itself: a leading dot makes them scratch. */
#define TMP_PREFIX ".maildir."

static const char *const parts[] = { [PART_CUR] = "cur", [PART_NEW] = "new", [PART_TMP] = "tmp" };

static fuse_ino_t ino_of(unsigned part, int64_t folder)
{
	return inode_make(INODE_MAILDIR, part, folder);
}

/* 0: none of them. */
static unsigned part_of_name(const char *name)
{
	for (unsigned part = PART_CUR; part <= PART_TMP; part++)
		if (strcmp(name, parts[part]) == 0)
			return part;
	return 0;
}

bool view_maildir_lookup(struct fs *fs, fuse_ino_t folder, const char *name, struct fuse_entry_param *ret)
{
	struct mailbox_folder root;

	if (folder != FUSE_ROOT_ID || strcmp(name, VIEW_MAILDIR_NAME) != 0 || mailbox_folder(fs->mailbox, MAILBOX_ROOT, &root) < 0)
		return false;
	entry_of_view(fs, ino_of(PART_MAILDIR, MAILBOX_ROOT), &root, SESSION_KEEP_S, ret);
	return true;
}

/* ------------------------------------------------------------ folders */

/* A folder that is called like what each Maildir has is `%63ur`, `%6Eew` or `%74mp`: no folder of the tree can be called that. */
static int name_of_folder(const char *folder, struct buf *out)
{
	return part_of_name(folder) ? buf_printf(out, "%%%02X%s", (unsigned char)*folder, folder + 1) : buf_append_str(out, folder);
}

static int folder_of_name(const char *name, struct buf *out)
{
	for (unsigned part = PART_CUR; part <= PART_TMP; part++) {
		CLEANUP(buf) struct buf escaped = BUF_INIT;
		int r = name_of_folder(parts[part], &escaped);

		if (r < 0)
			return r;
		if (strcmp(name, buf_str(&escaped)) == 0)
			return buf_append_str(out, parts[part]);
	}
	return part_of_name(name) ? -ENOENT : buf_append_str(out, name);
}

static int find_part(struct fs *fs, int64_t folder, unsigned part, struct fuse_entry_param *ret)
{
	struct mailbox_folder f;
	int r = mailbox_folder(fs->mailbox, folder, &f);

	if (r == 0 && !f.is_selectable)
		r = -ENOENT;
	if (r == 0)
		entry_of_view(fs, ino_of(part, folder), &f, SESSION_KEEP_S, ret);
	return r;
}

static int find_in_maildir(struct fs *fs, fuse_ino_t maildir, const char *name, struct fuse_entry_param *ret)
{
	CLEANUP(buf) struct buf folder = BUF_INIT;
	unsigned part = part_of_name(name);
	int r;

	if (part)
		return find_part(fs, inode_row(maildir), part, ret);
	r = folder_of_name(name, &folder);
	return r < 0 ? r : view_find_folder(fs, maildir, buf_str(&folder), ret);
}

struct maildir_listing {
	struct fs *fs;
	struct listing *listing;
	fuse_ino_t directory;
	uint32_t uidvalidity;
};

/* Folders come first. */
static int add_folder(void *userdata, const struct mailbox_entry *child)
{
	CLEANUP(buf) struct buf name = BUF_INIT;
	struct maildir_listing *ml = userdata;

	if (!child->is_folder)
		return 1;
	if (name_of_folder(child->folder.name, &name) < 0)
		return -ENOMEM;
	return view_list_folder(ml->fs, ml->listing, ml->directory, child, buf_str(&name));
}

static int list_maildir(struct fs *fs, fuse_ino_t maildir, uint64_t after, struct listing *listing)
{
	struct maildir_listing ml = { .fs = fs, .listing = listing, .directory = maildir };
	struct fuse_entry_param entry;
	struct mailbox_folder folder;
	int r = mailbox_folder(fs->mailbox, inode_row(maildir), &folder);

	if (r < 0)
		return r;
	if (!listing_add_dots(listing, after, maildir,
			      folder.parent ? ino_of(PART_MAILDIR, folder.parent) : (fuse_ino_t)FUSE_ROOT_ID))
		return 0;
	for (unsigned part = PART_CUR; part <= PART_TMP && folder.is_selectable; part++) {
		entry_of_view(fs, ino_of(part, folder.row), &folder, SESSION_KEEP_S, &entry);
		if (!listing_add_fixed(listing, after, part + 2, parts[part], &entry))
			return 0;
	}
	return mailbox_list(fs->mailbox, folder.row, listing_stored_position(after), add_folder, &ml);
}

/* ------------------------------------------------------------ messages */

static int name_of_message(const struct mailbox_message *message, uint32_t uidvalidity, struct buf *out)
{
	struct maildir_name name = { .date_s = message->internaldate_s, .uidvalidity = uidvalidity, .uid = message->uid };

	return message->uid ? maildir_name_make(&name, message->letters, out)
			    : maildir_name_of_file(message->name, message->letters, out);
}

/* One of ours; a message of another date is another one, from a folder with the same UIDVALIDITY. */
static int find_own(struct fs *fs, int64_t folder, const struct maildir_name *name, struct mailbox_message *ret)
{
	struct mailbox_folder f;
	int r = mailbox_folder(fs->mailbox, folder, &f);

	if (r == 0 && f.uidvalidity != name->uidvalidity)
		r = -ENOENT;
	if (r == 0)
		r = mailbox_message_by_uid(fs->mailbox, folder, name->uid, ret);
	return r == 0 && ret->internaldate_s != name->date_s ? -ENOENT : r;
}

/* One that a program delivered goes on being found under the name that it gave. */
static int find_given(struct fs *fs, int64_t folder, const char *name, struct mailbox_message *ret)
{
	CLEANUP(buf) struct buf file = BUF_INIT;
	int r = maildir_name_to_file(name, &file);

	if (r == 0)
		r = view_find_file(fs, folder, buf_str(&file), ret);
	if (r == -ENOENT) {
		buf_truncate(&file, maildir_name_base(name));
		r = view_find_file(fs, folder, buf_str(&file), ret);
	}
	return r;
}

int view_maildir_find(struct fs *fs, int64_t folder, const char *name, struct mailbox_message *ret)
{
	struct maildir_name own;
	int r = maildir_name_parse(name, &own) ? find_own(fs, folder, &own, ret) : -ENOENT;

	if (r == -ENOENT)
		r = find_given(fs, folder, name, ret);
	return r == 0 && !view_shows(ret) ? -ENOENT : r;
}

int view_maildir_tmp_name(const char *name, struct buf *out)
{
	return strlen(name) + strlen(TMP_PREFIX) > NAME_MAX ? -ENAMETOOLONG : buf_printf(out, "%s%s", TMP_PREFIX, name);
}

/* Under a name that tells other flags there is nothing: a rename to it must not meet the message itself. */
static int find_shown(struct fs *fs, fuse_ino_t directory, const char *name, struct mailbox_message *ret)
{
	CLEANUP(buf) struct buf file = BUF_INIT;
	char letters[6];
	int r;

	if (inode_part(directory) == PART_TMP) {
		r = view_maildir_tmp_name(name, &file);
		return r < 0 ? r : view_find_file(fs, inode_row(directory), buf_str(&file), ret);
	}
	r = view_maildir_find(fs, inode_row(directory), name, ret);
	maildir_name_letters(name, letters);
	return r == 0 && strcmp(letters, ret->letters) != 0 ? -ENOENT : r;
}

static int find_in_part(struct fs *fs, fuse_ino_t directory, const char *name, struct fuse_entry_param *ret)
{
	struct mailbox_message message;
	int r = find_shown(fs, directory, name, &message);

	if (r == 0)
		view_entry(fs, &message, ret);
	return r;
}

/* Once the name is too long there is no name: it will be one of ours when the message has its UID. */
static int add_as(struct maildir_listing *ml, const struct mailbox_entry *child, const char *name)
{
	return strlen(name) > NAME_MAX ? 0 : view_list_message(ml->fs, ml->listing, child, name);
}

static int add_message(void *userdata, const struct mailbox_entry *child)
{
	CLEANUP(buf) struct buf name = BUF_INIT;
	struct maildir_listing *ml = userdata;

	if (child->is_folder || !view_shows(&child->message))
		return 0;
	return name_of_message(&child->message, ml->uidvalidity, &name) < 0 ? -ENOMEM : add_as(ml, child, buf_str(&name));
}

static int add_tmp(void *userdata, const struct mailbox_entry *child)
{
	const char *name = child->message.name;

	if (child->is_folder || !child->message.is_local || strncmp(name, TMP_PREFIX, strlen(TMP_PREFIX)) != 0)
		return 0;
	return add_as(userdata, child, name + strlen(TMP_PREFIX));
}

static int list_messages(struct fs *fs, fuse_ino_t directory, uint64_t after, struct listing *listing)
{
	struct maildir_listing ml = { .fs = fs, .listing = listing };
	unsigned part = inode_part(directory);
	struct mailbox_folder folder;
	int r = mailbox_folder(fs->mailbox, inode_row(directory), &folder);

	if (r < 0 || !listing_add_dots(listing, after, directory, ino_of(PART_MAILDIR, folder.row)) || part == PART_NEW)
		return r;
	ml.uidvalidity = folder.uidvalidity;
	return mailbox_list(fs->mailbox, folder.row, listing_stored_position(after), part == PART_CUR ? add_message : add_tmp, &ml);
}

/* ------------------------------------------------------------ either */

static void maildir_lookup(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	looking_lookup(fs, req, parent, name, inode_part(parent) == PART_MAILDIR ? find_in_maildir : find_in_part);
}

static int maildir_list(struct fs *fs, fuse_ino_t ino, uint64_t after, struct listing *listing)
{
	return (inode_part(ino) == PART_MAILDIR ? list_maildir : list_messages)(fs, ino, after, listing);
}

const struct kind_operations view_maildir_operations = {
	.getattr = attributes_reply_folder,
	.lookup = maildir_lookup,
	.opendir = looking_opendir,
	.list = maildir_list,
	.create = view_maildir_create,
	.make = view_maildir_make,
	.fsyncdir = folder_change_sync,
	.unlink = view_maildir_unlink,
	.rename = view_maildir_rename,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages: attributes and extended attributes. Their bytes: reading.c; those of files that are written: writing.c, local.c.
 */
#include <string.h>

#include "fs/attributes.h"
#include "fs/gmail_attribute.h"
#include "fs/header_attribute.h"
#include "fs/inode.h"
#include "fs/kinds.h"
#include "fs/reading.h"
#include "fs/settling.h"
#include "fs/writing.h"
#include "fs/written.h"
#include "fs/xattr.h"
#include "mailbox/changing.h"

static void message_getattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	struct fuse_entry_param entry;
	struct mailbox_message message;
	int r = mailbox_message(fs->mailbox, inode_row(ino), &message);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	entry_of_message(fs, &message, &entry);
	fuse_reply_attr(req, &entry.attr, entry.attr_timeout);
}

static int set_size(struct fs *fs, fuse_req_t req, fuse_ino_t ino, int64_t size_bytes)
{
	struct mailbox_message message;
	int r = submission_truncate(&fs->submissions, ino, size_bytes);

	if (r != -EACCES)
		return r;
	r = mailbox_message(fs->mailbox, inode_row(ino), &message);
	if (r < 0)
		return r;
	return message.is_local ? writing_truncate(fs, req, ino, size_bytes) : -EACCES;
}

static int set_mtime(struct fs *fs, fuse_ino_t ino, const struct stat *to, int valid)
{
	struct timespec mtime = attributes_new_mtime(to, valid);

	submission_set_mtime(&fs->submissions, ino, &mtime);
	return mailbox_set_mtime(fs->mailbox, inode_row(ino), &mtime);
}

static void message_setattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const struct stat *to, int valid)
{
	int r = attributes_check_owner(fs, to, valid);

	if (r == 0 && (valid & FUSE_SET_ATTR_SIZE))
		r = set_size(fs, req, ino, to->st_size);
	if (r == 0 && (valid & FUSE_SET_ATTR_MODE))
		r = mailbox_set_mode(fs->mailbox, inode_row(ino), to->st_mode & 0777);
	if (r == 0 && (valid & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)))
		r = set_mtime(fs, ino, to, valid);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		message_getattr(fs, req, ino);
}

/* Whether its bytes are on this machine only, or are about to be others: what is read then is what was written. */
static bool is_written(struct fs *fs, const struct mailbox_message *message)
{
	bool is_being_written;
	struct stat st;

	return message->is_local ||
	       (submission_stat(&fs->submissions, inode_make(INODE_MESSAGE, 0, message->row), &st, &is_being_written) &&
		is_being_written);
}

static bool is_here(struct fs *fs, fuse_ino_t ino)
{
	struct mailbox_message message;

	if (mailbox_is_cached(fs->mailbox, inode_row(ino)))
		return true;
	return mailbox_message(fs->mailbox, inode_row(ino), &message) == 0 && message.is_local;
}

/* The header's fields as attributes: of stored messages, whose bytes stay what they are. */
static void get_header_attribute(struct fs *fs, fuse_req_t req, int64_t row, const char *name, size_t size)
{
	struct mailbox_message message;
	int r = mailbox_message(fs->mailbox, row, &message);

	if (r < 0 || is_written(fs, &message))
		fuse_reply_err(req, r < 0 ? -r : ENODATA);
	else
		header_attribute_get(fs, req, row, name, size);
}

static void message_getxattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	CLEANUP(buf) struct buf value = BUF_INIT;
	int r;

	if (mailbox_gmail_has(name)) {
		gmail_attribute_get(fs, req, inode_row(ino), name, size);
		return;
	}
	if (strcmp(name, "cached") == 0)
		r = buf_append_char(&value, is_here(fs, ino) ? '1' : '0');
	else
		r = mailbox_message_attribute(fs->mailbox, inode_row(ino), name, &value);
	if (r == -ENODATA)
		get_header_attribute(fs, req, inode_row(ino), name, size);
	else
		xattr_reply(req, r, &value, size);
}

/* Flags mean something; anything else that cp -a and rsync -X bring along is accepted and forgotten: an error would make them fail. */
static void message_setxattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size)
{
	struct mailbox_message message;
	int r = 0;

	if (strcmp(name, XATTR_PREFIX "flags") == 0)
		r = mailbox_set_flags(fs->mailbox, inode_row(ino), value, size);
	else if (strncmp(name, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0 &&
		 mailbox_message(fs->mailbox, inode_row(ino), &message) == 0 && !message.is_local)
		r = -EPERM;
	if (r == 1)
		settling_wait(fs, req, ino, local_written.settle);
	else
		fuse_reply_err(req, -r);
}

/* rsync -X removes what the source has not: no flags, then. */
static void message_removexattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name)
{
	if (strncmp(name, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0)
		message_setxattr(fs, req, ino, name, "", 0);
	else
		fuse_reply_err(req, ENODATA);
}

/*
 * A row that went: the kernel may have a name for it that means another message by now, as after a rename over the same bytes. ESTALE makes it look again,
 * and whoever asked for the name gets that one, or ENOENT.
 */
static void message_open(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	bool write = (fi->flags & O_ACCMODE) != O_RDONLY;
	struct mailbox_message message;

	if (mailbox_message(fs->mailbox, inode_row(ino), &message) < 0 || !message.folder)
		fuse_reply_err(req, ESTALE);
	else if ((write || (fi->flags & O_TRUNC)) && fs->read_only)
		fuse_reply_err(req, EROFS);
	else if (!write && (fi->flags & O_TRUNC))
		fuse_reply_err(req, EACCES);
	else if (write || is_written(fs, &message))
		writing_open(fs, req, ino, fi);
	else
		reading_open(fs, req, ino, fi);
}

static void message_read(struct fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(writing_has(fi) ? writing_read : reading_read)(fs, req, ino, size, offset, fi);
}

static void message_write(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
			  struct fuse_file_info *fi)
{
	if (writing_has(fi))
		writing_write(fs, req, ino, data, size, offset, fi);
	else
		fuse_reply_err(req, EBADF);
}

static void message_flush(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(writing_has(fi) ? writing_flush : reading_flush)(fs, req, ino, fi);
}

static void message_fsync(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (writing_has(fi))
		writing_fsync(fs, req, ino, fi);
	else
		settling_wait(fs, req, ino, local_written.settle);
}

static void message_release(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(writing_has(fi) ? writing_release : reading_release)(fs, req, ino, fi);
}

/* Where there are none, none are listed: rsync -X compares lists, and a file elsewhere has no such attribute either. */
static int message_listxattr(struct fs *fs, fuse_ino_t ino, struct buf *names)
{
	static const char name[] = XATTR_PREFIX "flags";
	CLEANUP(buf) struct buf flags = BUF_INIT;
	int r = mailbox_message_attribute(fs->mailbox, inode_row(ino), "flags", &flags);

	return r < 0 || !flags.len ? r : buf_append(names, name, sizeof(name));
}

const struct kind_operations message_operations = {
	.getattr = message_getattr,
	.setattr = message_setattr,
	.getxattr = message_getxattr,
	.listxattr = message_listxattr,
	.setxattr = message_setxattr,
	.removexattr = message_removexattr,
	.open = message_open,
	.read = message_read,
	.write = message_write,
	.flush = message_flush,
	.fsync = message_fsync,
	.release = message_release,
};

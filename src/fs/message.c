/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages: attributes and extended attributes. Their bytes: reading.c.
 */
#include <string.h>

#include "fs/attributes.h"
#include "fs/gmail_attribute.h"
#include "fs/header_attribute.h"
#include "fs/inode.h"
#include "fs/kinds.h"
#include "fs/reading.h"
#include "fs/xattr.h"

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

static void message_setattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const struct stat *to, int valid)
{
	(void)ino, (void)to;
	if (fs->read_only)
		fuse_reply_err(req, EROFS);
	else
		fuse_reply_err(req, valid & FUSE_SET_ATTR_SIZE ? EACCES : EPERM);
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
		r = buf_append_char(&value, mailbox_is_cached(fs->mailbox, inode_row(ino)) ? '1' : '0');
	else
		r = mailbox_message_attribute(fs->mailbox, inode_row(ino), name, &value);
	if (r == -ENODATA)
		header_attribute_get(fs, req, inode_row(ino), name, size);
	else
		xattr_reply(req, r, &value, size);
}

static const char listed[] = XATTR_PREFIX "flags";

const struct kind_operations message_operations = {
	.getattr = message_getattr,
	.setattr = message_setattr,
	.getxattr = message_getxattr,
	.listed_xattrs = listed,
	.listed_xattrs_size = sizeof(listed),
	.open = reading_open,
	.read = reading_read,
	.flush = reading_flush,
	.release = reading_release,
};

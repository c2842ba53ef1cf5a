/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages that are written: new ones, scratch files, and drafts that are edited. What mailbox/changing.h is to writing.c.
 */
#include "fs/attributes.h"
#include "fs/inode.h"
#include "fs/reading.h"
#include "fs/written.h"
#include "mailbox/changing.h"

static int create_local(struct fs *fs, fuse_ino_t parent, const char *name, mode_t mode, fuse_ino_t *ret_ino, int *ret_fd)
{
	int64_t row;
	int r = mailbox_create(fs->mailbox, inode_row(parent), name, mode & ~fs->umask, &row, ret_fd);

	if (r == 0)
		*ret_ino = inode_make(INODE_MESSAGE, 0, row);
	return r;
}

static int open_local(struct fs *fs, fuse_ino_t ino, bool write, bool truncate, struct waiter *w, int *ret_fd)
{
	int r = mailbox_edit(fs->mailbox, inode_row(ino), write, truncate, w, ret_fd);

	if (r == 0 && write)
		reading_end_of(fs, ino);
	return r;
}

static int show_local(struct fs *fs, fuse_ino_t ino, struct fuse_entry_param *ret)
{
	struct mailbox_message message;
	int r = mailbox_message(fs->mailbox, inode_row(ino), &message);

	if (r == 0)
		entry_of_message(fs, &message, ret);
	return r;
}

static int commit_local(struct fs *fs, fuse_ino_t ino, struct waiter *w)
{
	return mailbox_commit(fs->mailbox, inode_row(ino), w);
}

static bool is_journalled(struct fs *fs, fuse_ino_t ino)
{
	return mailbox_commit_is_safe(fs->mailbox, inode_row(ino));
}

static int copy_stored(struct fs *fs, fuse_ino_t source, fuse_ino_t ino)
{
	return mailbox_copy(fs->mailbox, inode_row(source), inode_row(ino));
}

static void abandon_stored(struct fs *fs, fuse_ino_t ino)
{
	mailbox_abandon_copy(fs->mailbox, inode_row(ino));
}

static void abandon_local(struct fs *fs, fuse_ino_t ino)
{
	mailbox_abandon(fs->mailbox, inode_row(ino));
}

static int settle_local(struct fs *fs, fuse_ino_t ino, struct waiter *w)
{
	return mailbox_settle_message(fs->mailbox, inode_row(ino), w);
}

const struct written_operations local_written = {
	.what = "mailbox",
	.bytes_may_change = true, /* a server's line endings, a draft's next version */
	.create = create_local,
	.open = open_local,
	.open_otherwise = reading_open, /* it was uploaded meanwhile */
	.entry = show_local,
	.commit = commit_local,
	.may_leave = is_journalled,
	.copy = copy_stored,
	.abandon_copy = abandon_stored,
	.abandon = abandon_local,
	.settle = settle_local,
};

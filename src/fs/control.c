/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/control.h"

#include <stdlib.h>
#include <string.h>

#include "fs/attributes.h"
#include "fs/inode.h"
#include "fs/kinds.h"

static const struct {
	const char *name;
	enum control parent;
	mode_t mode;
	nlink_t nlink;
} files[] = {
	[CONTROL_ROOT] = { CONTROL_NAME, CONTROL_ROOT, S_IFDIR | 0555, 3 },
	[CONTROL_STATUS] = { "status", CONTROL_ROOT, S_IFREG | 0444, 1 },
	[CONTROL_SPECIAL] = { "special", CONTROL_ROOT, S_IFDIR | 0555, 2 },
};

static bool is_link(int64_t row)
{
	return row >= CONTROL_LINK;
}

static bool exists(int64_t row)
{
	return is_link(row) || (row >= CONTROL_ROOT && row <= CONTROL_SPECIAL);
}

static void entry_of(const struct fs *fs, int64_t row, struct fuse_entry_param *ret)
{
	fuse_ino_t ino = inode_make(INODE_CONTROL, 0, row);

	if (is_link(row))
		entry_of_control(fs, ino, S_IFLNK | 0777, 1, ret);
	else
		entry_of_control(fs, ino, files[row].mode, files[row].nlink, ret);
}

void control_entry(const struct fs *fs, enum control control, struct fuse_entry_param *ret)
{
	entry_of(fs, control, ret);
}

static void control_getattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	struct fuse_entry_param entry;

	if (!exists(inode_row(ino))) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	entry_of(fs, inode_row(ino), &entry);
	fuse_reply_attr(req, &entry.attr, 0);
}

/* The row of a special-use folder's link, or -ENOENT. */
static int64_t find_link(struct fs *fs, const char *name)
{
	CLEANUP(buf) struct buf special = BUF_INIT, path = BUF_INIT;

	for (size_t i = 0; mailbox_special(fs->mailbox, i, &special, &path) == 0; i++) {
		if (strcmp(buf_str(&special), name) == 0)
			return CONTROL_LINK + (int64_t)i;
		buf_truncate(&special, 0);
		buf_truncate(&path, 0);
	}
	return -ENOENT;
}

static int64_t find_child(struct fs *fs, int64_t parent, const char *name)
{
	for (int64_t row = CONTROL_STATUS; row <= CONTROL_SPECIAL; row++)
		if (files[row].parent == parent && strcmp(files[row].name, name) == 0)
			return row;
	return parent == CONTROL_SPECIAL ? find_link(fs, name) : -ENOENT;
}

static void control_lookup(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	int64_t row = find_child(fs, inode_row(parent), name);

	if (row < 0) {
		fuse_reply_err(req, (int)-row);
		return;
	}
	entry_of(fs, row, &entry);
	fuse_reply_entry(req, &entry);
}

static void control_opendir(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	listing_reply_open(fs, req, ino, 0, fi);
}

static bool list_links(struct fs *fs, uint64_t after, struct listing *listing)
{
	CLEANUP(buf) struct buf special = BUF_INIT, path = BUF_INIT;
	struct fuse_entry_param entry;

	for (size_t i = 0; mailbox_special(fs->mailbox, i, &special, &path) == 0; i++) {
		entry_of(fs, CONTROL_LINK + (int64_t)i, &entry);
		if (!listing_add_fixed(listing, after, CONTROL_LINK + (unsigned)i, buf_str(&special), &entry))
			return false;
		buf_truncate(&special, 0);
		buf_truncate(&path, 0);
	}
	return true;
}

static int control_list(struct fs *fs, fuse_ino_t ino, uint64_t after, struct listing *listing)
{
	struct fuse_entry_param entry;
	int64_t parent = inode_row(ino);
	fuse_ino_t above = parent == CONTROL_ROOT ? FUSE_ROOT_ID : inode_make(INODE_CONTROL, 0, files[parent].parent);

	if (!listing_add_dots(listing, after, ino, above))
		return 0;
	for (int64_t row = CONTROL_STATUS; row <= CONTROL_SPECIAL; row++) {
		entry_of(fs, row, &entry);
		if ((int64_t)files[row].parent == parent &&
		    !listing_add_fixed(listing, after, (unsigned)row + 2, files[row].name, &entry))
			return 0;
	}
	if (parent == CONTROL_SPECIAL)
		list_links(fs, after, listing);
	return 0;
}

static void control_readlink(struct fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	CLEANUP(buf) struct buf special = BUF_INIT, path = BUF_INIT, target = BUF_INIT;
	int r = -EINVAL;

	if (is_link(inode_row(ino)))
		r = mailbox_special(fs->mailbox, (size_t)(inode_row(ino) - CONTROL_LINK), &special, &path);
	if (r == 0)
		r = buf_printf(&target, "../../%s", buf_str(&path));
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_readlink(req, buf_str(&target));
}

/* The status as it was at open. */
struct snapshot {
	struct handle handle; /* first */
	struct buf text;
};

static void close_snapshot(struct fs *fs, struct handle *handle)
{
	struct snapshot *snapshot = (struct snapshot *)handle;

	(void)fs;
	buf_release(&snapshot->text);
	free(snapshot);
}

static void control_open(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct snapshot *snapshot;
	int r;

	if (inode_row(ino) != CONTROL_STATUS || (fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EACCES);
		return;
	}
	snapshot = calloc(1, sizeof(*snapshot));
	if (!snapshot) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	handle_open(&fs->handles, &snapshot->handle, close_snapshot);
	r = mailbox_status(fs->mailbox, &snapshot->text);
	fi->fh = (uintptr_t)snapshot;
	fi->direct_io = 1; /* its size is not known before */
	if (r < 0)
		fuse_reply_err(req, -r);
	if (r < 0 || fuse_reply_open(req, fi) != 0)
		handle_close(fs, &snapshot->handle);
}

static void control_read(struct fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	const struct snapshot *snapshot = (struct snapshot *)(uintptr_t)fi->fh;
	size_t left = (size_t)offset < snapshot->text.len ? snapshot->text.len - (size_t)offset : 0;

	(void)fs, (void)ino;
	fuse_reply_buf(req, left ? snapshot->text.data + offset : NULL, left < size ? left : size);
}

static void control_release(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_close(fs, (struct handle *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

const struct kind_operations control_operations = {
	.getattr = control_getattr,
	.readlink = control_readlink,
	.lookup = control_lookup,
	.opendir = control_opendir,
	.list = control_list,
	.open = control_open,
	.read = control_read,
	.release = control_release,
};

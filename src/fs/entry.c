/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries of the outbox: attributes and extended attributes. Their bytes: writing.c.
 */
#include "fs/entry.h"

#include <string.h>

#include "fs/attributes.h"
#include "fs/inode.h"
#include "fs/kinds.h"
#include "fs/place.h"
#include "fs/writing.h"
#include "fs/written.h"
#include "fs/xattr.h"

void entry_refresh(struct fs *fs, struct outbox_entry *entry)
{
	bool is_written;
	struct stat st;

	if (!submission_stat(&fs->submissions, inode_make(INODE_ENTRY, 0, entry->id), &st, &is_written))
		return;
	entry->size_bytes = st.st_size;
	entry->mtime = st.st_mtim;
}

static void entry_getattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	struct outbox_entry entry;
	struct stat st;
	int r = outbox_get(fs->outbox, inode_row(ino), &entry);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	entry_refresh(fs, &entry);
	attributes_of_entry(fs, &entry, &st);
	fuse_reply_attr(req, &st, 0);
}

static int set_mtime(struct fs *fs, int64_t id, const struct stat *to, int valid)
{
	struct timespec mtime = attributes_new_mtime(to, valid);

	return outbox_set_times(fs->outbox, id, &mtime);
}

static void entry_setattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const struct stat *to, int valid)
{
	int64_t id = inode_row(ino);
	int r = attributes_check_owner(fs, to, valid);

	if (r == 0 && (valid & FUSE_SET_ATTR_SIZE))
		r = submission_truncate(&fs->submissions, ino, to->st_size);
	if (r == 0 && (valid & FUSE_SET_ATTR_MODE))
		r = outbox_set_mode(fs->outbox, id, to->st_mode & 0777);
	if (r == 0 && (valid & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)))
		r = set_mtime(fs, id, to, valid);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		entry_getattr(fs, req, ino);
}

static void entry_getxattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	CLEANUP(buf) struct buf value = BUF_INIT;

	xattr_reply(req, outbox_get_attribute(fs->outbox, inode_row(ino), name, &value), &value, size);
}

/* What cp -a and rsync -X bring along from elsewhere is accepted and forgotten: an error would make them fail. */
static void entry_setxattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size)
{
	static const char *const writable[] = { XATTR_PREFIX "rcpt", XATTR_PREFIX "dsn", XATTR_PREFIX "force",
						XATTR_PREFIX "retry" };
	int r = 0;

	for (size_t i = 0; i < sizeof(writable) / sizeof(writable[0]); i++)
		if (strcmp(name, writable[i]) == 0)
			r = outbox_set_attribute(fs->outbox, inode_row(ino), name + strlen(XATTR_PREFIX), value, size);
	fuse_reply_err(req, -r);
}

static int create_entry(struct fs *fs, fuse_ino_t parent, const char *name, mode_t mode, fuse_ino_t *ret_ino, int *ret_fd)
{
	int64_t id;
	int r = outbox_create(fs->outbox, place_of(parent), name, mode, &id, ret_fd);

	if (r == 0)
		*ret_ino = inode_make(INODE_ENTRY, 0, id);
	return r;
}

static int open_entry(struct fs *fs, fuse_ino_t ino, bool write, bool truncate, struct waiter *w, int *ret_fd)
{
	(void)truncate, (void)w; /* cut by whoever opens it */
	return outbox_open(fs->outbox, inode_row(ino), write, ret_fd);
}

static int show_entry(struct fs *fs, fuse_ino_t ino, struct fuse_entry_param *ret)
{
	struct outbox_entry entry;
	int r = outbox_get(fs->outbox, inode_row(ino), &entry);

	if (r == 0)
		entry_of_queued(fs, &entry, ret);
	return r;
}

static int commit_entry(struct fs *fs, fuse_ino_t ino, struct waiter *w)
{
	return outbox_commit(fs->outbox, inode_row(ino), w);
}

static bool is_queued(struct fs *fs, fuse_ino_t ino)
{
	struct outbox_entry entry;

	return outbox_get(fs->outbox, inode_row(ino), &entry) == 0 && entry.state != OUTBOX_WRITING;
}

static void abandon_entry(struct fs *fs, fuse_ino_t ino)
{
	outbox_abandon(fs->outbox, inode_row(ino));
}

const struct written_operations entry_written = {
	.what = "outbox",
	.create = create_entry,
	.open = open_entry,
	.entry = show_entry,
	.commit = commit_entry,
	.may_leave = is_queued,
	.abandon = abandon_entry,
};

const struct kind_operations entry_operations = {
	.getattr = entry_getattr,
	.setattr = entry_setattr,
	.getxattr = entry_getxattr,
	.setxattr = entry_setxattr,
	.open = writing_open,
	.read = writing_read,
	.write = writing_write,
	.flush = writing_flush,
	.fsync = writing_fsync,
	.release = writing_release,
};

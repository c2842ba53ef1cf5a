/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries of the outbox: attributes and extended attributes. Their bytes: writing.c.
 */
#include "fs/entry.h"

#include <string.h>

#include "fs/attributes.h"
#include "fs/inode.h"
#include "fs/kinds.h"
#include "fs/writing.h"
#include "fs/xattr.h"

void entry_refresh(struct fs *fs, struct outbox_entry *entry)
{
	struct stat st;

	if (!submission_stat(&fs->submissions, entry->id, &st))
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
	struct timespec mtime = to->st_mtim;

	if (valid & FUSE_SET_ATTR_MTIME_NOW)
		clock_gettime(CLOCK_REALTIME, &mtime);
	return outbox_set_times(fs->outbox, id, &mtime);
}

static int set_owner(const struct fs *fs, const struct stat *to, int valid)
{
	bool is_same =
		(!(valid & FUSE_SET_ATTR_UID) || to->st_uid == fs->uid) && (!(valid & FUSE_SET_ATTR_GID) || to->st_gid == fs->gid);

	return is_same ? 0 : -EPERM;
}

static void entry_setattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const struct stat *to, int valid)
{
	int64_t id = inode_row(ino);
	int r = set_owner(fs, to, valid);

	if (r == 0 && (valid & FUSE_SET_ATTR_SIZE))
		r = submission_truncate(&fs->submissions, id, to->st_size);
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
	static const char *const writable[] = { XATTR_PREFIX "rcpt", XATTR_PREFIX "force" };
	int r = 0;

	for (size_t i = 0; i < sizeof(writable) / sizeof(writable[0]); i++)
		if (strcmp(name, writable[i]) == 0)
			r = outbox_set_attribute(fs->outbox, inode_row(ino), name + strlen(XATTR_PREFIX), value, size);
	fuse_reply_err(req, -r);
}

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

/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/place.h"

#include <stdio.h>
#include <string.h>

#include "fs/attributes.h"
#include "fs/entry.h"
#include "fs/inode.h"
#include "fs/kinds.h"
#include "fs/writing.h"

fuse_ino_t place_ino(enum outbox_place place)
{
	return inode_make(INODE_PLACE, 0, (int64_t)place + 1);
}

enum outbox_place place_of(fuse_ino_t ino)
{
	return (enum outbox_place)(inode_row(ino) - 1);
}

void place_entry(const struct fs *fs, enum outbox_place place, struct fuse_entry_param *ret)
{
	entry_of_control(fs, place_ino(place), S_IFDIR | 0777, place == OUTBOX_QUEUE ? 3 : 2, ret);
	outbox_mtime(fs->outbox, &ret->attr.st_mtim);
	ret->attr.st_ctim = ret->attr.st_atim = ret->attr.st_mtim;
}

static void place_getattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	struct fuse_entry_param entry;

	place_entry(fs, place_of(ino), &entry);
	fuse_reply_attr(req, &entry.attr, 0);
}

/* rsync and tar set a directory's mode and times: nobody needs them, and a refusal would fail the whole run. */
static void place_setattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const struct stat *to, int valid)
{
	(void)to, (void)valid;
	place_getattr(fs, req, ino);
}

static bool is_failed_name(fuse_ino_t parent, const char *name)
{
	return place_of(parent) == OUTBOX_QUEUE && strcmp(name, PLACE_FAILED_NAME) == 0;
}

static void place_lookup(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	struct outbox_entry queued;
	int r;

	if (is_failed_name(parent, name)) {
		place_entry(fs, OUTBOX_FAILED, &entry);
		fuse_reply_entry(req, &entry);
		return;
	}
	r = outbox_lookup(fs->outbox, place_of(parent), name, &queued);
	if (r == 0) {
		entry_refresh(fs, &queued);
		entry_of_queued(fs, &queued, &entry);
	}
	entry_reply(req, r, &entry);
}

static void place_opendir(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	listing_reply_open(fs, req, ino, 0, fi);
}

struct place_listing {
	struct fs *fs;
	struct listing *listing;
};

static int add_queued(void *userdata, const struct outbox_entry *queued)
{
	struct place_listing *pl = userdata;
	struct outbox_entry fresh = *queued;
	struct fuse_entry_param entry;

	entry_refresh(pl->fs, &fresh);
	entry_of_queued(pl->fs, &fresh, &entry);
	return !listing_add(pl->listing, fresh.name, &entry, entry.ino);
}

static int place_list(struct fs *fs, fuse_ino_t ino, uint64_t after, struct listing *listing)
{
	struct place_listing pl = { .fs = fs, .listing = listing };
	struct fuse_entry_param failed;

	if (!listing_add_dots(listing, after, ino, place_of(ino) == OUTBOX_QUEUE ? FUSE_ROOT_ID : place_ino(OUTBOX_QUEUE)))
		return 0;
	if (place_of(ino) == OUTBOX_QUEUE) {
		place_entry(fs, OUTBOX_FAILED, &failed);
		if (!listing_add_fixed(listing, after, 3, PLACE_FAILED_NAME, &failed))
			return 0;
	}
	return outbox_each(fs->outbox, place_of(ino), inode_row(listing_stored_position(after)), add_queued, &pl);
}

static void place_create(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	if (is_failed_name(parent, name))
		fuse_reply_err(req, EEXIST);
	else
		writing_create(fs, req, parent, name, mode, fi);
}

static void place_unlink(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct outbox_entry queued;
	int r = is_failed_name(parent, name) ? -EISDIR : outbox_lookup(fs->outbox, place_of(parent), name, &queued);

	if (r == 0)
		r = outbox_unlink(fs->outbox, queued.id);
	fuse_reply_err(req, -r);
}

/* Between the two places and within them. Out of the outbox into a folder is two file systems' business: mv then copies. */
static void place_rename(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name,
			 unsigned flags)
{
	struct outbox_entry queued;
	int r;

	if (inode_kind(to) != INODE_PLACE)
		r = -EXDEV;
	else if (flags & ~(unsigned)RENAME_NOREPLACE)
		r = -EINVAL;
	else if (is_failed_name(parent, name) || is_failed_name(to, to_name))
		r = -EBUSY;
	else
		r = outbox_lookup(fs->outbox, place_of(parent), name, &queued);
	if (r == 0)
		r = outbox_rename(fs->outbox, queued.id, place_of(to), to_name, !(flags & RENAME_NOREPLACE));
	fuse_reply_err(req, -r);
}

const struct kind_operations place_operations = {
	.getattr = place_getattr,
	.setattr = place_setattr,
	.lookup = place_lookup,
	.opendir = place_opendir,
	.list = place_list,
	.create = place_create,
	.unlink = place_unlink,
	.rename = place_rename,
};

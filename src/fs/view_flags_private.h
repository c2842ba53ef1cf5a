/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two halves of `.flags` share: view_flags.c, the flags there are, and view_flags_message.c, the messages that have one. Nobody else includes it.
 */
#ifndef MAILFS_VIEW_FLAGS_PRIVATE_H
#define MAILFS_VIEW_FLAGS_PRIVATE_H

#include "fs/inode.h"
#include "fs/session.h"
#include "message/flag_name.h"

/*
 * The part of an inode number: the view itself, then the system flags' directories, then keywords by their numbers. One bit tells the directories of
 * the view in the root, which mirrors the tree, from those of the folders' own.
 */
enum {
	PART_VIEW,
	PART_SYSTEM,
	PART_KEYWORD = PART_SYSTEM + FLAG_NAMES,
	PART_MIRROR = 1 << (INODE_PART_BITS - 1),
	KEYWORDS_MAX = PART_MIRROR - PART_KEYWORD,
};

static inline bool view_flags_is_mirror(fuse_ino_t directory)
{
	return inode_part(directory) & PART_MIRROR;
}

/* Without that bit. */
static inline unsigned view_flags_part(fuse_ino_t directory)
{
	return inode_part(directory) & ~(unsigned)PART_MIRROR;
}

/* Another directory of the same view and folder. */
static inline fuse_ino_t view_flags_ino(fuse_ino_t directory, unsigned part)
{
	return inode_make(INODE_FLAGS, part | (inode_part(directory) & PART_MIRROR), inode_row(directory));
}

/* What a directory of the view shows. */
struct shown_flag {
	const char *word; /* borrowed */
	bool is_set;
};

/* -ENOENT: the view itself, or no flag that was met. */
int view_flags_of(struct fs *fs, fuse_ino_t directory, struct shown_flag *ret);

/* In one of the flags' directories. */
int view_flags_find_child(struct fs *fs, fuse_ino_t directory, const char *name, struct fuse_entry_param *ret);
int view_flags_list_children(struct fs *fs, fuse_ino_t directory, uint64_t after, struct listing *listing);
void view_flags_link(struct fs *fs, fuse_req_t req, fuse_ino_t directory, const char *name, fuse_ino_t ino);
void view_flags_unlink(struct fs *fs, fuse_req_t req, fuse_ino_t directory, const char *name);

#endif

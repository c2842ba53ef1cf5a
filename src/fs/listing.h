/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listing a directory: open, answer in pieces, close. What is in it comes from its kind's list().
 *
 * Positions are the mailbox's cookies and the queue's inode numbers, so that a listing goes on at its place whatever is removed meanwhile; entries that
 * stand in no index have a position of the kind INODE_POSITION and come first. Names come with their attributes, which saves `ls -l` and `grep -r` a LOOKUP each.
 *
 * Of more than LISTING_LONG entries, the next piece is made while the kernel takes the last one apart; and the attributes are left out where the kernel got
 * them moments ago, which is most of what a listing costs, and of more than LISTING_LARGE, which would fill the kernel's memory: unless lookups follow.
 */
#ifndef MAILFS_LISTING_H
#define MAILFS_LISTING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LISTING_LARGE 50000
#define LISTING_LONG 2000

struct fuse_entry_param;
struct fuse_file_info;
struct fuse_req;
struct fs;

/* A piece, while it is filled and afterwards. */
struct listing {
	char *data; /* own */
	size_t size, used;
	bool names_only;
	size_t added;
	uint64_t after, last; /* positions: where it begins, and of its last entry */
	uint64_t index_state; /* mailbox_index_state() before it was filled */
};

/* A directory of more than LISTING_LONG entries that was listed. */
struct listed {
	uint64_t ino;		 /* 0: none */
	int64_t known_ms;	 /* when the kernel was last seen to have the attributes of all its entries; 0: it was not */
	size_t given, looked_up; /* entries, since it was opened last: without attributes; that were asked for one by one */
};

enum { LISTED_KEPT = 16 };

/* The last ones. */
struct listings {
	pthread_mutex_t lock; /* protects the rest */
	struct listed listed[LISTED_KEPT];
	size_t next; /* the one whose place is given away next */
};

void listings_init(struct listings *listings);

/* False when the piece is full. `position`: where the listing goes on behind this entry. */
bool listing_add(struct listing *listing, const char *name, const struct fuse_entry_param *entry, uint64_t position);
/* Entries in no index: number them from 1. Adds nothing and returns true when `after` is behind it. */
bool listing_add_fixed(struct listing *listing, uint64_t after, unsigned number, const char *name,
		       const struct fuse_entry_param *entry);
/* "." and "..", the fixed entries 1 and 2. */
bool listing_add_dots(struct listing *listing, uint64_t after, uint64_t ino, uint64_t parent);
/* The position of the last stored entry; 0 from the start or a fixed entry. */
uint64_t listing_stored_position(uint64_t after);

/* Replies an open directory; `entries` in it. */
void listing_reply_open(struct fs *fs, struct fuse_req *req, uint64_t ino, size_t entries, struct fuse_file_info *fi);
/* An entry of the directory was looked up, and is there. */
void listing_note_lookup(struct fs *fs, uint64_t ino);

void listing_readdirplus(struct fuse_req *req, uint64_t ino, size_t size, int64_t after, struct fuse_file_info *fi);
void listing_releasedir(struct fuse_req *req, uint64_t ino, struct fuse_file_info *fi);

#endif

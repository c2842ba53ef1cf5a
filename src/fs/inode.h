/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inode numbers: kind | part | row, below 2^63. The kind says who answers, the row is the index's or the queue's. There is no
 * table of nodes and nothing to forget. Pure.
 *
 *	bit 62        58 57              40 39                        0
 *	    |   kind    |       part       |           row            |
 *
 * A folder's kind is 0, so that folder row 1, the mailbox's root, is inode 1, the kernel's root.
 */
#ifndef MAILFS_INODE_H
#define MAILFS_INODE_H

#include <stdint.h>

enum inode_kind {
	INODE_FOLDER = 0,
	INODE_MESSAGE,
	INODE_ENTRY,   /* of the outbox's queue; row: its id */
	INODE_PLACE,   /* outbox, outbox/failed; row: enum outbox_place + 1 */
	INODE_CONTROL, /* .mailfs and below; row: enum control */
	INODE_TEXT,    /* from here on: the views, each directory of a view a row of its own */
	INODE_PART,    /* part: the MIME part's number */
	INODE_MAILDIR,
	INODE_SEARCH,
	INODE_FLAGS,
	INODE_KINDS,
	INODE_POSITION = 31, /* no inode: a place in a listing before its first stored entry */
};

#define INODE_ROW_BITS 40
#define INODE_PART_BITS 18

static inline uint64_t inode_make(enum inode_kind kind, unsigned part, int64_t row)
{
	return (uint64_t)kind << (INODE_ROW_BITS + INODE_PART_BITS) | (uint64_t)part << INODE_ROW_BITS | (uint64_t)row;
}

static inline enum inode_kind inode_kind(uint64_t ino)
{
	return (enum inode_kind)(ino >> (INODE_ROW_BITS + INODE_PART_BITS) & 31);
}

static inline unsigned inode_part(uint64_t ino)
{
	return ino >> INODE_ROW_BITS & ((1U << INODE_PART_BITS) - 1);
}

static inline int64_t inode_row(uint64_t ino)
{
	return (int64_t)(ino & ((1ULL << INODE_ROW_BITS) - 1));
}

#endif

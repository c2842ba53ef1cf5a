/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * News about the tree, on its way up: mailbox tells whoever registered, by this and nothing else.
 */
#ifndef MAILFS_CHANGE_H
#define MAILFS_CHANGE_H

#include <stdint.h>

enum change_kind {
	CHANGE_MESSAGE_ADDED,	/* folder, row, name */
	CHANGE_MESSAGE_GONE,	/* folder, row, name */
	CHANGE_MESSAGE_RENAMED, /* folder, row, name: the old one; the message lives on under another name or in another folder */
	CHANGE_MESSAGE_ATTRIBUTES, /* row: flags, ctime or size */
	CHANGE_FOLDER_ADDED,	   /* folder is the parent, row, name */
	CHANGE_FOLDER_GONE,	   /* folder is the parent, row, name */
	CHANGE_FOLDER_ATTRIBUTES,  /* row: mtime, counts */
	CHANGE_LISTING,		   /* folder: many at once came or went, each name to be asked again */
};

/* Borrowed during the callback. */
struct change {
	enum change_kind kind;
	int64_t folder;
	int64_t row;
	const char *name;
};

#endif

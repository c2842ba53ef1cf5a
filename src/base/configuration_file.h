/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An INI file as a list of lines that say something, for configuration.c alone; knows no keys.
 *
 * Not libinih: as packaged it cuts lines at 200 bytes and values at " ;" (password commands hold both), and its callback gets no line
 * number. Here a comment is a line of its own, a value is everything behind the `=` to the end of the line, of any length.
 */
#ifndef MAILFS_CONFIGURATION_FILE_H
#define MAILFS_CONFIGURATION_FILE_H

#include <stddef.h>

#include "base/buf.h"

/* `[section]` (key NULL) or `key = value`. All strings point into the file's text. */
struct configuration_entry {
	const char *section; /* NULL above the first section */
	const char *key;
	const char *value;
	int line; /* from 1 */
};

struct configuration_file {
	struct buf text;		     /* wiped on release: it may hold passwords */
	struct configuration_entry *entries; /* own */
	size_t n;
};

/* -errno with `why` set to one line that names the file and says what to do; -ENOENT when there is no such file, -EACCES too when
 * others than the owner have any access to it. */
int configuration_file_read(const char *path, struct configuration_file *ret, struct buf *why);

void configuration_file_release(struct configuration_file *file);

static inline void configuration_file_cleanup(struct configuration_file *file)
{
	configuration_file_release(file);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/configuration_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLANKS " \t\r\f\v"

enum { FILE_MAX_BYTES = 1 << 20 };

static int fail(int r, struct buf *why, const char *path, const char *advice)
{
	buf_printf(why, "%s: %s%s", path, strerror(-r), advice);
	return r;
}

/* Whoever may read it learns passwords, whoever may write it chooses the command that is run for one. */
static int check_private(int fd, const char *path, struct buf *why)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(-errno, why, path, "");
	if (S_ISDIR(st.st_mode))
		return fail(-EISDIR, why, path, ": name the file itself");
	if (!(st.st_mode & (S_IRWXG | S_IRWXO)))
		return 0;
	buf_printf(why, "%s: others can read or write it and it may hold passwords: chmod 600 %s", path, path);
	return -EACCES;
}

/* Reserved in one piece: a buffer that grows leaves copies of what it held behind. */
static int read_all(int fd, const char *path, struct buf *text, struct buf *why)
{
	ssize_t n;

	if (buf_reserve(text, FILE_MAX_BYTES) < 0)
		return -ENOMEM;
	do {
		n = read(fd, text->data + text->len, FILE_MAX_BYTES - text->len);
		if (n < 0 && errno != EINTR)
			return fail(-errno, why, path, "");
		if (n > 0)
			text->len += (size_t)n;
	} while (n != 0 && text->len < FILE_MAX_BYTES);
	text->data[text->len] = '\0';
	if (text->len == FILE_MAX_BYTES)
		return fail(-EFBIG, why, path, ": is this a configuration file?");
	if (memchr(text->data, '\0', text->len))
		return fail(-EINVAL, why, path, ": it holds NUL bytes; is this a configuration file?");
	return 0;
}

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, BLANKS);
	len = strlen(text);
	while (len && strchr(BLANKS, text[len - 1]))
		len--;
	text[len] = '\0';
	return text;
}

static int add_entry(struct configuration_file *file, struct configuration_entry entry)
{
	struct configuration_entry *entries = reallocarray(file->entries, file->n + 1, sizeof *entries);

	if (!entries)
		return -ENOMEM;
	file->entries = entries;
	file->entries[file->n++] = entry;
	return 0;
}

/* Fills `entry` from one trimmed line that is neither empty nor a comment; keeps its section unless the line opens one. */
static bool parse_line(char *line, struct configuration_entry *entry)
{
	char *end = strchr(line, *line == '[' ? ']' : '=');

	if (!end)
		return false;
	*end = '\0';
	if (*line == '[') {
		entry->section = trim(line + 1);
		entry->key = entry->value = NULL;
		return *entry->section && !end[1 + strspn(end + 1, BLANKS)];
	}
	entry->key = trim(line);
	entry->value = trim(end + 1);
	return *entry->key;
}

static int parse(struct configuration_file *file, const char *path, struct buf *why)
{
	struct configuration_entry entry = { 0 };
	char *rest = file->text.data;
	char *line;

	if (!strncmp(rest, "\xef\xbb\xbf", 3))
		rest += 3;
	while ((line = strsep(&rest, "\n"))) {
		entry.line++;
		line = trim(line);
		if (!*line || *line == '#' || *line == ';')
			continue;
		if (!parse_line(line, &entry)) {
			buf_printf(why, "%s:%d: neither \"[account]\" nor \"key = value\" nor a comment", path, entry.line);
			return -EINVAL;
		}
		if (add_entry(file, entry) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int open_and_read(const char *path, struct configuration_file *file, struct buf *why)
{
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return fail(-errno, why, path, "");
	r = check_private(fd, path, why);
	if (r < 0)
		return r;
	r = read_all(fd, path, &file->text, why);
	if (r < 0)
		return r;
	return parse(file, path, why);
}

int configuration_file_read(const char *path, struct configuration_file *ret, struct buf *why)
{
	CLEANUP(configuration_file) struct configuration_file file = { 0 };
	int r = open_and_read(path, &file, why);

	if (r < 0)
		return r;
	*ret = file;
	file = (struct configuration_file){ 0 };
	return 0;
}

void configuration_file_release(struct configuration_file *file)
{
	if (!file)
		return;
	buf_wipe(&file->text);
	buf_release(&file->text);
	free(file->entries);
	file->entries = NULL;
	file->n = 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/warm_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "ctl/interrupt.h"

DEFINE_CLEANUP(directory, DIR *, closedir)

/* Child folders wait here until the files beside them are listed. */
struct names {
	char **names; /* own */
	size_t n;
};

static void names_cleanup(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->names[i]);
	free(names->names);
}

static int names_add(struct names *names, char *name)
{
	char **grown = reallocarray(names->names, names->n + 1, sizeof *grown);

	if (!grown)
		return -ENOMEM;
	names->names = grown;
	names->names[names->n++] = name;
	return 0;
}

/* One that vanished meanwhile is no failure. */
static int fail(struct warm_list *list, const char *path)
{
	if (interrupted())
		return -EINTR;
	if (errno == ENOENT)
		return 0;
	fprintf(stderr, "mailfsctl: %s: %s\n", path, strerror(errno));
	list->failures++;
	return 0;
}

static int append(struct warm_list *list, const char *path, int64_t size_bytes)
{
	char *copy;

	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 256;
		struct warm_item *grown = reallocarray(list->items, room, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->room = room;
	}
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	list->items[list->n++] = (struct warm_item){ copy, size_bytes };
	list->bytes += size_bytes;
	return 0;
}

/* Only messages have the attribute. */
static int add_file(struct warm_list *list, const char *path, int64_t size_bytes)
{
	char cached[2];
	ssize_t n = getxattr(path, "user.mail.cached", cached, sizeof cached);

	if (n < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
		return 0;
	if (n < 0)
		return fail(list, path);
	if (n == 1 && cached[0] == '1') {
		list->messages_cached++;
		return 0;
	}
	return append(list, path, size_bytes);
}

static int add_entry(struct warm_list *list, const char *path, struct names *folders)
{
	struct stat st;
	char *folder;

	if (lstat(path, &st) < 0)
		return fail(list, path);
	if (S_ISREG(st.st_mode))
		return add_file(list, path, st.st_size);
	if (!S_ISDIR(st.st_mode))
		return 0;
	folder = strdup(path);
	if (folder && names_add(folders, folder) == 0)
		return 0;
	free(folder);
	return -ENOMEM;
}

/* Its files; the folders in it into `folders`. */
static int add_files(struct warm_list *list, const char *path, struct names *folders)
{
	CLEANUP(directory) DIR *directory = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!directory)
		return fail(list, path);
	while (r == 0 && (errno = 0, entry = readdir(directory))) {
		CLEANUP(free) char *child = NULL;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&child, "%s/%s", path, entry->d_name) < 0)
			return -ENOMEM;
		r = interrupted() ? -EINTR : add_entry(list, child, folders);
	}
	if (r == 0 && errno)
		return fail(list, path);
	return r;
}

static int add_folder(struct warm_list *list, const char *path)
{
	CLEANUP(names) struct names folders = { 0 };
	int r = add_files(list, path, &folders);

	for (size_t i = 0; i < folders.n && r == 0; i++)
		r = add_folder(list, folders.names[i]);
	return r;
}

int warm_list_add(struct warm_list *list, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (interrupted())
			return -EINTR;
		fprintf(stderr, "mailfsctl: %s: %s\n", path, strerror(errno));
		list->failures++;
		return 0;
	}
	return S_ISDIR(st.st_mode) ? add_folder(list, path) : add_file(list, path, st.st_size);
}

void warm_list_release(struct warm_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i].path);
	free(list->items);
	*list = (struct warm_list){ 0 };
}

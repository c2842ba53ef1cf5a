/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/outbox_items.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/cleanup.h"

void outbox_item_release(struct outbox_item *item)
{
	free(item->name);
	free(item->state);
	free(item->error);
}

void outbox_items_release(struct outbox_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		outbox_item_release(&items->items[i]);
	free(items->items);
	*items = (struct outbox_items){ 0 };
}

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int outbox_items_path(const char *point, const char *name, struct buf *ret)
{
	buf_truncate(ret, 0);
	return buf_printf(ret, "%s/outbox/%s", point, name);
}

/* user.mail.NAME; *ret is NULL where there is none. */
static int read_attribute(const char *path, const char *name, char **ret)
{
	CLEANUP(buf) struct buf attribute = BUF_INIT, value = BUF_INIT;
	ssize_t n;

	if (buf_printf(&attribute, "user.mail.%s", name) < 0 || buf_reserve(&value, XATTR_SIZE_MAX) < 0)
		return -ENOMEM;
	n = lgetxattr(path, attribute.data, value.data, XATTR_SIZE_MAX);
	if (n < 0 && errno != ENODATA)
		return -errno;
	if (n < 0)
		return 0;
	*ret = strndup(value.data, (size_t)n);
	return *ret ? 0 : -ENOMEM;
}

int outbox_item_read(const char *point, const char *name, struct outbox_item *ret)
{
	CLEANUP(outbox_item) struct outbox_item item = { .name = strdup(name) };
	CLEANUP(buf) struct buf path = BUF_INIT;
	CLEANUP(free) char *next = NULL;
	struct stat st;
	int r = item.name ? outbox_items_path(point, name, &path) : -ENOMEM;

	if (r < 0)
		return r;
	if (lstat(path.data, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	r = read_attribute(path.data, "state", &item.state);
	if (!r)
		r = read_attribute(path.data, "error", &item.error);
	if (!r)
		r = read_attribute(path.data, "next", &next);
	if (!r && !item.state)
		r = -ENOENT;
	if (r < 0)
		return r;
	item.size_bytes = st.st_size;
	item.mtime_s = st.st_mtim.tv_sec;
	item.next_s = next ? strtoll(next, NULL, 10) : 0;
	*ret = item;
	item = (struct outbox_item){ 0 };
	return 0;
}

static int add_item(struct outbox_items *items, const char *point, const char *name)
{
	struct outbox_item *more = reallocarray(items->items, items->n + 1, sizeof *more);
	int r;

	if (!more)
		return -ENOMEM;
	items->items = more;
	r = outbox_item_read(point, name, &more[items->n]);
	items->n += r == 0;
	/* Sent, moved or removed meanwhile; or failed/ itself. */
	return r == -ENOENT ? 0 : r;
}

/* In order of arrival, as they are listed. */
static int add_place(struct outbox_items *items, const char *point, const char *prefix)
{
	CLEANUP(buf) struct buf path = BUF_INIT, name = BUF_INIT;
	CLEANUP(dir) DIR *dir = NULL;
	const struct dirent *file;
	int r = outbox_items_path(point, prefix, &path);

	if (r < 0)
		return r;
	dir = opendir(path.data);
	if (!dir)
		return -errno;
	while (!r && (errno = 0, file = readdir(dir))) {
		buf_truncate(&name, 0);
		r = buf_printf(&name, "%s%s", prefix, file->d_name);
		if (!r)
			r = add_item(items, point, buf_str(&name));
	}
	return r < 0 ? r : -errno;
}

int outbox_items_read(const char *point, struct outbox_items *items)
{
	int r = add_place(items, point, "");

	return r < 0 ? r : add_place(items, point, OUTBOX_FAILED_PREFIX);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

DEFINE_CLEANUP(file, FILE *, fclose)

static int add(struct mounts *m, const char *point, uid_t owner)
{
	char **points = reallocarray(m->points, m->n + 1, sizeof *points);
	uid_t *owners;

	if (!points)
		return -ENOMEM;
	m->points = points;
	owners = reallocarray(m->owners, m->n + 1, sizeof *owners);
	if (!owners)
		return -ENOMEM;
	m->owners = owners;
	m->owners[m->n] = owner;
	m->points[m->n] = strdup(point);
	if (!m->points[m->n])
		return -ENOMEM;
	m->n++;
	return 0;
}

static int octal_digit(char c)
{
	return c >= '0' && c <= '7' ? c - '0' : -1;
}

/* Blanks, tabs, newlines and backslashes stand as \ooo. In place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p; to++) {
		if (p[0] == '\\' && octal_digit(p[1]) >= 0 && octal_digit(p[2]) >= 0 && octal_digit(p[3]) >= 0) {
			*to = (char)(octal_digit(p[1]) << 6 | octal_digit(p[2]) << 3 | octal_digit(p[3]));
			p += 4;
		} else {
			*to = *p++;
		}
	}
	*to = '\0';
}

/* Of the options behind the type: who called mount; whatever the file system itself may claim. */
static uid_t owner_of_line(const char *line)
{
	static const char option[] = "user_id=";
	const char *options = strrchr(line, ' ');
	const char *found = options ? strstr(options, option) : NULL;

	return found ? (uid_t)strtoul(found + sizeof option - 1, NULL, 10) : (uid_t)-1;
}

/* One line: ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG]... - TYPE SOURCE OPTIONS. The point, in place, when the type is ours. */
static char *point_of_line(char *line)
{
	enum { POINT = 4 };
	char *type = strstr(line, " - ");
	char *field = NULL;

	if (!type || strncmp(type + 3, "fuse.mailfs ", 12))
		return NULL;
	for (int i = 0; i <= POINT; i++)
		field = strsep(&line, " ");
	if (field)
		unescape(field);
	return field;
}

int mounts_parse(const char *mountinfo, struct mounts *ret)
{
	CLEANUP(mounts) struct mounts m = { 0 };
	CLEANUP(free) char *text = strdup(mountinfo);
	char *rest = text;
	char *line;

	if (!text)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n"))) {
		uid_t owner = owner_of_line(line);
		const char *point = point_of_line(line);

		if (point && add(&m, point, owner) < 0)
			return -ENOMEM;
	}
	*ret = m;
	m = (struct mounts){ 0 };
	return 0;
}

int mounts_read(struct mounts *ret)
{
	CLEANUP(file) FILE *file = fopen("/proc/self/mountinfo", "re");
	CLEANUP(buf) struct buf text = BUF_INIT;
	char block[4096];
	size_t n;

	if (!file)
		return -errno;
	while ((n = fread(block, 1, sizeof block, file)) > 0)
		if (buf_append(&text, block, n) < 0)
			return -ENOMEM;
	if (ferror(file))
		return -EIO;
	return mounts_parse(buf_str(&text), ret);
}

void mounts_release(struct mounts *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->points[i]);
	free(m->points);
	free(m->owners);
	*m = (struct mounts){ 0 };
}

const char *mounts_holding(const struct mounts *m, const char *path)
{
	const char *longest = NULL;

	for (size_t i = 0; i < m->n; i++) {
		size_t len = strlen(m->points[i]);

		if (strncmp(path, m->points[i], len) || (path[len] && path[len] != '/'))
			continue;
		if (!longest || len > strlen(longest))
			longest = m->points[i];
	}
	return longest;
}

int mounts_find(const char *path, struct buf *ret_point)
{
	CLEANUP(free) char *absolute = realpath(path, NULL);
	CLEANUP(mounts) struct mounts m = { 0 };
	const char *point;
	int r;

	if (!absolute)
		return -errno;
	r = mounts_read(&m);
	if (r < 0)
		return r;
	point = mounts_holding(&m, absolute);
	return point ? buf_append_str(ret_point, point) : -ENODEV;
}

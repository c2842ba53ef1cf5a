/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailfsctl outbox: what waits to be sent or could not be, tried again or cancelled. By files and their attributes alone: no more than a shell can do.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ctl/amount.h"
#include "ctl/command.h"
#include "ctl/mounts.h"
#include "ctl/words.h"
#include "message/charset.h"
#include "outbox/name.h"

static const char failed_prefix[] = "failed/";

/* A file of the outbox. */
struct item {
	char *name;	    /* own; below outbox/: "a.eml" or "failed/a.eml" */
	char *state;	    /* own */
	char *error;	    /* own; NULL: none */
	int64_t size_bytes; /* as written */
	int64_t mtime_s;    /* seconds since 1970, as all times here */
	int64_t next_s;	    /* of the next attempt; 0: there is none to come, or it is under way */
};

struct items {
	struct item *items; /* own, what is in each too */
	size_t n;
};

static void item_release(struct item *item)
{
	free(item->name);
	free(item->state);
	free(item->error);
}

static void item_cleanup(struct item *item)
{
	item_release(item);
}

static void items_cleanup(struct items *items)
{
	for (size_t i = 0; i < items->n; i++)
		item_release(&items->items[i]);
	free(items->items);
}

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int path_of(const char *point, const char *name, struct buf *ret)
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

/* -ENOENT: no such file, or a directory. */
static int read_item(const char *point, const char *name, struct item *ret)
{
	CLEANUP(item) struct item item = { .name = strdup(name) };
	CLEANUP(buf) struct buf path = BUF_INIT;
	CLEANUP(free) char *next = NULL;
	struct stat st;
	int r = item.name ? path_of(point, name, &path) : -ENOMEM;

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
	item = (struct item){ 0 };
	return 0;
}

static int add_item(struct items *items, const char *point, const char *name)
{
	struct item *more = reallocarray(items->items, items->n + 1, sizeof *more);
	int r;

	if (!more)
		return -ENOMEM;
	items->items = more;
	r = read_item(point, name, &more[items->n]);
	items->n += r == 0;
	/* Sent, moved or removed meanwhile; or failed/ itself. */
	return r == -ENOENT ? 0 : r;
}

/* In order of arrival, as they are listed. */
static int add_place(struct items *items, const char *point, const char *prefix)
{
	CLEANUP(buf) struct buf path = BUF_INIT, name = BUF_INIT;
	CLEANUP(dir) DIR *dir = NULL;
	const struct dirent *file;
	int r = path_of(point, prefix, &path);

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

/* "in 4 min 10 s" until the next attempt, or "2 d 4 h ago", when it was written. */
static void add_time(struct buf *out, const struct item *item, int64_t now_s)
{
	if (item->next_s > now_s) {
		buf_append_str(out, "in ");
		amount_duration(out, item->next_s - now_s);
	} else if (item->next_s) {
		buf_append_str(out, "now");
	} else {
		amount_duration(out, now_s - item->mtime_s);
		buf_append_str(out, " ago");
	}
}

/* How wide the columns are. */
struct widths {
	size_t size, time;
};

static void widen(size_t *width, const struct buf *text)
{
	if (text->len > *width)
		*width = text->len;
}

static struct widths measure(const struct items *items, int64_t now_s)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct widths widths = { 0 };

	for (size_t i = 0; i < items->n; i++) {
		buf_truncate(&text, 0);
		amount_size(&text, items->items[i].size_bytes);
		widen(&widths.size, &text);
		buf_truncate(&text, 0);
		add_time(&text, &items->items[i], now_s);
		widen(&widths.time, &text);
	}
	return widths;
}

static void print_item(const struct item *item, const struct widths *widths, int64_t now_s)
{
	CLEANUP(buf) struct buf size = BUF_INIT, time = BUF_INIT, name = BUF_INIT, error = BUF_INIT;

	amount_size(&size, item->size_bytes);
	add_time(&time, item, now_s);
	words_append(&name, item->name, '?');
	printf("%-10s%*s  %-*s  %s\n", item->state, (int)widths->size, buf_str(&size), (int)widths->time, buf_str(&time),
	       buf_str(&name));
	if (!item->error)
		return;
	words_append(&error, item->error, ' ');
	printf("%-10s%s\n", "", buf_str(&error));
}

/* What is not UTF-8 cannot be JSON: its bytes become U+FFFD. */
static json_t *json_of(const char *text)
{
	CLEANUP(buf) struct buf utf8 = BUF_INIT;

	return charset_to_utf8("utf-8", text, strlen(text), &utf8) < 0 ? NULL : json_string(buf_str(&utf8));
}

static void print_json(const struct item *item)
{
	json_t *json = json_object();
	CLEANUP(free) char *line = NULL;

	json_object_set_new(json, "name", json_of(item->name));
	json_object_set_new(json, "state", json_of(item->state));
	json_object_set_new(json, "size", json_integer(item->size_bytes));
	json_object_set_new(json, "written", json_integer(item->mtime_s));
	if (item->next_s)
		json_object_set_new(json, "next", json_integer(item->next_s));
	if (item->error)
		json_object_set_new(json, "error", json_of(item->error));
	line = json_dumps(json, JSON_COMPACT);
	if (line)
		puts(line);
	json_decref(json);
}

static int list(const char *point, bool is_json)
{
	CLEANUP(items) struct items items = { 0 };
	int64_t now_s = clock_realtime_s();
	struct widths widths;
	int r = add_place(&items, point, "");

	if (!r)
		r = add_place(&items, point, failed_prefix);
	if (r < 0) {
		fprintf(stderr, "mailfsctl: %s/outbox: %s\n", point, strerror(-r));
		return EXIT_FAILURE;
	}
	widths = measure(&items, now_s);
	for (size_t i = 0; i < items.n; i++)
		if (is_json)
			print_json(&items.items[i]);
		else
			print_item(&items.items[i], &widths, now_s);
	return EXIT_SUCCESS;
}

/* The name below outbox/ that a path stands for. -ENOENT: it is not in there. */
static int name_of_path(const char *point, const char *path, struct buf *ret)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(free) char *directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	CLEANUP(free) char *absolute = directory ? realpath(directory, NULL) : NULL;
	CLEANUP(buf) struct buf outbox = BUF_INIT;
	const char *rest;

	if (path_of(point, "", &outbox) < 0)
		return -ENOMEM;
	buf_truncate(&outbox, outbox.len - 1);
	if (!absolute || strncmp(absolute, outbox.data, outbox.len))
		return -ENOENT;
	rest = absolute + outbox.len;
	if (!*rest)
		return buf_append_str(ret, slash + 1);
	return strcmp(rest, "/failed") ? -ENOENT : buf_printf(ret, "%s%s", failed_prefix, slash + 1);
}

/* `argument` without "outbox/", where it begins with that. */
static const char *below_outbox(const char *argument)
{
	return strncmp(argument, "outbox/", 7) ? argument : argument + 7;
}

/* What `argument` names: a file of the outbox, one of failed/, or a path of either. -ENOENT. */
static int find(const char *point, const char *argument, struct item *ret)
{
	const char *name = below_outbox(argument);
	const char *slash = strchr(name, '/');
	CLEANUP(buf) struct buf other = BUF_INIT;
	int r;

	if (slash && (strncmp(name, failed_prefix, strlen(failed_prefix)) || strchr(slash + 1, '/'))) {
		r = name_of_path(point, argument, &other);
		return r < 0 ? r : read_item(point, buf_str(&other), ret);
	}
	r = read_item(point, name, ret);
	if (r != -ENOENT || slash)
		return r;
	r = buf_printf(&other, "%s%s", failed_prefix, name);
	return r < 0 ? r : read_item(point, buf_str(&other), ret);
}

static void say(FILE *to, const char *name, const char *what)
{
	CLEANUP(buf) struct buf line = BUF_INIT;

	words_append(&line, name, '?');
	buf_append_str(&line, ": ");
	words_append(&line, what, ' ');
	fprintf(to, "%s%s\n", to == stderr ? "mailfsctl: " : "", buf_str(&line));
}

static int fail(const char *name, const char *why)
{
	say(stderr, name, why);
	return -1;
}

/* The guards look at it again, and say in words why they refuse it. */
static int fail_refused(const char *point, const char *name, int error)
{
	CLEANUP(buf) struct buf refused = BUF_INIT;
	CLEANUP(item) struct item item = { 0 };

	if (buf_printf(&refused, "%s%s", failed_prefix, name) == 0 && read_item(point, refused.data, &item) == 0 && item.error)
		return fail(refused.data, item.error);
	return fail(name, strerror(error));
}

/* Under its own name, or the next one that is free: what waits under it already stays. */
static int move_back(const char *point, const struct item *item)
{
	enum { NAMES_TRIED = 1000 };
	const char *base = strrchr(item->name, '/');
	CLEANUP(buf) struct buf from = BUF_INIT, to = BUF_INIT, what = BUF_INIT;
	char name[NAME_MAX + 1];
	unsigned n = 0;
	int r;

	base = base ? base + 1 : item->name;
	if (path_of(point, item->name, &from) < 0)
		return fail(item->name, strerror(ENOMEM));
	do {
		name_alternative(base, ++n, name);
		if (path_of(point, name, &to) < 0)
			return fail(item->name, strerror(ENOMEM));
		r = renameat2(AT_FDCWD, from.data, AT_FDCWD, to.data, RENAME_NOREPLACE);
	} while (r < 0 && errno == EEXIST && n < NAMES_TRIED);
	if (r < 0)
		return fail_refused(point, name, errno);
	buf_printf(&what, "queued again as %s", name);
	say(stdout, item->name, buf_str(&what));
	return 0;
}

static int hurry(const char *point, const struct item *item)
{
	CLEANUP(buf) struct buf path = BUF_INIT;

	if (path_of(point, item->name, &path) < 0)
		return fail(item->name, strerror(ENOMEM));
	if (lsetxattr(path.data, "user.mail.retry", "1", 1, 0) < 0)
		return fail(item->name, errno == EBUSY ? "it is being sent" : strerror(errno));
	say(stdout, item->name, "tried now");
	return 0;
}

static int retry(const char *point, const struct item *item)
{
	static const struct {
		const char *state;
		int (*act)(const char *point, const struct item *item);
		const char *why_not;
	} states[] = {
		{ "held", hurry, NULL },
		{ "queued", hurry, NULL },
		{ "retry", hurry, NULL },
		{ "failed", move_back, NULL },
		{ "uncertain", move_back, NULL },
		{ "sending", NULL, "it is being sent" },
		{ "writing", NULL, "it is still being written" },
		{ "scratch", NULL, "files of such names are never sent; mv gives it another one" },
	};

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (!strcmp(states[i].state, item->state))
			return states[i].act ? states[i].act(point, item) : fail(item->name, states[i].why_not);
	return fail(item->name, item->state);
}

static int cancel(const char *point, const struct item *item)
{
	CLEANUP(buf) struct buf path = BUF_INIT;

	if (path_of(point, item->name, &path) < 0)
		return fail(item->name, strerror(ENOMEM));
	if (unlink(path.data) < 0)
		return fail(item->name, errno == EBUSY ? "it is being sent and cannot be cancelled any more" : strerror(errno));
	say(stdout, item->name, "cancelled");
	return 0;
}

static int for_each_name(const char *point, char *const *names, int (*act)(const char *point, const struct item *item))
{
	int status = EXIT_SUCCESS;

	for (; *names; names++) {
		CLEANUP(item) struct item item = { 0 };
		int r = find(point, *names, &item);

		if (r < 0)
			fail(*names, r == -ENOENT ? "not in this outbox" : strerror(-r));
		if (r < 0 || act(point, &item) < 0)
			status = EXIT_FAILURE;
	}
	return status;
}

/* A mount, and one that sends. */
static int find_outbox(const char *path, struct buf *ret_point)
{
	CLEANUP(buf) struct buf outbox = BUF_INIT;
	int r = mounts_find(path, ret_point);

	if (!r)
		r = path_of(buf_str(ret_point), "", &outbox);
	if (r < 0) {
		fprintf(stderr, "mailfsctl: %s: %s\n", path, r == -ENODEV ? "not a mailfs mount" : strerror(-r));
		return r;
	}
	if (access(outbox.data, F_OK) == 0)
		return 0;
	r = -errno;
	fprintf(stderr, "mailfsctl: %s: %s\n", path,
		r == -ENOENT ? "it has no outbox: the account has no smtp, or it is mounted with -o ro" : strerror(-r));
	return r;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
	CLEANUP(buf) struct buf point = BUF_INIT;
	bool is_json = false, is_list;
	const char *action;
	char **names;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j')
			return COMMAND_USAGE;
		is_json = true;
	}
	if (optind == argc)
		return COMMAND_USAGE;
	action = argc - optind > 1 ? argv[optind + 1] : "list";
	names = argc - optind > 2 ? argv + optind + 2 : NULL;
	is_list = !strcmp(action, "list");
	if (!is_list && strcmp(action, "retry") && strcmp(action, "cancel"))
		return COMMAND_USAGE;
	if (is_list ? names != NULL : !names || is_json)
		return COMMAND_USAGE;
	if (find_outbox(argv[optind], &point) < 0)
		return EXIT_FAILURE;
	if (is_list)
		return list(buf_str(&point), is_json);
	return for_each_name(buf_str(&point), names, strcmp(action, "retry") ? cancel : retry);
}

const struct command command_outbox = {
	.name = "outbox",
	.synopsis = "[--json] MOUNTPOINT [list | retry NAME ... | cancel NAME ...]",
	.help = "show what waits to be sent or could not be; try it again; cancel it",
	.run = run,
};

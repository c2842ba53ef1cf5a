/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailfsctl outbox: what waits to be sent or could not be, tried again or cancelled. By files and their attributes alone: no more than a shell can do.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/mounts.h"
#include "ctl/outbox_items.h"
#include "ctl/words.h"
#include "outbox/name.h"

static int list(const char *point, bool is_json)
{
	CLEANUP(outbox_items) struct outbox_items items = { 0 };
	int r = outbox_items_read(point, &items);

	if (r < 0) {
		fprintf(stderr, "mailfsctl: %s/outbox: %s\n", point, strerror(-r));
		return EXIT_FAILURE;
	}
	if (is_json)
		outbox_items_print_json(&items);
	else
		outbox_items_print(&items, clock_realtime_s());
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

	if (outbox_items_path(point, "", &outbox) < 0)
		return -ENOMEM;
	buf_truncate(&outbox, outbox.len - 1);
	if (!absolute || strncmp(absolute, outbox.data, outbox.len))
		return -ENOENT;
	rest = absolute + outbox.len;
	if (!*rest)
		return buf_append_str(ret, slash + 1);
	return strcmp(rest, "/failed") ? -ENOENT : buf_printf(ret, "%s%s", OUTBOX_FAILED_PREFIX, slash + 1);
}

/* `argument` without "outbox/", where it begins with that. */
static const char *below_outbox(const char *argument)
{
	return strncmp(argument, "outbox/", 7) ? argument : argument + 7;
}

/* What `argument` names: a file of the outbox, one of failed/, or a path of either. -ENOENT. */
static int find(const char *point, const char *argument, struct outbox_item *ret)
{
	const char *name = below_outbox(argument);
	const char *slash = strchr(name, '/');
	CLEANUP(buf) struct buf other = BUF_INIT;
	int r;

	if (slash && (strncmp(name, OUTBOX_FAILED_PREFIX, strlen(OUTBOX_FAILED_PREFIX)) || strchr(slash + 1, '/'))) {
		r = name_of_path(point, argument, &other);
		return r < 0 ? r : outbox_item_read(point, buf_str(&other), ret);
	}
	r = outbox_item_read(point, name, ret);
	if (r != -ENOENT || slash)
		return r;
	r = buf_printf(&other, "%s%s", OUTBOX_FAILED_PREFIX, name);
	return r < 0 ? r : outbox_item_read(point, buf_str(&other), ret);
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
	CLEANUP(outbox_item) struct outbox_item item = { 0 };

	if (buf_printf(&refused, "%s%s", OUTBOX_FAILED_PREFIX, name) == 0 && outbox_item_read(point, refused.data, &item) == 0 &&
	    item.error)
		return fail(refused.data, item.error);
	return fail(name, strerror(error));
}

/* Under its own name, or the next one that is free: what waits under it already stays. */
static int move_back(const char *point, const struct outbox_item *item)
{
	enum { NAMES_TRIED = 1000 };
	const char *base = strrchr(item->name, '/');
	CLEANUP(buf) struct buf from = BUF_INIT, to = BUF_INIT, what = BUF_INIT;
	char name[NAME_MAX + 1];
	unsigned n = 0;
	int r;

	base = base ? base + 1 : item->name;
	if (outbox_items_path(point, item->name, &from) < 0)
		return fail(item->name, strerror(ENOMEM));
	do {
		name_alternative(base, ++n, name);
		if (outbox_items_path(point, name, &to) < 0)
			return fail(item->name, strerror(ENOMEM));
		r = renameat2(AT_FDCWD, from.data, AT_FDCWD, to.data, RENAME_NOREPLACE);
	} while (r < 0 && errno == EEXIST && n < NAMES_TRIED);
	if (r < 0)
		return fail_refused(point, name, errno);
	buf_printf(&what, "queued again as %s", name);
	say(stdout, item->name, buf_str(&what));
	return 0;
}

static int hurry(const char *point, const struct outbox_item *item)
{
	CLEANUP(buf) struct buf path = BUF_INIT;

	if (outbox_items_path(point, item->name, &path) < 0)
		return fail(item->name, strerror(ENOMEM));
	if (lsetxattr(path.data, "user.mail.retry", "1", 1, 0) < 0)
		return fail(item->name, errno == EBUSY ? "it is being sent" : strerror(errno));
	say(stdout, item->name, "tried now");
	return 0;
}

static int retry(const char *point, const struct outbox_item *item)
{
	static const struct {
		const char *state;
		int (*act)(const char *point, const struct outbox_item *item);
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

static int cancel(const char *point, const struct outbox_item *item)
{
	CLEANUP(buf) struct buf path = BUF_INIT;

	if (outbox_items_path(point, item->name, &path) < 0)
		return fail(item->name, strerror(ENOMEM));
	if (unlink(path.data) < 0)
		return fail(item->name, errno == EBUSY ? "it is being sent and cannot be cancelled any more" : strerror(errno));
	say(stdout, item->name, "cancelled");
	return 0;
}

static int for_each_name(const char *point, char *const *names, int (*act)(const char *point, const struct outbox_item *item))
{
	int status = EXIT_SUCCESS;

	for (; *names; names++) {
		CLEANUP(outbox_item) struct outbox_item item = { 0 };
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
		r = outbox_items_path(buf_str(ret_point), "", &outbox);
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

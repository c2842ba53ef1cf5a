/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailfsctl status: what the mounts say of themselves.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/interrupt.h"
#include "ctl/mounts.h"
#include "ctl/status_file.h"
#include "ctl/status_text.h"

struct status_options {
	const char *path; /* borrowed; NULL: all mounts */
	bool json, watch;
};

static void complain(const char *path, int r)
{
	static const struct {
		int error;
		const char *what;
	} advice[] = {
		{ -ENODEV, "not a mailfs mount; mailfsctl status without a path shows those there are" },
		{ -ENOTCONN, "the daemon of this mount is gone: fusermount3 -u it and mount again" },
		{ -EINVAL, "what the mount says of itself is not a status" },
	};

	for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++)
		if (advice[i].error == r) {
			fprintf(stderr, "mailfsctl: %s: %s\n", path, advice[i].what);
			return;
		}
	fprintf(stderr, "mailfsctl: %s: %s\n", path, strerror(-r));
}

static int add_mount(const char *point, bool json, struct buf *out)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	int r = status_file_read(point, &text);

	if (r < 0)
		return r;
	if (json)
		return status_line(buf_str(&text), text.len, out);
	return status_text(point, buf_str(&text), text.len, clock_realtime_s(), out);
}

static int add_path(const struct status_options *o, struct buf *out)
{
	CLEANUP(buf) struct buf point = BUF_INIT;
	int r = mounts_find(o->path, &point);

	if (r == 0)
		r = add_mount(buf_str(&point), o->json, out);
	if (r < 0)
		complain(o->path, r);
	return r;
}

static int add_all(const struct status_options *o, struct buf *out)
{
	CLEANUP(mounts) struct mounts m = { 0 };
	int result = mounts_read(&m);

	if (result < 0)
		complain("/proc/self/mountinfo", result);
	for (size_t i = 0; i < m.n; i++) {
		int r = add_mount(m.points[i], o->json, out);

		if (r < 0) {
			complain(m.points[i], r);
			result = r;
		}
	}
	if (result == 0 && m.n == 0) {
		fputs("mailfsctl: nothing is mounted\n", stderr);
		return -ENODEV;
	}
	return result;
}

static int add_status(const struct status_options *o, struct buf *out)
{
	return o->path ? add_path(o, out) : add_all(o, out);
}

static int show_once(const struct status_options *o)
{
	CLEANUP(buf) struct buf out = BUF_INIT;
	int r = add_status(o, &out);

	fputs(buf_str(&out), stdout);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Prints over the `above` lines that were printed last, as many as the terminal has room for; returns how many those are now. */
static int print_in_place(const char *text, int above)
{
	struct winsize size = { .ws_row = 24 };
	int lines = 0;

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	if (above)
		printf("\033[%dA", above);
	for (size_t len; *text && lines < size.ws_row - 1; text += len + (text[len] == '\n'), lines++) {
		len = strcspn(text, "\n");
		printf("%.*s\033[K\n", (int)len, text);
	}
	fputs("\033[J", stdout);
	return lines;
}

static int watch(const struct status_options *o)
{
	bool in_place = isatty(STDOUT_FILENO) && !o->json;
	int lines = 0;
	int r = 0;

	interrupt_catch();
	if (in_place)
		fputs("\033[?7l", stdout); /* a long line is cut, not wrapped: lines have to be countable */
	while (!interrupted()) {
		CLEANUP(buf) struct buf out = BUF_INIT;

		r = add_status(o, &out);
		if (r < 0)
			break;
		if (in_place)
			lines = print_in_place(buf_str(&out), lines);
		else
			fputs(buf_str(&out), stdout);
		fflush(stdout);
		sleep(1);
	}
	if (in_place)
		fputs("\033[?7h", stdout);
	if (interrupted())
		return EXIT_INTERRUPTED;
	return EXIT_FAILURE;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "watch", no_argument, NULL, 'w' },
		{ 0 },
	};
	struct status_options o = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'j')
			o.json = true;
		else if (c == 'w')
			o.watch = true;
		else
			return COMMAND_USAGE;
	}
	if (argc - optind > 1)
		return COMMAND_USAGE;
	o.path = argv[optind];
	return o.watch ? watch(&o) : show_once(&o);
}

const struct command command_status = {
	"status",
	"[--json] [--watch] [MOUNTPOINT]",
	"show state, folders, sync progress, cache and queue of what is mounted",
	run,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailfsctl events: what happens in a mount, a line an event, until it is unmounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/interrupt.h"
#include "ctl/mounts.h"
#include "ctl/status_file.h"

/* The path that was given, or the only mount there is. */
static int find_mount(const char *path, struct buf *ret_point)
{
	CLEANUP(mounts) struct mounts m = { 0 };
	int r;

	if (path) {
		r = mounts_find(path, ret_point);
		if (r < 0)
			fprintf(stderr, "mailfsctl: %s: %s\n", path, r == -ENODEV ? "not a mailfs mount" : strerror(-r));
		return r;
	}
	r = mounts_read(&m);
	if (r == 0 && m.n == 1)
		return buf_append_str(ret_point, m.points[0]);
	fputs(m.n ? "mailfsctl: several are mounted: say which, mailfsctl status shows them\n" : "mailfsctl: nothing is mounted\n",
	      stderr);
	return -ENODEV;
}

/* A socket's own path may be 107 bytes long; the way through its directory's descriptor is short. */
static int connect_to(const char *path)
{
	CLEANUP(free) char *directory = strndup(path, (size_t)(strrchr(path, '/') - path));
	CLEANUP(fd) int dirfd = directory ? open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	CLEANUP(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (dirfd < 0 || fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d%s", dirfd, strrchr(path, '/'));
	return connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : steal_fd(&fd);
}

static int connect_to_mount(const char *point)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	json_t *status = NULL;
	const char *path = NULL;
	int r = status_file_read(point, &text);

	if (r == 0) {
		status = json_loads(buf_str(&text), 0, NULL);
		path = json_string_value(json_object_get(status, "events"));
		r = path && *path == '/' ? connect_to(path) : -ENOENT;
	}
	json_decref(status);
	return r;
}

/* Until the mount or whoever reads our output ends. */
static int copy(int fd)
{
	char block[4096];
	ssize_t n;

	while (!interrupted() && ((n = read(fd, block, sizeof block)) > 0 || (n < 0 && errno == EINTR))) {
		if (n > 0 && (fwrite(block, 1, (size_t)n, stdout) < (size_t)n || fflush(stdout) == EOF))
			return EXIT_FAILURE;
	}
	return interrupted() ? EXIT_INTERRUPTED : EXIT_SUCCESS;
}

static int run(int argc, char **argv)
{
	CLEANUP(buf) struct buf point = BUF_INIT;
	CLEANUP(fd) int fd = -1;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
		return COMMAND_USAGE;
	if (find_mount(argv[1], &point) < 0)
		return EXIT_FAILURE;
	fd = connect_to_mount(buf_str(&point));
	if (fd < 0) {
		fprintf(stderr, "mailfsctl: %s: its events cannot be followed: %s\n", buf_str(&point), strerror(-fd));
		return EXIT_FAILURE;
	}
	interrupt_catch();
	return copy(fd);
}

const struct command command_events = {
	"events",
	"[MOUNTPOINT]",
	"print what happens, a line each: new, gone, flags, sent, failed, online, offline",
	run,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's command line: flags, -o options sorted into the mount's own, the kernel's and the configuration's. Main thread, at start.
 */
#ifndef MAILFS_ARGUMENTS_H
#define MAILFS_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/* Strings borrowed from argv, but `keys` and `kernel`. */
struct arguments {
	const char *account, *mountpoint;
	const char *config; /* NULL: the usual places */
	bool foreground, debug, help, version;
	bool read_only, delay_connect, allow_other;
	uid_t uid;
	gid_t gid;
	mode_t umask;
	char **keys; /* own, n_keys of "key=value" for configuration_load() */
	size_t n_keys;
	struct buf kernel; /* own; options that mount(8) adds for every file system, comma-separated */
};

/* 0, or -EINVAL with one line. */
int arguments_parse(int argc, char **argv, struct arguments *ret, struct buf *why);
void arguments_release(struct arguments *a);

#endif

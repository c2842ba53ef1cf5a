/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who still has a file of the mount open: what tells a writer's last close from those that a shell's redirections, dup() and fork() make on the way.
 *
 * From /proc/PID/fdinfo, by inode and mount. A descriptor of the process that closes is gone from there before its FLUSH comes. Any thread; some ten
 * microseconds a process, a few milliseconds where every process has to be looked at.
 */
#ifndef MAILFS_HOLDERS_H
#define MAILFS_HOLDERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/requester.h"

/* A mount as /proc/self/mountinfo names it. */
struct holders_mount {
	int id;
	char device[32]; /* MAJOR:MINOR */
};

/* The newest mount on `mountpoint` (absolute, no symlinks); -ENOENT. */
int holders_find_mount(const char *mountpoint, struct holders_mount *ret);

/*
 * Whether any process has inode `ino` open for writing: looks at the opener, at its descendants and their orphans unless there can be none, and at everybody
 * when the opener is gone, unknown, or no relative of the closing thread `closer`. Where /proc does not let us look, true: then only the kernel's RELEASE tells.
 */
bool holders_write(const struct holders_mount *mount, uint64_t ino, const struct requester *opener, pid_t closer);

/* Whether any process that we can look at has it open at all. */
bool holders_exist(const struct holders_mount *mount, uint64_t ino);

#endif

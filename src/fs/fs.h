/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's side: a mailbox as a mounted file system.
 *
 * Made and run by the program's main thread; news may come from any thread. Knows the mailbox and the outbox by their facades
 * alone. Holds no state of its own that outlives the mount. Order: fs_new, then whoever calls fs_changed, fs_mount, fs_run,
 * mailbox_free, fs_free.
 */
#ifndef MAILFS_FS_H
#define MAILFS_FS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "mailbox/change.h"

struct fs;
struct mailbox;

/* Copied. */
struct fs_options {
	const char *mountpoint;
	const char *source; /* what `mount` and `df` show: the account */
	bool read_only, allow_other, debug;
	uid_t uid; /* owner of everything */
	gid_t gid;
	mode_t umask;		   /* what is taken from 0777 and 0666; 077 unless told */
	const char *mount_options; /* comma-separated, for the kernel: noatime,nosuid,...; NULL: none */
};

/* Whether something can be mounted here: 0, or -errno and one line (missing, not a directory, not empty, mounted already). */
int fs_check_mountpoint(const char *mountpoint, struct buf *why);

/* Whether anything is mounted exactly here. */
bool fs_is_mountpoint(const char *path);

/* Nothing is mounted yet. 0, or -errno and one line. */
int fs_new(const struct fs_options *options, struct fs **ret, struct buf *why);

/* Mounts; requests wait in the kernel until fs_run(). `mailbox` is borrowed until fs_free(). Starts no thread. */
int fs_mount(struct fs *fs, struct mailbox *mailbox, struct buf *why);

/*
 * Serves until unmounted, or until SIGTERM, SIGINT, SIGHUP or fs_stop(), which unmount. When it returns, no request is being
 * served but final closes, which mailbox_free() ends. 0 or -errno.
 */
int fs_run(struct fs *fs);

/* Ends fs_run(). Any thread; a signal handler may. */
void fs_stop(struct fs *fs);

/* News for the kernel. Never waits; what comes before fs_run() or after it is dropped. */
void fs_changed(struct fs *fs, const struct change *change);
void fs_outbox_changed(struct fs *fs, int64_t id, bool is_failed_place, const char *name, bool is_gone);

/* Unmounts if need be. NULL is allowed. */
void fs_free(struct fs *fs);

#endif

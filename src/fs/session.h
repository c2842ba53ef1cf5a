/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One mount: what every part of fs/ shares. Made before any thread; the fields are constant from fs_run() on but where a lock
 * is named.
 */
#ifndef MAILFS_SESSION_H
#define MAILFS_SESSION_H

#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>

#include "fs/again.h"
#include "fs/flag_numbers.h"
#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/holders.h"
#include "fs/listing.h"
#include "fs/notify.h"
#include "fs/submission.h"
#include "fs/wait.h"
#include "mailbox/mailbox.h"
#include "outbox/outbox.h"

/* Seconds the kernel may keep a name or attributes: what changes is told to it. */
#define SESSION_KEEP_S 3600.0

struct fs {
	struct mailbox *mailbox; /* borrowed */
	struct outbox *outbox;	 /* the mailbox's; NULL: there is none */
	struct fuse_session *session;
	char *mountpoint; /* absolute: the daemon changes its directory */
	bool read_only;
	uid_t uid;
	gid_t gid;
	mode_t umask;
	bool is_left; /* a thread is stuck in the kernel or the mailbox: the memory stays */

	struct holders_mount own_mount;
	struct notifier notifier;
	struct waits waits;
	struct again again;
	struct handles handles;
	struct listings listings;
	struct submissions submissions;
	struct flag_numbers flag_numbers;

	int wake_fd;		/* eventfd: the main thread has something to look at */
	int stop_fd;		/* eventfd: readable once the session's threads are to end */
	atomic_bool stop_asked; /* by a signal or fs_stop() */
	atomic_bool is_over;	/* unmounted, or the device failed */
};

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* The main thread looks again at interrupted waits and at the end. Async-signal-safe. */
void fs_wake(struct fs *fs);

#endif

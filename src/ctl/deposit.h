/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message put into a mount's outbox: written under a scratch name, so that a writer who is killed sends nothing, and renamed when it is whole.
 *
 * One thread. Names are unique, so that any number of processes may do this side by side. What fails leaves nothing in the outbox; what is refused stays in
 * its failed/, with the reason.
 */
#ifndef MAILFS_CTL_DEPOSIT_H
#define MAILFS_CTL_DEPOSIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct deposit {
	int dirfd, fd;
	char name[64];	  /* under which it is queued, or refused */
	char scratch[64]; /* "" once it is nothing of ours to remove any more */
};

#define DEPOSIT_INIT ((struct deposit){ .dirfd = -1, .fd = -1 })

/* A new scratch file in `directory`, MOUNT/outbox. 0 or -errno. */
int deposit_open(struct deposit *d, const char *directory);
int deposit_write(struct deposit *d, const void *data, size_t len);
/* To these alone, whatever the header says: addresses with commas between them. */
int deposit_set_recipients(struct deposit *d, const char *addresses);

/*
 * 0: queued, durably. Refused, with the reason in `why`: -EINVAL, -EPERM, -EEXIST, -EFBIG as outbox_commit() has it. -ECONNABORTED: the daemon ended meanwhile, and nobody
 * knows. Else -errno, and nothing is queued.
 */
int deposit_commit(struct deposit *d, struct buf *why);

/* Listens for the server's verdict, `wait_s` seconds at most: 0, or -EREMOTEIO with the server's words in `why` when it is not sent. */
int deposit_wait(struct deposit *d, int64_t wait_s, struct buf *why);

/* Removes what was not committed. */
void deposit_release(struct deposit *d);

static inline void deposit_cleanup(struct deposit *d)
{
	deposit_release(d);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outboxes of what is mounted, and which of them a message belongs into.
 */
#ifndef MAILFS_CTL_OUTBOXES_H
#define MAILFS_CTL_OUTBOXES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "message/address.h"

/* All own. */
struct mounted_outbox {
	char *directory; /* MOUNT/outbox */
	char *account;
	char *from;	/* the account's own addresses; NULL where it knows none */
	int64_t wait_s; /* outbox-wait */
};

struct outboxes {
	struct mounted_outbox *items; /* own; in the kernel's order, that of mailfsctl status */
	size_t n;
	size_t mounts; /* that answered, those without an outbox included */
};

/*
 * Of all mounts that answer us and are ours or root's: anybody may call a file system of his fuse.mailfs, and say that it is the one for every address. 0 or -errno.
 */
int outboxes_read(struct outboxes *ret);
/* That one alone whose outbox `directory` is, through links, whoever mounted it; none otherwise. */
int outboxes_read_at(const char *directory, struct outboxes *ret);
void outboxes_release(struct outboxes *o);

/* Borrowed from `o`, the first that fits, NULL when none does. By the account's name; */
const struct mounted_outbox *outboxes_of_account(const struct outboxes *o, const char *account);
/* by an address of its own. */
const struct mounted_outbox *outboxes_of_address(const struct outboxes *o, const struct address *a);

static inline void outboxes_cleanup(struct outboxes *o)
{
	outboxes_release(o);
}

#endif

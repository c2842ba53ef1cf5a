/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message on its way through a pipe: its header in memory, the rest still to come. What the header says of who sends it, and to whom.
 */
#ifndef MAILFS_CTL_LETTER_H
#define MAILFS_CTL_LETTER_H

#include "base/buf.h"
#include "message/address.h"
#include "outbox/string_list.h"

struct letter {
	struct buf start; /* own; what was read so far: the header, and what of the text came with it */
	size_t header_len;
};

/* Reads on until the whole header is there. The line `From alice Tue Apr 14 ...` that mailboxes have above it is dropped. 0 or -errno of
 * reading; -EINTR when interrupted(). */
int letter_read(int fd, struct letter *ret);
void letter_release(struct letter *l);

/* The addresses in From, or in Resent-From where the message is sent on; none where there are none that make sense. 0 or -ENOMEM. */
int letter_from(const struct letter *l, struct address_list *list);

/* Adds those of To, Cc and Bcc, or of Resent-To and so on. -EINVAL with `why`: one makes no sense. */
int letter_recipients(const struct letter *l, struct string_list *list, struct buf *why);

/* Adds the addresses in `text`, an operand. The user's own login and `root` are the first address of `own` (may be NULL). -EINVAL with `why`. */
int letter_add_recipients(const char *text, const char *own, struct string_list *list, struct buf *why);

/*
 * The sender of a program that knows no address, such as `root (Cron Daemon)`, becomes the first address of `own` under the name that stands there. `name`, unless
 * NULL, goes before that, and a message without From gets one. Nothing is changed where From has an address, or none of `own` is known.
 */
int letter_set_sender(struct letter *l, const char *own, const char *name);

static inline void letter_cleanup(struct letter *l)
{
	letter_release(l);
}

#endif

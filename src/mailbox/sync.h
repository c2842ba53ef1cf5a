/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the sync*.c files share: one folder's sync while it runs, on one worker. Nobody else includes it.
 */
#ifndef MAILFS_SYNC_H
#define MAILFS_SYNC_H

#include "mailbox/mailbox_private.h"

enum {
	NEWS_MAX = 256, /* more than that at once: the whole listing is news */
};

struct found_message {
	struct index_message message;
	char *flags; /* own */
};

struct found_flags {
	uint32_t uid;
	char *flags; /* own */
};

struct uid_range {
	uint32_t first, last;
};

struct sync {
	struct mailbox *mb;
	struct index_folder folder;
	struct sync_progress *progress;
	struct backend_known known;
	bool was_complete; /* the folder could be listed before: what changes is news */
	bool is_changed;
	uintptr_t n_confirmed; /* the mailbox's at the start */
	bool left_flags;       /* as they are, of some: the next sync is to tell them */
	int64_t started_s;
	bool may_know;			 /* some that come now are known already */
	bool keeps_any, has_given_names; /* of the messages being written: something is remembered of some; a name may be taken */

	struct found_message *messages; /* own, n of them own their flags */
	size_t n_messages, cap_messages;
	struct found_flags *flags; /* own */
	size_t n_flags, cap_flags;
	struct uid_range *present; /* own */
	size_t n_present, cap_present;

	struct change news[NEWS_MAX]; /* names own */
	size_t n_news;		      /* may be over NEWS_MAX: then only counted */
};

/* The names of its messages tell to whom they go. */
bool sync_is_outgoing(const struct index_folder *f);

/* sync_write.c: what was found goes to the index. Each in a transaction of the caller's; 0 or -errno. */
/* Messages found below `uidnext`; the others are the next batch's. */
int sync_write_messages(struct sync *s, uint32_t uidnext);
/* Flags that differ from what is known. */
int sync_write_flags(struct sync *s);
/* All that is left when the sync is complete. */
int sync_write_rest(struct sync *s, const struct backend_status *status, bool gone_told);
int sync_write_rights(struct sync *s, const char *rights);
/* News for those above, told after the commit. */
void sync_add_news(struct sync *s, enum change_kind kind, const struct index_message *m);
void sync_tell_news(struct sync *s);

#endif

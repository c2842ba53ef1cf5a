/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change of the journal's does to the tree that is shown: made to show, taken back, confirmed.
 *
 * Every call is made in a transaction of the index. A message's row says what is shown and, beside it, what the server has; showing anew means: as the server has it, then all that
 * the journal still holds of it, in order. News is collected and told by the caller once the transaction is committed.
 */
#ifndef MAILFS_APPLY_H
#define MAILFS_APPLY_H

#include "mailbox/mailbox_private.h"
#include "mailbox/news.h"
#include "store/journal.h"

/* A change of the user's: into the journal, and shown. Remembers where the server has the message. Sets e->seq. */
int apply_record(struct mailbox *mb, struct journal_entry *e);
/* Shows what one entry changes. -ENOENT when the message or folder is not known. */
int apply_show(struct mailbox *mb, const struct journal_entry *e);
/* Shows a message anew. `news` may be NULL. */
int apply_show_anew(struct mailbox *mb, int64_t row, struct news *news);
/* The folder that an entry names, which the user may have renamed since, or deleted: not another that has its name by now. -ENOENT. */
int apply_folder_of(struct mailbox *mb, const struct journal_entry *e, struct index_folder *ret);
/* The hidden folder of a JOURNAL_DELETE. -ENOENT also where another one has its row, in an index that was made anew. */
int apply_deleted_folder(struct mailbox *mb, const struct journal_entry *e, struct index_folder *ret);
/* A journal_each for JOURNAL_RENAMEs: `char **`, own, the wire name of a folder that may be the renamed one or below it. */
int apply_follow_rename(void *userdata, const struct journal_entry *e);
/* The server has the message `before`, as it is shown, in that folder now, under this name here; what the journal still holds of it comes on top. `f->wire` is
 * what the folder is called there as yet, `uid` not 0. */
int apply_place(struct mailbox *mb, const struct index_message *before, struct index_folder *f, uint32_t uidvalidity, uint32_t uid,
		const char *name, struct news *news);
/* Nobody knows by which UID, or where, the server has it: it goes from the tree, and a sync will meet it. -ENOENT: it is in no tree. */
int apply_nowhere(struct mailbox *mb, int64_t row, struct news *news);
/* The server's flags of a message are these; what the journal still holds comes on top. 1 when other flags are shown than before. */
int apply_server_flags(struct mailbox *mb, int64_t row, const char *flags);
/* Of the caller's memory: it is shown nowhere, and where the server has it stays known. */
void apply_hide(struct index_message *m);
/* The name for a file in a folder: `wanted`, or the like where that is taken. `suffix`, such as ".partial", goes to the end; "": none. */
int apply_free_name(struct mailbox *mb, int64_t folder, const char *wanted, const char *suffix, char out[NAME_MAX + 1]);
/* Detail of a JOURNAL_FLAGS. */
int apply_flags_words(const char *flags, const char *detail, struct buf *out);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What changing*.c and upload.c share: one change while it is made, from the check to the commit. Nobody else includes it.
 */
#ifndef MAILFS_CHANGING_PRIVATE_H
#define MAILFS_CHANGING_PRIVATE_H

#include "mailbox/apply.h"
#include "mailbox/replay.h"

/* A transaction of the index and the journal, and the news that is told when it is committed. */
struct changing {
	struct mailbox *mb;
	struct news news;
	int64_t last_seq; /* the last entry that is to be sent; 0: none */
	int64_t unlinked; /* a local file whose name goes with the commit; 0: none */
};

/* -EROFS on a mount that only looks. */
int changing_begin(struct changing *c, struct mailbox *mb);
/* Commits when r is 0 or more, else nothing happened. Returns r, or why it could not be committed. */
int changing_end(struct changing *c, int r);
/* Into the journal, and shown. */
int changing_record(struct changing *c, struct journal_entry *e);

/* Whether the server lets us do this in the folder: RFC 4314 letters, all of which are needed. 0, -EACCES, -EROFS; -EPERM for the root and what stands only in the tree. */
int changing_check_rights(const struct index_folder *f, const char *letters);
/* A name that may be given: -EINVAL, -ENAMETOOLONG. `top`: in the mount's root. */
int changing_check_name(const char *name);
/* Gives up a name in favour of another local file: the bytes go, the row as well. */
int changing_drop_local(struct changing *c, const struct index_message *m);
/* Whether one of the words is no \Flag of RFC 9051. */
bool changing_has_keyword(const char *words);
bool changing_is_drafts(struct mailbox *mb, int64_t folder);

/* 1 for a local file that is in the journal as a new message. What else stands there of its row is about the stored draft that is edited. */
int changing_is_on_its_way(struct mailbox *mb, int64_t row);
/* 1 for a local file whose upload has not begun; -EBUSY for a stored draft that is being edited: where the server has it would not be what is moved or marked. */
int changing_is_unsent(struct mailbox *mb, const struct index_message *m);
/*
 * Its flags are `flags`, canonical, and get and lose these words: what it will be uploaded with, or into the journal. 1: whether the folder takes such keywords is not
 * known yet.
 */
int changing_flags(struct changing *c, const struct index_message *m, const char *flags, const char *add, const char *remove);
/* -ENOENT; -EISDIR for a folder. */
int changing_find_message(struct mailbox *mb, int64_t folder, const char *name, struct index_message *ret);
/* As `delete` says. */
int changing_unlink_message(struct changing *c, const struct index_message *m);

/* As mailbox_settle_message(), but what has nothing to wait for need not be on the disk. */
int changing_settle(struct mailbox *mb, int64_t row, struct waiter *w);

/* What stat(2) shows of a message's mtime and mode, on this machine. In a transaction. */
int changing_remember(struct mailbox *mb, struct index_message *m, int64_t mtime_ns, uint32_t mode);

/* changing_folder.c. In a transaction. A folder of the server's is made below `parent`; shown at once. Release *ret. */
int changing_make_folder(struct changing *c, int64_t parent, const char *name, int special_use, struct index_folder *ret);
/* Another place, name and wire name, for it and what is below it, local files too. */
int changing_put_folder(struct mailbox *mb, struct index_folder *f, int64_t parent, const char *name, const char *wire);
int changing_rename_folder(struct changing *c, struct index_folder *f, int64_t to_parent, const char *to_name, bool no_replace);

/* draft.c. In a transaction. A draft that is being edited is what the server has again; what was written goes. */
int draft_end_edit(struct changing *c, struct index_message *m);
/* What the server has of one that was edited goes on in another row, shown nowhere. */
int draft_leave_old(struct changing *c, struct index_message *m, int64_t *ret_row);
/* What was written gets another row, and a name that ends in .partial; the draft is what the server has again. */
int draft_part_from(struct changing *c, struct index_message *m, struct index_message *ret_aside);
/* A stored draft gives up its name to `m`; its flags are that one's, where it has none of its own. */
int draft_hide(struct changing *c, const struct index_message *m, struct index_message *target);
/* The draft `replaces` goes once nothing is left to be done for `m`, which the server has or gets. */
int draft_replace_by_stored(struct changing *c, const struct index_message *m, int64_t replaces);
/* A new draft takes the place of one that was called as it and a ~. *ret_replaces: its row; unchanged: there is none. */
int draft_replace_renamed(struct changing *c, const struct index_folder *f, const struct index_message *m, int64_t *ret_replaces);

/* edit.c. `w` is answered once a message's bytes are in the cache, with -errno if they cannot be had. -EINPROGRESS; -errno. */
int edit_fetch(struct mailbox *mb, int64_t row, struct waiter *w);

/* upload.c. In a transaction. A local file is made, empty, and is being written. *ret_fd own. */
int upload_insert_local(struct changing *c, const struct index_folder *f, struct index_message *m, int *ret_fd);
/* An ordinary, closed local file is judged and goes into the journal; a scratch name or no bytes: it stays as it is. `replaces`: the row of a
 * draft that goes once this one is there; 0: none. */
int upload_submit(struct changing *c, struct index_message *m, int64_t replaces);
/* Whether a local file is to be a message under a name: no scratch, and not empty. */
bool upload_is_message(struct mailbox *mb, int64_t row, const char *name);
/* Where a local file is to stand. */
int upload_place(struct local_entry *e, const struct index_folder *folder, const char *name);
bool upload_is_written(struct mailbox *mb, int64_t row);
int upload_note_writing(struct mailbox *mb, int64_t row, bool begins);
/* Into the list of local files. */
int upload_put_entry(struct mailbox *mb, const struct index_message *m, const struct index_folder *f, const char *flags);
/* The bytes of a message or local file, own; -1: they are not here. */
int upload_open_bytes(struct mailbox *mb, const struct index_message *m);
/* 1 when both hold the same bytes, else 0. -EINPROGRESS: as many, and those of `b` are not here. */
int upload_same_bytes(struct mailbox *mb, const struct index_message *a, const struct index_message *b);
/* The bytes of a local file that was not uploaded stay, as a scratch file NAME.partial. In a transaction. */
int upload_set_aside(struct changing *c, int64_t row);

#endif

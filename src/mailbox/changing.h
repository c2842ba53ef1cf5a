/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changing the mailbox: the other half of the facade that fs/ calls.
 *
 * Every change takes one path: checked against what is known, into the journal and the index, answered; a thread of the mailbox's sends the journal
 * within 50 ms and takes back what the server refuses. So nothing here waits for the network; what may be waited for takes a waiter and returns
 * -EINPROGRESS. Kernel threads call everything here. Names are components of the tree.
 *
 * Errors of every call: -EROFS (read-only mount, folder that the server opens read-only), -EACCES (MYRIGHTS), -ENOSPC, -EIO.
 */
#ifndef MAILFS_CHANGING_H
#define MAILFS_CHANGING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/waiter.h"

struct mailbox;

/*
 * Local files: messages that are being written, and scratch files, whose names (message/scratch_name.h) say that they are never uploaded. They have a row from
 * the start and keep it when they are uploaded, moved and renamed.
 */

/* A new, empty one; *ret_fd own, read-write. -EEXIST; -ENAMETOOLONG; -EINVAL: a name that the tree uses itself; -ENOENT: no such folder. */
int mailbox_create(struct mailbox *mb, int64_t folder, const char *name, mode_t mode, int64_t *ret_row, int *ret_fd);
/*
 * Opens a local file again, or a stored message of the drafts folder to be replaced (its bytes copied first unless `truncate`). *ret_fd own. -EINPROGRESS: `w` is answered
 * when it is worth calling again: what was on its way to there has arrived, or the bytes are here. -EACCES: a stored message elsewhere, or one that is to be read. Whoever has
 * `write` calls mailbox_commit() or mailbox_abandon() once all of them closed.
 */
int mailbox_edit(struct mailbox *mb, int64_t row, bool write, bool truncate, struct waiter *w, int *ret_fd);
/*
 * The last writer closed. A scratch name or an empty file stays local: 0. Else it is judged (-EINVAL: not a message, -EFBIG: over the server's limit) and uploaded:
 * -EINPROGRESS, `w` is answered with the server's verdict (-EDQUOT; -ENOENT: the folder, or what was copied, has gone), or 0 while offline, once it is in the journal. 0, too, for
 * a file that was removed meanwhile. A draft that did not change is left alone. After an error
 * the bytes are a scratch file NAME.partial.
 */
int mailbox_commit(struct mailbox *mb, int64_t row, struct waiter *w);
/* Whether what was committed is in the journal, so that whoever waits for the verdict may leave. */
bool mailbox_commit_is_safe(struct mailbox *mb, int64_t row);
/* Its writer was killed or failed, or a write was refused: the bytes become a scratch file NAME.partial. Scratch names stay. */
void mailbox_abandon(struct mailbox *mb, int64_t row);

/* A local file, empty as yet, becomes a copy on the server of the message `from`: no byte passes here. -EXDEV: copy the bytes; -ENOENT: `from` has gone. */
int mailbox_copy(struct mailbox *mb, int64_t from, int64_t to);
/* Such a copy could not be made, nor its bytes be had: the file goes, and a draft that it was to replace is as it was. */
void mailbox_abandon_copy(struct mailbox *mb, int64_t row);

/*
 * A message, local file or folder gets another place or name. Over a message: 0 when both hold the same bytes (the source goes, the target stays), in the drafts folder
 * replaced; else -EEXIST. -EINPROGRESS: only for a target whose bytes must be fetched to compare: `w` is answered when it is worth calling again. INBOX: -EBUSY. -EXDEV: copy and remove instead.
 * -ENOTEMPTY, -EISDIR, -ENOTDIR, -EINVAL (a folder below itself).
 */
int mailbox_rename(struct mailbox *mb, int64_t folder, const char *name, int64_t to_folder, const char *to_name, bool no_replace,
		   struct waiter *w);
/* A message or local file, as `delete` says. -EISDIR; -EPERM: in the trash for less than trash-keep. */
int mailbox_unlink(struct mailbox *mb, int64_t folder, const char *name);
int mailbox_mkdir(struct mailbox *mb, int64_t parent, const char *name, int64_t *ret_row);
/* -ENOTEMPTY, -ENOTDIR, -EBUSY (INBOX). */
int mailbox_rmdir(struct mailbox *mb, int64_t parent, const char *name);

/* The value of user.mail.flags: IMAP words, space-separated, replace all; with a leading + or - add or remove. Of a local file: what it will be uploaded with. -EINVAL: no such
 * word; -ENOTSUP: a keyword that the folder does not take. 1: whether it takes keywords at all is not known yet: mailbox_settle_message() tells. */
int mailbox_set_flags(struct mailbox *mb, int64_t row, const char *value, size_t len);
/*
 * Whether a message of the folder may get a keyword that none has: 0, -ENOTSUP, -EROFS, -EACCES; -EINPROGRESS: `w` is told, as soon as the server has been asked. 0 as well
 * where that cannot be done now: who sets it is told later. A waiter that is interrupted is kept all the same.
 */
int mailbox_takes_keyword(struct mailbox *mb, int64_t folder, const char *keyword, struct waiter *w);
/* Of a local file the mtime is to be its INTERNALDATE. Of a stored message both are remembered on this machine only. */
int mailbox_set_mtime(struct mailbox *mb, int64_t row, const struct timespec *mtime);
int mailbox_set_mode(struct mailbox *mb, int64_t row, mode_t mode);

/* fsync(2): `w` is answered once the server has said its word about every change so far of this message, or of this folder and what is in it: 0, or -errno of one that it refused.
 * 0 at once when there is none, or when offline; then what this machine has of it is on its disk. What was refused a moment before, and nobody has heard of, is told once. */
int mailbox_settle_message(struct mailbox *mb, int64_t row, struct waiter *w);
int mailbox_settle_folder(struct mailbox *mb, int64_t row, struct waiter *w);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/folder_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/attributes.h"
#include "fs/control.h"
#include "fs/inode.h"
#include "fs/place.h"
#include "fs/settling.h"
#include "fs/view_flags.h"
#include "fs/view_maildir.h"
#include "fs/writing.h"
#include "fs/xattr.h"
#include "mailbox/changing.h"

/* What the tree itself adds. */
static bool is_own(const struct fs *fs, fuse_ino_t parent, const char *name)
{
	if (strcmp(name, VIEW_FLAGS_NAME) == 0)
		return true;
	if (parent != FUSE_ROOT_ID)
		return false;
	return strcmp(name, CONTROL_NAME) == 0 || strcmp(name, VIEW_MAILDIR_NAME) == 0 ||
	       (fs->outbox && strcmp(name, PLACE_NAME) == 0);
}

/* rsync, tar and cp -a set a directory's owner, mode, times and attributes: nobody needs them, and a refusal would fail the whole run. */
void folder_change_attributes(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const struct stat *to, int valid)
{
	(void)to, (void)valid;
	attributes_reply_folder(fs, req, ino);
}

void folder_change_xattr(struct fs *fs, fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size)
{
	(void)fs, (void)ino, (void)value, (void)size;
	fuse_reply_err(req, strcmp(name, XATTR_PREFIX "flags") == 0 ? EPERM : 0);
}

void folder_change_create(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
			  struct fuse_file_info *fi)
{
	if (is_own(fs, parent, name))
		fuse_reply_err(req, EEXIST);
	else
		writing_create(fs, req, parent, name, mode, fi);
}

void folder_change_make(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	if (is_own(fs, parent, name))
		fuse_reply_err(req, EEXIST);
	else
		writing_make(fs, req, parent, name, mode);
}

void folder_change_mkdir(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	struct mailbox_folder folder;
	int64_t row;
	int r = is_own(fs, parent, name) ? -EEXIST : mailbox_mkdir(fs->mailbox, inode_row(parent), name, &row);

	if (r == 0)
		r = mailbox_folder(fs->mailbox, row, &folder);
	if (r == 0)
		entry_of_folder(fs, &folder, &entry);
	entry_reply(req, r, &entry);
}

struct removing {
	struct wait wait; /* first */
	int64_t parent;
	char name[];
};

/* Where the look failed the server is asked, too, once more before anything is deleted. */
static void looked_into(struct wait *w, int result)
{
	struct removing *removing = (struct removing *)w;

	fuse_reply_err(w->req, result == -EINTR ? EINTR : -mailbox_rmdir(w->fs->mailbox, removing->parent, removing->name));
	free(removing);
}

/* Whether a folder that nobody has looked at is empty takes a look. */
void folder_change_rmdir(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct removing *removing;
	struct mailbox_entry child;
	int r = is_own(fs, parent, name) ? -EBUSY : mailbox_lookup(fs->mailbox, inode_row(parent), name, &child);

	if (r == 0 && !child.is_folder)
		r = -ENOTDIR;
	removing = r == 0 ? calloc(1, sizeof(*removing) + strlen(name) + 1) : NULL;
	if (!removing) {
		fuse_reply_err(req, r < 0 ? -r : ENOMEM);
		return;
	}
	removing->parent = inode_row(parent);
	strcpy(removing->name, name);
	wait_start(&removing->wait, fs, req, looked_into);
	r = mailbox_look(fs->mailbox, child.folder.row, &removing->wait.waiter);
	if (r == -EINPROGRESS)
		return;
	wait_end(&removing->wait);
	looked_into(&removing->wait, r);
}

void folder_change_unlink(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	int r = is_own(fs, parent, name) ? -EISDIR : mailbox_unlink(fs->mailbox, inode_row(parent), name);

	fuse_reply_err(req, -r);
}

/* The inode behind a name; 0: none. */
static fuse_ino_t ino_of(struct fs *fs, fuse_ino_t parent, const char *name)
{
	struct mailbox_entry child;

	if (mailbox_lookup(fs->mailbox, inode_row(parent), name, &child) < 0)
		return 0;
	return child.is_folder ? inode_make(INODE_FOLDER, 0, child.folder.row) : inode_make(INODE_MESSAGE, 0, child.message.row);
}

static void nobody_waits(struct waiter *w, int result)
{
	(void)result;
	free(w);
}

/*
 * Whether the target holds the same bytes may have to be asked of the server. The kernel has both directories locked, so the answer now is
 * that the name is taken; the bytes come meanwhile, and who tries again is told the truth.
 */
static int rename_in_mailbox(struct fs *fs, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name,
			     bool no_replace)
{
	struct waiter *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->done = nobody_waits;
	r = mailbox_rename(fs->mailbox, inode_row(parent), name, inode_row(to), to_name, no_replace, w);
	if (r == -EINPROGRESS)
		return -EEXIST;
	free(w);
	return r;
}

static int check_rename(const struct fs *fs, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name,
			unsigned flags)
{
	if (inode_kind(to) != INODE_FOLDER)
		return inode_kind(to) == INODE_PLACE ? -EXDEV : -EPERM;
	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	return is_own(fs, parent, name) || is_own(fs, to, to_name) ? -EBUSY : 0;
}

void folder_change_rename(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name,
			  unsigned flags)
{
	fuse_ino_t ino = ino_of(fs, parent, name);
	bool is_what_the_kernel_thinks = true;
	int r = check_rename(fs, parent, name, to, to_name, flags);

	if (r == 0)
		r = rename_in_mailbox(fs, parent, name, to, to_name, flags & RENAME_NOREPLACE);
	if (r == 0)
		is_what_the_kernel_thinks = ino_of(fs, to, to_name) == ino;
	fuse_reply_err(req, -r);
	/* Of two messages with the same bytes the one that was there stays; the kernel thinks that the other one has its name now. */
	if (!is_what_the_kernel_thinks)
		notify_name_gone(&fs->notifier, to, to_name);
}

static int settle_folder(struct fs *fs, fuse_ino_t ino, struct waiter *w)
{
	return mailbox_settle_folder(fs->mailbox, inode_row(ino), w);
}

void folder_change_sync(struct fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	settling_wait(fs, req, ino, settle_folder);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mailbox as one that cannot be changed: every change is refused.
 */
#include "mailbox/changing.h"

#include <errno.h>

#include "mailbox/mailbox_private.h"

static int refused(const struct mailbox *mb)
{
	return mb->options.read_only ? -EROFS : -EPERM;
}

int mailbox_create(struct mailbox *mb, int64_t folder, const char *name, mode_t mode, int64_t *ret_row, int *ret_fd)
{
	(void)folder, (void)name, (void)mode, (void)ret_row, (void)ret_fd;
	return refused(mb);
}

int mailbox_edit(struct mailbox *mb, int64_t row, bool write, bool truncate, struct waiter *w, int *ret_fd)
{
	(void)row, (void)write, (void)truncate, (void)w, (void)ret_fd;
	return mb->options.read_only ? -EROFS : -EACCES;
}

int mailbox_commit(struct mailbox *mb, int64_t row, struct waiter *w)
{
	(void)row, (void)w;
	return refused(mb);
}

bool mailbox_commit_is_safe(struct mailbox *mb, int64_t row)
{
	(void)mb, (void)row;
	return false;
}

void mailbox_abandon(struct mailbox *mb, int64_t row)
{
	(void)mb, (void)row;
}

int mailbox_copy(struct mailbox *mb, int64_t from, int64_t to)
{
	(void)from, (void)to;
	return refused(mb);
}

int mailbox_rename(struct mailbox *mb, int64_t folder, const char *name, int64_t to_folder, const char *to_name, bool no_replace,
		   struct waiter *w)
{
	(void)folder, (void)name, (void)to_folder, (void)to_name, (void)no_replace, (void)w;
	return refused(mb);
}

int mailbox_unlink(struct mailbox *mb, int64_t folder, const char *name)
{
	(void)folder, (void)name;
	return refused(mb);
}

int mailbox_mkdir(struct mailbox *mb, int64_t parent, const char *name, int64_t *ret_row)
{
	(void)parent, (void)name, (void)ret_row;
	return refused(mb);
}

int mailbox_rmdir(struct mailbox *mb, int64_t parent, const char *name)
{
	(void)parent, (void)name;
	return refused(mb);
}

int mailbox_set_flags(struct mailbox *mb, int64_t row, const char *value, size_t len)
{
	(void)row, (void)value, (void)len;
	return refused(mb);
}

int mailbox_set_mtime(struct mailbox *mb, int64_t row, const struct timespec *mtime)
{
	(void)row, (void)mtime;
	return refused(mb);
}

int mailbox_set_mode(struct mailbox *mb, int64_t row, mode_t mode)
{
	(void)row, (void)mode;
	return refused(mb);
}

int mailbox_settle_message(struct mailbox *mb, int64_t row, struct waiter *w)
{
	(void)mb, (void)row, (void)w;
	return 0;
}

int mailbox_settle_folder(struct mailbox *mb, int64_t row, struct waiter *w)
{
	(void)mb, (void)row, (void)w;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/dispatch.h"

#include "fs/attributes.h"
#include "fs/copying.h"
#include "fs/inode.h"
#include "fs/kinds.h"
#include "fs/loop.h"
#include "fs/xattr.h"

const struct kind_operations *dispatch_operations(uint64_t ino)
{
	static const struct kind_operations nothing;
	static const struct kind_operations *const kinds[INODE_KINDS] = {
		[INODE_FOLDER] = &folder_operations,	[INODE_MESSAGE] = &message_operations,
		[INODE_ENTRY] = &entry_operations,	[INODE_PLACE] = &place_operations,
		[INODE_CONTROL] = &control_operations,	[INODE_MAILDIR] = &view_maildir_operations,
		[INODE_FLAGS] = &view_flags_operations,
	};
	enum inode_kind kind = inode_kind(ino);

	return kind < INODE_KINDS && kinds[kind] ? kinds[kind] : &nothing;
}

/* Calls the kind's operation, or replies the errno of a kind that has none. */
#define DISPATCH(operation, req, ino, absent, ...)                                   \
	do {                                                                         \
		const struct kind_operations *operations = dispatch_operations(ino); \
		if (operations->operation)                                           \
			operations->operation(fs_of(req), req, ino, ##__VA_ARGS__);  \
		else                                                                 \
			fuse_reply_err(req, absent);                                 \
	} while (0)

/* The same for what writes to a disk, or makes others do so. */
#define DISPATCH_SLOW(...)             \
	do {                           \
		loop_step_aside();     \
		DISPATCH(__VA_ARGS__); \
	} while (0)

/* The same for what changes something; a kind that cannot be changed that way says EPERM. */
#define DISPATCH_CHANGE(operation, req, ino, ...)                               \
	do {                                                                    \
		if (fs_of(req)->read_only)                                      \
			fuse_reply_err(req, EROFS);                             \
		else                                                            \
			DISPATCH_SLOW(operation, req, ino, EPERM, __VA_ARGS__); \
	} while (0)

static void refuse_change(fuse_req_t req)
{
	fuse_reply_err(req, fs_of(req)->read_only ? EROFS : EPERM);
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	DISPATCH(lookup, req, parent, ENOTDIR, name);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	DISPATCH(getattr, req, ino, ENOENT);
}

static void on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *to, int valid, struct fuse_file_info *fi)
{
	(void)fi;
	DISPATCH_CHANGE(setattr, req, ino, to, valid);
}

static void on_readlink(fuse_req_t req, fuse_ino_t ino)
{
	DISPATCH(readlink, req, ino, EINVAL);
}

static void on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	DISPATCH(opendir, req, ino, ENOTDIR, fi);
}

static void on_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t after, struct fuse_file_info *fi)
{
	if (dispatch_operations(ino)->list)
		listing_readdirplus(req, ino, size, after, fi);
	else
		fuse_reply_err(req, ENOTDIR);
}

static void on_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	listing_releasedir(req, ino, fi);
}

static void on_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	DISPATCH_CHANGE(create, req, parent, name, mode, fi);
}

static void on_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	DISPATCH_CHANGE(unlink, req, parent, name);
}

static void on_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name, unsigned flags)
{
	again_end(&fs_of(req)->again, fuse_req_ctx(req)->pid);
	DISPATCH_CHANGE(rename, req, parent, name, to, to_name, flags);
}

static void on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)mode; /* a folder's is what the server lets us do */
	DISPATCH_CHANGE(mkdir, req, parent, name);
}

static void on_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(void)device;
	if (S_ISREG(mode))
		DISPATCH_CHANGE(make, req, parent, name, mode);
	else
		refuse_change(req);
}

static void on_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	DISPATCH_CHANGE(rmdir, req, parent, name);
}

static void on_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target, (void)parent, (void)name;
	refuse_change(req);
}

static void on_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t to, const char *to_name)
{
	DISPATCH_CHANGE(link, req, to, to_name, ino);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	DISPATCH(open, req, ino, EACCES, fi);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	DISPATCH(read, req, ino, EBADF, size, offset, fi);
}

static void on_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset, struct fuse_file_info *fi)
{
	DISPATCH_SLOW(write, req, ino, EBADF, data, size, offset, fi);
}

static void on_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	DISPATCH(flush, req, ino, 0, fi);
}

static void on_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)datasync;
	DISPATCH_SLOW(fsync, req, ino, 0, fi);
}

static void on_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)datasync, (void)fi;
	DISPATCH_SLOW(fsyncdir, req, ino, 0); /* what an outbox holds is on disk once its close returned */
}

static void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	DISPATCH(release, req, ino, 0, fi);
}

static void on_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_fi, fuse_ino_t to,
			       off_t to_offset, struct fuse_file_info *to_fi, size_t size, int flags)
{
	(void)flags;
	if (inode_kind(from) == INODE_MESSAGE && inode_kind(to) == INODE_MESSAGE && from_offset == 0 && to_offset == 0)
		copying_range(fs_of(req), req, from, from_fi, to, to_fi, size);
	else
		fuse_reply_err(req, EXDEV); /* the kernel copies the bytes itself */
}

/*
 * The capabilities that libfuse wants by default are right for us but for one: plain names first and attributes on suspicion costs a walk
 * of a large folder more than always having them. Among them is ATOMIC_O_TRUNC: an OPEN that truncates says so, where a SETATTR before it would ask for a draft's
 * bytes just to drop them. WRITEBACK_CACHE is not: a write must be here before the close that commits it.
 */
static void on_init(void *userdata, struct fuse_conn_info *connection)
{
	(void)userdata;
	connection->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	/* With the usual 12, as many stalled readers stop everybody else's read-ahead. */
	connection->max_background = 1024;
	connection->congestion_threshold = 768;
	connection->time_gran = 1;
}

const struct fuse_lowlevel_ops dispatch_table = {
	.init = on_init,
	.lookup = on_lookup,
	.getattr = on_getattr,
	.setattr = on_setattr,
	.readlink = on_readlink,
	.mknod = on_mknod,
	.mkdir = on_mkdir,
	.unlink = on_unlink,
	.rmdir = on_rmdir,
	.symlink = on_symlink,
	.rename = on_rename,
	.link = on_link,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.flush = on_flush,
	.release = on_release,
	.fsync = on_fsync,
	.opendir = on_opendir,
	.readdirplus = on_readdirplus,
	.releasedir = on_releasedir,
	.fsyncdir = on_fsyncdir,
	.statfs = attributes_statfs,
	.setxattr = xattr_set,
	.getxattr = xattr_get,
	.listxattr = xattr_list,
	.removexattr = xattr_remove,
	.create = on_create,
	.copy_file_range = on_copy_file_range,
};

/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/xattr.h"

#include <string.h>

#include "fs/dispatch.h"
#include "fs/kinds.h"

static void reply_bytes(fuse_req_t req, const char *data, size_t len, size_t size)
{
	if (size == 0)
		fuse_reply_xattr(req, len);
	else if (size < len)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, data, len);
}

void xattr_reply(fuse_req_t req, int r, const struct buf *value, size_t size)
{
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		reply_bytes(req, buf_str(value), value->len, size);
}

/*
 * The part behind the prefix; NULL and *ret_errno for any other name. Namespaces that there are none of must say EOPNOTSUPP: programs then
 * stop asking, file by file, where ENODATA makes them ask twice, and ENOSYS would make the kernel end all attributes.
 */
static const char *own_name(const char *name, int *ret_errno)
{
	if (strncmp(name, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0)
		return name + strlen(XATTR_PREFIX);
	*ret_errno = strncmp(name, "user.", 5) == 0 ? ENODATA : EOPNOTSUPP;
	return NULL;
}

void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	const struct kind_operations *operations = dispatch_operations(ino);
	int error = ENODATA;
	const char *own = own_name(name, &error);

	if (own && operations->getxattr)
		operations->getxattr(fs_of(req), req, ino, own, size);
	else
		fuse_reply_err(req, error);
}

void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	const struct kind_operations *operations = dispatch_operations(ino);
	CLEANUP(buf) struct buf names = BUF_INIT;
	int r = operations->listxattr ? operations->listxattr(fs_of(req), ino, &names) : 0;

	xattr_reply(req, r, &names, size);
}

void xattr_set(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	const struct kind_operations *operations = dispatch_operations(ino);

	(void)flags;
	if (fs_of(req)->read_only)
		fuse_reply_err(req, EROFS);
	else if (operations->setxattr && strncmp(name, "user.", 5) == 0)
		operations->setxattr(fs_of(req), req, ino, name, value, size);
	else
		fuse_reply_err(req, EOPNOTSUPP);
}

void xattr_remove(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	const struct kind_operations *operations = dispatch_operations(ino);

	if (fs_of(req)->read_only)
		fuse_reply_err(req, EROFS);
	else if (strncmp(name, "user.", 5) != 0)
		fuse_reply_err(req, EOPNOTSUPP);
	else if (operations->removexattr)
		operations->removexattr(fs_of(req), req, ino, name);
	else
		fuse_reply_err(req, EPERM);
}

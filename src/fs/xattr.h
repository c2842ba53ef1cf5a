/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes, whichever kind has them: the namespace `user.mail.`, and what is said of others.
 */
#ifndef MAILFS_XATTR_H
#define MAILFS_XATTR_H

#include "fs/session.h"

#define XATTR_PREFIX "user.mail."

/* Replies a value, or its length when `size` is 0; -ERANGE when it does not fit; -errno when `r` is one. */
void xattr_reply(fuse_req_t req, int r, const struct buf *value, size_t size);

/* The session's operations. */
void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size);
void xattr_set(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
void xattr_remove(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif

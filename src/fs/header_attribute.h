/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes that are header fields of a message: user.mail.subject and the like, read from its bytes. Waits for them as a read does.
 */
#ifndef MAILFS_HEADER_ATTRIBUTE_H
#define MAILFS_HEADER_ATTRIBUTE_H

#include "fs/session.h"

/* Replies; -ENODATA for a name that is none of them and for a message without the field. */
void header_attribute_get(struct fs *fs, fuse_req_t req, int64_t row, const char *name, size_t size);

#endif

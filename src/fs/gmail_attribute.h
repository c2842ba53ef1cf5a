/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes of a message that Gmail alone has: user.mail.gmail-labels and the like. Waits for the server as a read does.
 */
#ifndef MAILFS_GMAIL_ATTRIBUTE_H
#define MAILFS_GMAIL_ATTRIBUTE_H

#include "fs/session.h"

/* Replies. `name` is one of them, see mailbox_gmail_has(). */
void gmail_attribute_get(struct fs *fs, fuse_req_t req, int64_t row, const char *name, size_t size);

#endif

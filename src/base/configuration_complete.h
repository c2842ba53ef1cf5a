/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nobody wrote down and follows from what was: addresses, users and secrets of the one server for the other, and the account's own directories. For
 * configuration.c alone.
 */
#ifndef MAILFS_CONFIGURATION_COMPLETE_H
#define MAILFS_CONFIGURATION_COMPLETE_H

#include "base/buf.h"
#include "base/configuration.h"

/* After all keys were read and checked. `account_is_url`: it was named by the URL of its mailbox. -ENOMEM; -ENOENT with `why`: no home directory. */
int configuration_complete(struct configuration *c, bool account_is_url, struct buf *why);

/* configuration.c: $VARIABLE where that is an absolute path (the XDG specification ignores any other), else the home directory's own. -ENOENT. */
int configuration_xdg_directory(const char *variable, const char *below_home, struct buf *out);

#endif

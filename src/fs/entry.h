/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries of the outbox as files.
 */
#ifndef MAILFS_ENTRY_H
#define MAILFS_ENTRY_H

#include "fs/session.h"

/* What an entry that somebody has open measures now. */
void entry_refresh(struct fs *fs, struct outbox_entry *entry);

#endif

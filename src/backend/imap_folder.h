/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making, removing, renaming and subscribing to folders (RFC 9051 sections 6.3.4 to 6.3.8). The contract is backend.h's.
 */
#ifndef MAILFS_IMAP_FOLDER_H
#define MAILFS_IMAP_FOLDER_H

#include "backend/imap_session.h"

int imap_create(struct backend *b, const char *folder, enum special_use use);
int imap_remove(struct backend *b, const char *folder);
int imap_rename(struct backend *b, const char *from, const char *to);
int imap_subscribe(struct backend *b, const char *folder, bool on);

#endif

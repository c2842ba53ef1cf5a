/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Gmail has of a message beside it, in FETCH items of its own (X-GM-EXT-1): labels and the numbers of message and thread.
 */
#ifndef MAILFS_IMAP_GMAIL_H
#define MAILFS_IMAP_GMAIL_H

#include "backend/imap_session.h"

int imap_gmail(struct backend *b, const char *folder, uint32_t uidvalidity, uint32_t uid, struct backend_gmail *ret);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The new UIDs that a server tells of what it stored or copied: APPENDUID and COPYUID (RFC 4315 section 3). Pure. A wrong UID
 * would give one message another's name and bytes, and some servers send nonsense here: what does not fit exactly is as if it
 * had not been told.
 */
#ifndef MAILFS_IMAP_UIDPLUS_H
#define MAILFS_IMAP_UIDPLUS_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/imap_response.h"

/* "UIDVALIDITY SET" of exactly n messages. False, and nothing is written, where it is anything else. */
bool imap_uidplus_appended(struct imap_text text, size_t n, uint32_t *ret_uidvalidity, uint32_t *ret_uids);

/*
 * "UIDVALIDITY FROM TO" of some of the ascending asked[n]: puts each one's new UID into the same place of ret_uids and leaves the
 * others. False, and nothing is written, where it is anything else.
 */
bool imap_uidplus_copied(struct imap_text text, const uint32_t *asked, size_t n, uint32_t *ret_uidvalidity, uint32_t *ret_uids);

#endif

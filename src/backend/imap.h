/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IMAP (RFC 9051, RFC 3501) as a backend. Nothing but the table: see backend.h.
 */
#ifndef MAILFS_IMAP_H
#define MAILFS_IMAP_H

#include "backend/backend.h"

extern const struct backend_ops imap_backend;

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As much MIME (RFC 2045, 2046) as judging a message to be sent needs. Pure.
 */
#ifndef MAILFS_MIME_H
#define MAILFS_MIME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* The value of a parameter of an unfolded structured field value ("text/plain; charset=utf-8"): unquoted; RFC 2231 sections joined and decoded
 * to UTF-8; else as it stands, which in a file name may well be encoded words. -ENOENT when there is none, -ENOMEM. */
int mime_parameter(const char *value, size_t len, const char *name, struct buf *out);

/* Whether the message is a multipart whose closing boundary line (the outermost one) is missing, or which names no boundary: an upload that
 * was cut off. */
bool mime_is_unfinished(const char *message, size_t len);

/* Whether bytes begin like an RFC 5322 message: at least one well-formed field before anything else. A leading mbox "From " line is
 * not one. */
bool message_is_plausible(const char *message, size_t len);

#endif

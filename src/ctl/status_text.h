/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mount's status (the JSON of .mailfs/status) as lines for people. Pure.
 */
#ifndef MAILFS_CTL_STATUS_TEXT_H
#define MAILFS_CTL_STATUS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Appends some lines about the mount at `mountpoint`. What the object does not tell is left out. `now_s`: seconds since 1970. -EINVAL when the
 * text is no JSON object, -ENOMEM. */
int status_text(const char *mountpoint, const char *json, size_t len, int64_t now_s, struct buf *out);

/* Appends the object as one line of JSON. Errors as above. */
int status_line(const char *json, size_t len, struct buf *out);

/* cache.limit of a status, bytes; 0 when it does not tell. */
int64_t status_cache_limit(const char *json, size_t len);

#endif

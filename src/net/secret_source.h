/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sources that a secret can be read from, each once. For secret.c alone.
 *
 * All fill the same kind of buffer: fixed, so that growing leaves no copies behind, and left out of core dumps. Each: the
 * number of bytes, or -EACCES (-ECANCELED for a command that was to be given up) with a fragment in `why` that says how the
 * source failed.
 */
#ifndef MAILFS_SECRET_SOURCE_H
#define MAILFS_SECRET_SOURCE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cancel.h"

enum { SECRET_MAX_BYTES = 64 * 1024 };

/* `data` has room for SECRET_MAX_BYTES; a source that holds more fails. */
ssize_t secret_source_file(const char *path, char *data, struct buf *why);
ssize_t secret_source_command(const char *command, int limit_s, const struct cancel *cancel, char *data, struct buf *why);
ssize_t secret_source_terminal(const char *prompt, char *data, struct buf *why);

#endif

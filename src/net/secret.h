/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A password or token and where it comes from: a command, a file, the configuration, the terminal.
 *
 * Any thread. Secrets are wiped when done with, kept out of logs, argv, the environment and core dumps.
 */
#ifndef MAILFS_SECRET_H
#define MAILFS_SECRET_H

#include "base/buf.h"
#include "base/configuration.h"

struct secret;

/* `source` and `what` ("password for alice at imap.example.com", the terminal's prompt) are copied. 0 or -ENOMEM. */
int secret_new(const struct secret_source *source, const char *what, struct secret **ret);
void secret_free(struct secret *s);

/* Asks the terminal now if it will have to be asked (before the daemon leaves it). -EACCES without a terminal, with `why`. 0 otherwise. */
int secret_prepare(struct secret *s, struct buf *why);

/* Appends the secret. A command is run anew each time (tokens expire), at most 60 s, without a terminal; a trailing line end is cut off; an
 * empty one is an error. -EACCES with `why` in one line: which source failed, how, what to do. The caller wipes (buf_wipe). */
int secret_get(struct secret *s, struct buf *out, struct buf *why);

#endif

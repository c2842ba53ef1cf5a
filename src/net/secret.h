/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A password or token and where it comes from: a command, a file, the configuration, the terminal.
 *
 * Any thread. Secrets are wiped when done with, kept out of logs, argv, the environment and core dumps.
 */
#ifndef MAILFS_SECRET_H
#define MAILFS_SECRET_H

#include "base/buf.h"
#include "base/cancel.h"
#include "base/configuration.h"

struct secret;

/* `source` and `what` ("password for alice at imap.example.com", the terminal's prompt and how each `why` begins) are copied.
 * 0 or -ENOMEM. */
int secret_new(const struct secret_source *source, const char *what, struct secret **ret);
void secret_free(struct secret *s);

/* Asks the terminal now if it will have to be asked (before the daemon leaves it, and while no other thread runs: signals are
 * caught meanwhile, to give the terminal its echo back). -EACCES without a terminal, with `why`. 0 otherwise. */
int secret_prepare(struct secret *s, struct buf *why);

/*
 * Appends the first line of what the source holds, without its line end; an empty one is an error. A command is run anew each
 * time (tokens expire) in a session of its own: no terminal, no standard input, at most 60 s, then killed with all it started.
 * -EACCES with `why` in one line: which source failed, how, what to do; -ECANCELED: `cancel` (NULL: never) was set while the
 * command ran, which was killed as well. Nothing is appended then. The caller wipes (buf_wipe).
 */
int secret_get(struct secret *s, const struct cancel *cancel, struct buf *out, struct buf *why);

/* Whether `path` is a file that secret_get() would take as password-file. -EACCES with a fragment that begins with the path. */
int secret_check_file(const char *path, struct buf *why);

/* For tests: another limit than 60 s. */
void secret_set_command_limit(struct secret *s, int limit_s);

#endif

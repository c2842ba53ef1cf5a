/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words that others chose (a server's, a file's name) on one line of ours. Pure.
 */
#ifndef MAILFS_CTL_WORDS_H
#define MAILFS_CTL_WORDS_H

#include "base/buf.h"

/* Appends `words` as UTF-8 in which nothing moves a terminal's cursor: control characters (C1 among them), and bytes that are not UTF-8, become `instead`. 0 or
 * -ENOMEM. */
int words_append(struct buf *out, const char *words, char instead);

#endif

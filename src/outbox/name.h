/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of files in the outbox, made from others. Pure.
 */
#ifndef MAILFS_OUTBOX_NAME_H
#define MAILFS_OUTBOX_NAME_H

#include <limits.h>
#include <stdbool.h>

/* `NAME.partial`, cut so that it fits. */
void name_partial(const char *name, char out[NAME_MAX + 1]);

/* The n-th alternative to a name that is taken: `letter-2.eml` for n = 2, the name itself for n = 1. */
void name_alternative(const char *name, unsigned n, char out[NAME_MAX + 1]);

#endif

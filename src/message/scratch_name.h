/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of files that are nobody's message: what editors, rsync and sed write before they rename it into place, and what a killed writer
 * left. Pure.
 */
#ifndef MAILFS_SCRATCH_NAME_H
#define MAILFS_SCRATCH_NAME_H

#include <stdbool.h>

/* A leading dot; `~ .swp .part .partial .tmp .lock` at the end; `#...#`; `sed` and six characters, none of them a dot. */
bool scratch_name(const char *name);

#endif

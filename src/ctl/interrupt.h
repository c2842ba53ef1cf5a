/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ctrl-C that ends a command tidily.
 */
#ifndef MAILFS_CTL_INTERRUPT_H
#define MAILFS_CTL_INTERRUPT_H

#include <stdbool.h>

/* From here on SIGINT, SIGTERM and SIGHUP make waiting calls return EINTR and interrupted() true. A second SIGINT ends the process. */
void interrupt_catch(void);
bool interrupted(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Named points between the steps that must survive a crash (each write, fsync, rename and step of SMTP), where a test lets the process die. Nothing happens
 * at them otherwise. A name begins with what it is a step of: "durable: written".
 */
#ifndef MAILFS_FAULT_H
#define MAILFS_FAULT_H

#include <stddef.h>

/* Tests only; NULL in the program. Set before any thread. */
extern void (*fault_hook)(const char *name);

static inline void fault_point(const char *name)
{
	if (fault_hook)
		fault_hook(name);
}

#endif

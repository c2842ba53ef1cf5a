/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Named points between the durable steps of the queue, where a test lets the process die. Nothing happens at them otherwise. Those within a step that
 * store/durable does are its own (durable_fault_hook).
 */
#ifndef MAILFS_OUTBOX_FAULT_H
#define MAILFS_OUTBOX_FAULT_H

#include <stddef.h>

/* Tests only; NULL in the program. Set before any thread. */
extern void (*outbox_fault_hook)(const char *name);

static inline void outbox_fault_point(const char *name)
{
	if (outbox_fault_hook)
		outbox_fault_hook(name);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens, a line an event, to whoever listens: the socket STATE/events (stream, for the owner alone). A socket and not a file of the mount: who
 * follows events must not keep it from being unmounted.
 *
 * One thread serves the listeners; one that does not read is given up, never waited for. Who comes later hears what happens from then on.
 */
#ifndef MAILFS_EVENTS_H
#define MAILFS_EVENTS_H

#include <stdbool.h>

struct events;

/* `state_dir` is locked by the caller. -errno of the socket. */
int events_new(const char *state_dir, struct events **ret);
/* What was said before is still delivered to those who read; then they see the end. NULL is fine. */
void events_free(struct events *e);

/* The socket's absolute path. Borrowed. */
const char *events_path(const struct events *e);
/* Somebody listens: what an event costs to be told need not be spent otherwise. Any thread. */
bool events_are_heard(const struct events *e);
/* One line, without its newline; control characters become blanks. Any thread; never blocks. */
void events_say(struct events *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What /proc tells of the process behind a request: whether a signal makes it give up, how it ends, what it called, who it is.
 *
 * A read of /proc a call, or a few; never a request to a mount of ours. Any thread.
 */
#ifndef MAILFS_REQUESTER_H
#define MAILFS_REQUESTER_H

#include <stdbool.h>
#include <sys/types.h>

/* A process, told from a later one of the same number, which began later. */
struct requester {
	pid_t process;		       /* 0: unknown (in a pid namespace we do not see) */
	unsigned long long identified; /* clock ticks since boot, when that was found out */
	int newest;		       /* the process or thread that was made last when it was found out; 0: not known */
};

/*
 * After an INTERRUPT: whether the thread `pid` has a fatal signal pending, or a caught INT, TERM, HUP or QUIT; true as well when it is gone. Nothing
 * pending is the freezer, a debugger or the kernel's own work, another caught signal (CHLD, WINCH, ALRM, a profiler's) no wish to end: false.
 */
bool requester_gives_up(pid_t pid);

/* Whether the thread `pid` is on its way out of exit(2) after a signal or with a status other than 0. */
bool requester_is_failing(pid_t pid);

/*
 * Whether the thread `pid`, which waits for us, is in rename(2): the kernel does not say what a LOOKUP is for. False as well where /proc does not tell us: of another
 * user's, and where Yama lets nobody look at others.
 */
bool requester_renames(pid_t pid);

/* Whether a process has this number, and not a thread of another; also of one that hidepid (proc(5)) hides from us. */
bool requester_is_process(pid_t pid);

/* The process that the thread `pid` belongs to. */
void requester_identify(pid_t pid, struct requester *ret);
/* Where it is hidden: whether any process has its number. */
bool requester_is_alive(const struct requester *who);
/* Both are the same process, and no process was made on the machine, as far as we see it, from the one moment to the other. */
bool requester_was_childless(const struct requester *before, const struct requester *now);

/* Clock ticks since boot at which a process started, and its parent; false when it is gone or hidden. */
bool requester_start_time(pid_t process, unsigned long long *ret);
bool requester_parent(pid_t process, pid_t *ret);

#endif

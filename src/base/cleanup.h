/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scope-bound cleanup: `CLEANUP(free) char *s = NULL;` frees s when it goes out of scope.
 *
 * A type takes part by defining `NAME_cleanup(TYPE *)`, usually through DEFINE_CLEANUP. Ownership leaves a scope
 * with steal_pointer() or steal_fd(), which also clear the variable.
 */
#ifndef MAILFS_CLEANUP_H
#define MAILFS_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(kind) __attribute__((cleanup(kind##_cleanup)))

/* `release` is a function of one argument that accepts what an untouched variable holds (NULL for pointers). */
#define DEFINE_CLEANUP(kind, type, release)            \
	static inline void kind##_cleanup(type *value) \
	{                                              \
		release(*value);                       \
	}

static inline void free_cleanup(void *pointer)
{
	free(*(void **)pointer);
}

static inline void fd_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define steal_pointer(pointer)                          \
	({                                              \
		__typeof__(*(pointer)) *p_ = (pointer); \
		__typeof__(*(pointer)) v_ = *p_;        \
		*p_ = NULL;                             \
		v_;                                     \
	})

static inline int steal_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

#endif

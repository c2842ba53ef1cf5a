/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line a message, to stderr (foreground) or syslog. Any thread. Never given a secret, nor a recipient above debug.
 */
#ifndef MAILFS_LOG_H
#define MAILFS_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Until it is called: stderr, info. */
void log_open(bool to_syslog, enum log_level level);

/* The program's name before each line; borrowed. "mailfs" until called. */
void log_set_program(const char *program);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                           \
	do {                                                     \
		if (log_enabled(LOG_LEVEL_DEBUG))                \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)

#endif

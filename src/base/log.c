/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

enum { LINE_MAX_BYTES = 1024 };

static struct {
	bool to_syslog;
	enum log_level level;
	const char *program; /* borrowed */
} logger = { false, LOG_LEVEL_INFO, "mailfs" };

static const int syslog_priority[] = {
	[LOG_LEVEL_ERROR] = LOG_ERR,
	[LOG_LEVEL_WARNING] = LOG_WARNING,
	[LOG_LEVEL_INFO] = LOG_INFO,
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

void log_open(bool to_syslog, enum log_level level)
{
	logger.to_syslog = to_syslog;
	logger.level = level;
	if (to_syslog)
		openlog(logger.program, LOG_PID, LOG_MAIL);
}

void log_set_program(const char *program)
{
	logger.program = program;
}

bool log_enabled(enum log_level level)
{
	return level <= logger.level;
}

/* A server's text may hold control characters: none of them reaches a terminal. */
static void make_printable(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			*line = '?';
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list arguments;

	if (!log_enabled(level))
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	make_printable(line);
	if (logger.to_syslog)
		syslog(syslog_priority[level], "%s", line);
	else
		fprintf(stderr, "%s: %s\n", logger.program, line);
}

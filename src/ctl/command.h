/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What mailfsctl can do: one file a command, each exporting one of these. mailfsctl.c has the table.
 */
#ifndef MAILFS_CTL_COMMAND_H
#define MAILFS_CTL_COMMAND_H

enum {
	EXIT_INTERRUPTED = 130,
	COMMAND_USAGE = -1, /* what run() returns when the arguments make no sense: mailfsctl.c then prints the synopsis */
};

struct command {
	const char *name;
	const char *synopsis; /* behind the name: "[--json] [MOUNTPOINT]" */
	const char *help;     /* one line */
	/* argv[0] is the command's name. The exit status, or COMMAND_USAGE. */
	int (*run)(int argc, char **argv);
};

extern const struct command command_check;
extern const struct command command_events;
extern const struct command command_flag;
extern const struct command command_outbox;
extern const struct command command_sendmail;
extern const struct command command_status;
extern const struct command command_warm;

#endif

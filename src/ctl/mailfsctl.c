/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailfsctl: finds the command in the table and runs it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "base/log.h"
#include "ctl/command.h"

static const struct command *const commands[] = { &command_check,    &command_events, &command_flag, &command_outbox,
						  &command_sendmail, &command_status, &command_warm };

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *to)
{
	fputs("usage: mailfsctl COMMAND ...\n\n", to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %s %s\n        %s\n", commands[i]->name, commands[i]->synopsis, commands[i]->help);
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int run(const struct command *command, int argc, char **argv)
{
	int status = command->run(argc, argv);

	if (status != COMMAND_USAGE)
		return status;
	fprintf(stderr, "usage: mailfsctl %s %s\n", command->name, command->synopsis);
	return EXIT_FAILURE;
}

static int is(const char *argument, const char *letter, const char *word)
{
	return !strcmp(argument, letter) || !strcmp(argument, word);
}

int main(int argc, char **argv)
{
	const struct command *command;

	log_set_program("mailfsctl");
	if (argc < 2) {
		print_help(stderr);
		return EXIT_FAILURE;
	}
	if (is(argv[1], "-h", "--help")) {
		print_help(stdout);
		return EXIT_SUCCESS;
	}
	if (is(argv[1], "-V", "--version")) {
		puts(PACKAGE_STRING);
		return EXIT_SUCCESS;
	}
	command = command_find(argv[1]);
	if (command)
		return run(command, argc - 1, argv + 1);
	fprintf(stderr, "mailfsctl: there is no command \"%s\"; mailfsctl --help lists them\n", argv[1]);
	return EXIT_FAILURE;
}

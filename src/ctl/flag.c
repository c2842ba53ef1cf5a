/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailfsctl flag: changes flags of many messages. Only says what is wanted; the mount sends it in as few commands as it takes. Then it waits for the server's word.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "ctl/command.h"

static const char attribute[] = "user.mail.flags";

/* What people type for the flags of RFC 9051; anything else is a keyword. */
static const char *const system_flags[] = { "\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft" };

static const char *flag_of_word(const char *word)
{
	for (size_t i = 0; i < sizeof system_flags / sizeof *system_flags; i++)
		if (!strcasecmp(word, system_flags[i]) || !strcasecmp(word, system_flags[i] + 1))
			return system_flags[i];
	return word;
}

static int add_word(struct buf *words, const char *argument)
{
	return buf_printf(words, "%s%s", words->len ? " " : argument[0] == '+' ? "+" : "-", flag_of_word(argument + 1));
}

static const char *reason(int error, const char *words)
{
	switch (error) {
	case ENOTSUP:
		return "the server takes no such keyword, or this is no message of a mailfs mount";
	case EINVAL:
		return words[1] ? "no such flag" : "no flag is named";
	default:
		return strerror(error);
	}
}

static int change(const char *path, const struct buf *words)
{
	if (!words->len || setxattr(path, attribute, buf_str(words), words->len, 0) == 0)
		return 0;
	log_error("%s: flags %s: %s", path, buf_str(words), reason(errno, buf_str(words)));
	return -1;
}

static size_t folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

/*
 * As long as a directory is in fsync(2), the kernel lets nobody list it: its view by flags stands for the same folder. A directory of a view has none.
 */
static int open_folder(const char *folder)
{
	CLEANUP(fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int view = fd < 0 ? -1 : openat(fd, ".flags", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return view < 0 ? steal_fd(&fd) : view;
}

/* fsync(2) of its folder, unless that of `before` (NULL: none) was the same. The message itself would have to be open, which fetches it. */
static int settle(const char *path, const char *before)
{
	size_t len = folder_len(path);
	CLEANUP(free) char *folder = len ? strndup(path, len) : strdup(".");
	CLEANUP(fd) int fd = -1;

	if (before && folder_len(before) == len && !strncmp(before, path, len))
		return 0;
	fd = folder ? open_folder(folder) : -1;
	if (fd < 0 || fsync(fd) == 0)
		return 0; /* what is not there was told already */
	log_error("%s: flags: %s", folder, strerror(errno));
	return -1;
}

static int run(int argc, char **argv)
{
	CLEANUP(buf) struct buf add = BUF_INIT, remove = BUF_INIT;
	int i, first, status = EXIT_SUCCESS;

	for (i = 1; i < argc && (argv[i][0] == '+' || argv[i][0] == '-') && argv[i][1]; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (add_word(argv[i][0] == '+' ? &add : &remove, argv[i]) < 0)
			return EXIT_FAILURE;
	}
	if (i == argc || (!add.len && !remove.len))
		return COMMAND_USAGE;
	for (first = i; i < argc; i++)
		if (change(argv[i], &add) < 0 || change(argv[i], &remove) < 0)
			status = EXIT_FAILURE;
	for (i = first; i < argc; i++)
		if (settle(argv[i], i > first ? argv[i - 1] : NULL) < 0)
			status = EXIT_FAILURE;
	return status;
}

const struct command command_flag = {
	.name = "flag",
	.synopsis = "+FLAG|-FLAG ... FILE ...",
	.help = "set (+) and clear (-) flags of messages: seen answered flagged deleted draft, or a keyword",
	.run = run,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs/ mounted on a made-up mailbox, for tests/mount/fakefs.py: `fs_on_fake DIRECTORY MOUNTPOINT [OPTION...]`.
 *
 * Listens on DIRECTORY/control; each line is a command of the table below, each answer a line: "ok ...", or "no ...".
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "fake_mailbox.h"
#include "fs/fs.h"

static struct mailbox *mailbox;
static struct fs *fs;

/* Names travel percent-encoded. */
static void decode(char *text)
{
	char *to = text;
	unsigned byte;

	for (; *text; text++) {
		if (text[0] == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
			*to++ = (char)byte;
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static int64_t number(char **words, int i)
{
	return words[i] ? strtoll(words[i], NULL, 10) : 0;
}

static void on_folder(char **words, struct buf *out)
{
	decode(words[2]);
	buf_printf(out, "%lld", (long long)fake_add_folder(mailbox, number(words, 1), words[2]));
}

static void on_message(char **words, struct buf *out)
{
	decode(words[2]);
	buf_printf(out, "%lld", (long long)fake_add_message(mailbox, number(words, 1), words[2], NULL, (size_t)number(words, 3)));
}

static void on_bulk(char **words, struct buf *out)
{
	char name[96];

	(void)out;
	for (int64_t i = 1; i <= number(words, 2); i++) {
		snprintf(name, sizeof(name), "2026-04-14_0930_Alice-Example_Re-quarterly-report.%lld.eml", (long long)i);
		fake_add_message(mailbox, number(words, 1), name, NULL, (size_t)number(words, 3));
	}
}

static void on_lie(char **words, struct buf *out)
{
	(void)out;
	fake_lie(mailbox, number(words, 1), number(words, 2), number(words, 3) != 0);
}

static void on_remove(char **words, struct buf *out)
{
	(void)out;
	fake_remove(mailbox, number(words, 1));
}

static void on_flags(char **words, struct buf *out)
{
	(void)out;
	fake_set_flags(mailbox, number(words, 1), words[2]);
}

static void on_hide(char **words, struct buf *out)
{
	(void)out;
	fake_hide(mailbox, number(words, 1));
}

static void on_quota(char **words, struct buf *out)
{
	(void)out;
	fake_set_quota(mailbox, number(words, 1), number(words, 2));
}

static void on_behave(char **words, struct buf *out)
{
	static const char *const names[] = { "look", "open", "read", "commit", "edit", "compare", "copy", "settle", "hand-over" };

	(void)out;
	for (int i = 0; i < FAKE_OPERATIONS; i++)
		if (strcmp(words[1], names[i]) == 0)
			fake_behave(mailbox, (enum fake_operation)i,
				    (struct fake_behaviour){ (int)number(words, 2), -(int)number(words, 3) });
}

static void on_release(char **words, struct buf *out)
{
	(void)words, (void)out;
	fake_release(mailbox);
}

static void on_counts(char **words, struct buf *out)
{
	struct fake_counts counts = fake_counts(mailbox);

	(void)words;
	buf_printf(out, "%d %d %d %d %d %d %d %d %d", counts.looks, counts.opens, counts.closes, counts.reads, counts.interrupts,
		   counts.waiting, counts.uploads, counts.copies, counts.settles);
}

static void on_changed(char **words, struct buf *out)
{
	struct change change = { (enum change_kind)number(words, 1), number(words, 2), number(words, 3), words[4] };

	(void)out;
	if (words[4])
		decode(words[4]);
	fs_changed(fs, &change);
}

/* Every message of a folder goes, with a change for each. */
static int remember(void *userdata, const struct mailbox_entry *e)
{
	return buf_append(userdata, &e->message.row, sizeof(e->message.row));
}

static void on_vanish(char **words, struct buf *out)
{
	CLEANUP(buf) struct buf rows = BUF_INIT;
	struct mailbox_message message;

	(void)out;
	mailbox_list(mailbox, number(words, 1), 0, remember, &rows);
	for (size_t i = 0; i < rows.len / sizeof(int64_t); i++) {
		mailbox_message(mailbox, ((int64_t *)rows.data)[i], &message);
		fake_remove(mailbox, message.row);
		fs_changed(fs, &(struct change){ CHANGE_MESSAGE_GONE, number(words, 1), message.row, message.name });
	}
}

static void on_safe(char **words, struct buf *out)
{
	(void)out;
	fake_set_safe(mailbox, number(words, 1) != 0);
}

static void on_move(char **words, struct buf *out)
{
	struct mailbox_message message;

	(void)out;
	decode(words[3]);
	mailbox_message(mailbox, number(words, 1), &message);
	mailbox_rename(mailbox, message.folder, message.name, number(words, 2), words[3], false, NULL);
}

static void on_outbox(char **words, struct buf *out)
{
	(void)words;
	fake_outbox_describe(fake_outbox, out);
}

static void on_outbox_delay(char **words, struct buf *out)
{
	(void)out;
	fake_outbox_delay(fake_outbox, (int)number(words, 1));
}

static void on_file_limit(char **words, struct buf *out)
{
	struct rlimit limit;

	(void)out;
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = number(words, 1) ? (rlim_t)number(words, 1) : limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
}

static const struct {
	const char *name;
	int least_words;
	void (*run)(char **words, struct buf *out);
} commands[] = {
	{ "folder", 3, on_folder },
	{ "message", 4, on_message },
	{ "bulk", 4, on_bulk },
	{ "lie", 4, on_lie },
	{ "remove", 2, on_remove },
	{ "flags", 3, on_flags },
	{ "hide", 2, on_hide },
	{ "quota", 3, on_quota },
	{ "behave", 4, on_behave },
	{ "release", 1, on_release },
	{ "counts", 1, on_counts },
	{ "changed", 4, on_changed },
	{ "vanish", 2, on_vanish },
	{ "safe", 2, on_safe },
	{ "move", 4, on_move },
	{ "outbox", 1, on_outbox },
	{ "outbox-delay", 2, on_outbox_delay },
	{ "file-limit", 2, on_file_limit },
};

static void obey(char *line, struct buf *out)
{
	char *words[8] = { 0 }, *rest = NULL;
	int n = 0;

	for (char *word = strtok_r(line, " \n", &rest); word && n < 7; word = strtok_r(NULL, " \n", &rest))
		words[n++] = word;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (n == 0 || strcmp(words[0], commands[i].name) != 0 || n < commands[i].least_words)
			continue;
		buf_append_str(out, "ok ");
		commands[i].run(words, out);
		return;
	}
	buf_append_str(out, "no such command");
}

static void *listen_for_commands(void *userdata)
{
	int listener = *(int *)userdata, fd;
	char *line = NULL;
	size_t size = 0;
	FILE *stream;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		stream = fdopen(fd, "r");
		while (getline(&line, &size, stream) > 0) {
			CLEANUP(buf) struct buf out = BUF_INIT;

			obey(line, &out);
			buf_append_char(&out, '\n');
			if (send(fd, out.data, out.len, MSG_NOSIGNAL) < 0)
				break;
		}
		fclose(stream);
	}
	free(line);
	return NULL;
}

static void on_news(const struct change *change)
{
	fs_changed(fs, change);
}

static int open_control(const char *directory)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", directory);
	unlink(address.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0) {
		perror("control");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct fs_options options = { .source = "fake@example.com", .uid = getuid(), .gid = getgid(), .umask = 077 };
	CLEANUP(buf) struct buf why = BUF_INIT;
	bool with_outbox = true;
	pthread_t listener;
	int control, r;

	if (argc < 3)
		return 1;
	options.mountpoint = argv[2];
	for (int i = 3; i < argc; i++) {
		options.read_only |= strcmp(argv[i], "ro") == 0;
		options.allow_other |= strcmp(argv[i], "allow_other") == 0;
		options.debug |= strcmp(argv[i], "debug") == 0;
		sscanf(argv[i], "umask=%o", &options.umask);
		sscanf(argv[i], "uid=%u", &options.uid);
		sscanf(argv[i], "gid=%u", &options.gid);
		with_outbox &= strcmp(argv[i], "no_outbox") != 0;
	}
	signal(SIGXFSZ, SIG_IGN);
	if (options.debug)
		log_open(false, LOG_LEVEL_DEBUG);
	mailbox = fake_new(argv[1]);
	fake_outbox = with_outbox ? fake_outbox_new(argv[1]) : NULL;
	control = open_control(argv[1]);
	r = fs_new(&options, &fs, &why);
	if (r == 0)
		fake_changed = on_news;
	if (r == 0)
		r = fs_mount(fs, mailbox, &why);
	if (r < 0) {
		fprintf(stderr, "fs_on_fake: %s\n", buf_str(&why));
		return 1;
	}
	pthread_create(&listener, NULL, listen_for_commands, &control);
	r = fs_run(fs);
	shutdown(control, SHUT_RDWR);
	pthread_join(listener, NULL);
	close(control);
	if (fake_outbox)
		fake_outbox_free(fake_outbox);
	fake_free(mailbox);
	fs_free(fs);
	return r < 0;
}

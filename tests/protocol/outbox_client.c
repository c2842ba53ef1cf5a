/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The outbox by hand, with a real submission server: does what the lines of its standard input say, and answers each with one line.
 *
 *	outbox_client [-c CA] [-t SECONDS] [-r SECONDS] [-n CONNECTIONS] [-m MESSAGES] [-k POINTS[:NAME]] STATE SMTP-URL PASSWORD FROM
 *
 * -t, -n, -m: the keys `timeout`, `connections` and `rate-limit`. -r: each reply of the dialogue is waited for this long, not minutes.
 * -k: dies as by kill -9 at the fault point (base/fault.h) after so many, or after so many of this name; those that it came to are named on standard
 * error, a line each.
 *
 *	send NAME FILE        a copy of FILE is written into the outbox and closed: 0 or the errno of the close
 *	settle SECONDS        waits until nothing waits to be sent: 0, or ETIMEDOUT
 *	list                  the queue as JSON
 *	attribute PLACE NAME WHICH    user.mail.WHICH
 *	retry NAME            moved from failed/ to the outbox: 0 or the errno
 *	later SECONDS         so much time passes, and the network is back: 0
 *
 * A sent copy becomes a file STATE/sent/MESSAGE-ID, unless it is there. At the end of input the outbox is closed in order.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "outbox/queue.h"
#include "store/durable.h"

static int reply_timeout_s;
static _Atomic int64_t passed_s; /* by `later` */

static char sent_directory[4096];

static int open_impatiently(const struct smtp_options *options, struct smtp **ret, struct buf *why)
{
	struct smtp_options impatient = *options;

	impatient.reply_timeout_s = reply_timeout_s;
	return smtp_open(&impatient, ret, why);
}

static const struct submission_ops over_smtp = {
	open_impatiently, smtp_close, smtp_capabilities, smtp_send, smtp_result_release,
};

static int64_t now_s(void)
{
	return time(NULL) + passed_s;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec + passed_s) * 1000 + now.tv_nsec / 1000000;
}

static atomic_int points_left;
static const char *counted; /* NULL: all */

static void die_at_the_last(const char *name)
{
	dprintf(STDERR_FILENO, "%s\n", name);
	if ((!counted || !strcmp(counted, name)) && atomic_fetch_sub(&points_left, 1) == 0)
		raise(SIGKILL);
}

static int copy_bytes(int from, int to)
{
	char data[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, data, sizeof data, at)) > 0) {
		if (write(to, data, (size_t)n) != n)
			return -EIO;
		at += n;
	}
	return n < 0 ? -errno : 0;
}

static void copy_path(const char *message_id, char out[4096 + 256])
{
	snprintf(out, 4096 + 256, "%s/%.200s", sent_directory, message_id);
}

static int sent_contains(void *userdata, const char *field, const char *message_id)
{
	char path[4096 + 256];

	(void)userdata;
	(void)field;
	copy_path(message_id, path);
	return access(path, F_OK) == 0;
}

static int file_sent_copy(void *userdata, const struct outbox_copy *copy)
{
	char path[4096 + 256];
	CLEANUP(fd) int out = -1;

	if (sent_contains(userdata, copy->field, copy->message_id))
		return 0;
	copy_path(copy->message_id, path);
	out = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return out < 0 ? -errno : copy_bytes(copy->fd, out);
}

static int send_file(struct outbox *o, const char *name, const char *path)
{
	CLEANUP(fd) int in = open(path, O_RDONLY);
	CLEANUP(fd) int out = -1;
	struct waiter_sync w;
	int64_t id;
	int r;

	if (in < 0)
		return -errno;
	r = outbox_create(o, OUTBOX_QUEUE, name, 0600, &id, &out);
	if (!r)
		r = copy_bytes(in, out);
	if (r < 0)
		return r;
	waiter_sync_init(&w);
	r = outbox_commit(o, id, &w.waiter);
	if (r == -EINPROGRESS)
		r = waiter_sync_wait(&w);
	waiter_sync_release(&w);
	return r;
}

static int note_waiting(void *userdata, const struct outbox_entry *e)
{
	bool *is_waiting = userdata;

	*is_waiting |= e->state == OUTBOX_HELD || e->state == OUTBOX_QUEUED || e->state == OUTBOX_SENDING;
	return 0;
}

static int settle(struct outbox *o, int seconds)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000000 };
	int64_t end_ms = clock_monotonic_ms() + seconds * 1000;
	bool is_waiting = true;

	while (is_waiting && clock_monotonic_ms() < end_ms) {
		is_waiting = false;
		outbox_each(o, OUTBOX_QUEUE, 0, note_waiting, &is_waiting);
		if (is_waiting)
			nanosleep(&pause, NULL);
	}
	return is_waiting ? -ETIMEDOUT : 0;
}

static int retry(struct outbox *o, const char *name)
{
	struct outbox_entry e;
	int r = outbox_lookup(o, OUTBOX_FAILED, name, &e);

	return r < 0 ? r : outbox_rename(o, e.id, OUTBOX_QUEUE, name, false);
}

static void print_attribute(struct outbox *o, const char *place, const char *name, const char *which)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct outbox_entry e;

	if (outbox_lookup(o, strcmp(place, "failed") ? OUTBOX_QUEUE : OUTBOX_FAILED, name, &e) == 0)
		outbox_get_attribute(o, e.id, which, &text);
	printf("%s\n", buf_str(&text));
}

static int let_pass(struct outbox *o, int seconds)
{
	passed_s += seconds;
	outbox_wake(o);
	return 0;
}

static void obey(struct outbox *o, char *line)
{
	const char *words[4] = { strtok(line, " \n"), strtok(NULL, " \n"), strtok(NULL, " \n"), strtok(NULL, " \n") };
	CLEANUP(buf) struct buf text = BUF_INIT;

	if (!words[0])
		return;
	if (!strcmp(words[0], "send") && words[2])
		printf("%d\n", -send_file(o, words[1], words[2]));
	else if (!strcmp(words[0], "settle") && words[1])
		printf("%d\n", -settle(o, atoi(words[1])));
	else if (!strcmp(words[0], "retry") && words[1])
		printf("%d\n", -retry(o, words[1]));
	else if (!strcmp(words[0], "later") && words[1])
		printf("%d\n", let_pass(o, atoi(words[1])));
	else if (!strcmp(words[0], "attribute") && words[3])
		print_attribute(o, words[1], words[2], words[3]);
	else if (!strcmp(words[0], "list") && outbox_describe(o, &text) == 0)
		printf("%s\n", buf_str(&text));
	else
		printf("?\n");
	fflush(stdout);
}

static int run(const struct outbox_options *options, const char *state_dir)
{
	CLEANUP(free) char *line = NULL;
	struct outbox *o;
	size_t size = 0;
	int r = queue_open(state_dir, options, &over_smtp, &o);

	if (!r)
		r = outbox_start(o);
	if (r < 0)
		return r;
	while (getline(&line, &size, stdin) > 0)
		obey(o, line);
	outbox_free(o);
	return 0;
}

int main(int argc, char **argv)
{
	struct configuration configuration = { .timeout_s = 5, .connections = 4, .smtp_auth = (char *)"auto" };
	struct outbox_options options = { .configuration = &configuration,
					  .sent_contains = sent_contains,
					  .file_sent_copy = file_sent_copy };
	struct secret_source source = { .literal = NULL };
	const char *why;
	int c, r;

	while ((c = getopt(argc, argv, "c:t:r:n:m:k:")) > 0) {
		if (c == 'c')
			configuration.tls_ca = optarg;
		else if (c == 't')
			configuration.timeout_s = atoi(optarg);
		else if (c == 'r')
			reply_timeout_s = atoi(optarg);
		else if (c == 'n')
			configuration.connections = atoi(optarg);
		else if (c == 'm')
			configuration.rate_limit = atoi(optarg);
		else if (c == 'k') {
			atomic_init(&points_left, atoi(optarg));
			counted = strchr(optarg, ':') ? strchr(optarg, ':') + 1 : NULL;
			fault_hook = die_at_the_last;
		} else
			return 2;
	}
	if (argc - optind != 4 || url_parse(argv[optind + 1], &configuration.smtp, &why) < 0)
		return 2;
	log_open(false, LOG_LEVEL_INFO);
	clock_replace(now_ms, now_s);
	source.literal = argv[optind + 2];
	configuration.from = argv[optind + 3];
	snprintf(sent_directory, sizeof sent_directory, "%s/sent", argv[optind]);
	r = directory_make(sent_directory);
	if (!r)
		r = secret_new(&source, "password", &options.secret);
	if (!r)
		r = state_open(argv[optind], &options.state);
	if (!r)
		r = run(&options, argv[optind]);
	state_close(options.state);
	secret_free(options.secret);
	url_release(&configuration.smtp);
	if (r < 0)
		fprintf(stderr, "outbox_client: %s\n", strerror(-r));
	return r < 0;
}

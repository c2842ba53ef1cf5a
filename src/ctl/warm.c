/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailfsctl warm: reads messages so that the daemon has them in its cache.
 *
 * The main thread shows progress; readers take the messages one after another from the list. `lock` protects what they share.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "ctl/amount.h"
#include "ctl/command.h"
#include "ctl/interrupt.h"
#include "ctl/mounts.h"
#include "ctl/progress.h"
#include "ctl/status_file.h"
#include "ctl/status_text.h"
#include "ctl/warm_list.h"

enum { READERS_DEFAULT = 4, READERS_MAX = 64, BLOCK_BYTES = 1 << 18, TICK_MS = 250, PLAIN_LINE_MS = 10000 };

struct warm {
	struct warm_list list;
	bool on_terminal;
	pthread_mutex_t lock; /* protects the rest */
	pthread_cond_t finished;
	size_t next;
	unsigned running;
	struct progress progress;
	size_t failures;
};

static void clear_bar(const struct warm *w)
{
	if (w->on_terminal)
		fputs("\r\033[K", stdout);
}

static void failed(struct warm *w, const char *path, int error)
{
	pthread_mutex_lock(&w->lock);
	w->failures++;
	clear_bar(w);
	fflush(stdout);
	fprintf(stderr, "mailfsctl: %s: %s\n", path, strerror(error));
	pthread_mutex_unlock(&w->lock);
}

static void account_for(struct warm *w, int64_t messages, int64_t bytes)
{
	pthread_mutex_lock(&w->lock);
	w->progress.messages_done += messages;
	w->progress.bytes_done += bytes;
	pthread_mutex_unlock(&w->lock);
}

/* 0 or -errno. */
static int read_through(struct warm *w, const char *path, void *block)
{
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	/* Pages that the kernel kept would be read without the daemon's knowing. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	while ((n = read(fd, block, BLOCK_BYTES)) != 0) {
		if (n < 0 && (errno != EINTR || interrupted()))
			return -errno;
		if (n > 0)
			account_for(w, 0, n);
	}
	return 0;
}

static const struct warm_item *take(struct warm *w)
{
	const struct warm_item *item = NULL;

	pthread_mutex_lock(&w->lock);
	if (w->next < w->list.n && !interrupted())
		item = &w->list.items[w->next++];
	pthread_mutex_unlock(&w->lock);
	return item;
}

static void *reader(void *argument)
{
	struct warm *w = argument;
	CLEANUP(free) void *block = malloc(BLOCK_BYTES);
	const struct warm_item *item;

	while (block && (item = take(w))) {
		int r = read_through(w, item->path, block);

		/* Gone from the server since it was listed: nothing is missing. */
		if (r == 0 || r == -ENOENT)
			account_for(w, 1, 0);
		else if (!interrupted())
			failed(w, item->path, -r);
	}
	pthread_mutex_lock(&w->lock);
	w->running--;
	pthread_cond_signal(&w->finished);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Called with the lock held. */
static void show(struct warm *w)
{
	CLEANUP(buf) struct buf line = BUF_INIT;
	struct winsize size = { 0 };

	if (!w->on_terminal) {
		progress_text(&w->progress, &line);
		printf("%s\n", buf_str(&line));
	} else {
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
		progress_bar(&w->progress, size.ws_col ? size.ws_col - 1u : 79, &line);
		printf("\r%s\033[K", buf_str(&line));
	}
	fflush(stdout);
}

/* Until the readers are done. Those who wait in read(2) when ctrl-C comes have to be told each for themselves. */
static void attend(struct warm *w, const pthread_t *threads, unsigned n)
{
	int64_t shown_ms = clock_monotonic_ms();

	pthread_mutex_lock(&w->lock);
	while (w->running > 0) {
		clock_wait(&w->finished, &w->lock, TICK_MS);
		for (unsigned i = 0; i < n && interrupted(); i++)
			pthread_kill(threads[i], SIGHUP);
		progress_sample(&w->progress, clock_monotonic_ms());
		if (!w->on_terminal && clock_monotonic_ms() - shown_ms < PLAIN_LINE_MS)
			continue;
		shown_ms = clock_monotonic_ms();
		show(w);
	}
	clear_bar(w);
	pthread_mutex_unlock(&w->lock);
}

static void fetch(struct warm *w, unsigned readers)
{
	pthread_t threads[READERS_MAX];
	unsigned n;

	w->progress = (struct progress){ .messages_total = (int64_t)w->list.n, .bytes_total = w->list.bytes };
	w->running = readers;
	for (n = 0; n < readers; n++)
		if (pthread_create(&threads[n], NULL, reader, w))
			break;
	pthread_mutex_lock(&w->lock);
	w->running -= readers - n;
	w->failures += n == 0;
	pthread_mutex_unlock(&w->lock);
	attend(w, threads, n);
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

/* More than the cache may hold pushes out what was fetched first. */
static void warn_of_a_small_cache(const struct warm *w, const char *point)
{
	CLEANUP(buf) struct buf status = BUF_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT;
	int64_t limit;

	if (status_file_read(point, &status) < 0)
		return;
	limit = status_cache_limit(buf_str(&status), status.len);
	if (!limit || w->list.bytes <= limit)
		return;
	amount_size(&text, w->list.bytes);
	buf_append_str(&text, " are to be fetched, but the cache holds ");
	amount_size(&text, limit);
	fprintf(stderr, "mailfsctl: %s: %s: raise cache-size in mailfs.conf\n", point, buf_str(&text));
}

static void summarise(const struct warm *w, int64_t started_ms)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	int64_t left = w->progress.messages_total - w->progress.messages_done - (int64_t)(w->failures - w->list.failures);

	amount_count(&text, w->progress.messages_done);
	buf_append_str(&text, " messages fetched, ");
	amount_size(&text, w->progress.bytes_done);
	buf_append_str(&text, ", in ");
	amount_duration(&text, (clock_monotonic_ms() - started_ms) / 1000);
	buf_append_str(&text, "; ");
	amount_count(&text, w->list.messages_cached);
	buf_append_str(&text, " were cached before");
	if (interrupted()) {
		buf_append_str(&text, "; interrupted with ");
		amount_count(&text, left);
		buf_append_str(&text, " to go, the same command goes on");
	}
	printf("%s\n", buf_str(&text));
	if (w->failures)
		fprintf(stderr, "mailfsctl: %zu failed\n", w->failures);
}

/* Every path has to lie in a mount of ours: reading anything else through would be silly. */
static int list_all(struct warm *w, char **paths, struct buf *point)
{
	for (; *paths; paths++) {
		int r;

		buf_truncate(point, 0);
		r = mounts_find(*paths, point);
		if (r < 0) {
			fprintf(stderr, "mailfsctl: %s: %s\n", *paths, r == -ENODEV ? "not in a mailfs mount" : strerror(-r));
			return r;
		}
		r = warm_list_add(&w->list, *paths);
		if (r < 0)
			return r;
	}
	return 0;
}

static int warm_paths(struct warm *w, char **paths, unsigned readers)
{
	CLEANUP(buf) struct buf point = BUF_INIT;
	int64_t started_ms = clock_monotonic_ms();
	int r;

	if (w->on_terminal) {
		fputs("Looking at what is there ...", stdout);
		fflush(stdout);
	}
	r = list_all(w, paths, &point);
	clear_bar(w);
	w->failures = w->list.failures;
	if (r == 0) {
		warn_of_a_small_cache(w, buf_str(&point));
		fetch(w, readers);
	}
	if (r == 0 || r == -EINTR)
		summarise(w, started_ms);
	if (interrupted())
		return EXIT_INTERRUPTED;
	return r < 0 || w->failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = { { "jobs", required_argument, NULL, 'j' }, { 0 } };
	struct warm w = { .on_terminal = isatty(STDOUT_FILENO),
			  .lock = PTHREAD_MUTEX_INITIALIZER,
			  .finished = PTHREAD_COND_INITIALIZER };
	unsigned long readers = READERS_DEFAULT;
	char *end;
	int status;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j')
			return COMMAND_USAGE;
		readers = strtoul(optarg, &end, 10);
		if (*end || readers < 1 || readers > READERS_MAX)
			return COMMAND_USAGE;
	}
	if (optind == argc)
		return COMMAND_USAGE;
	interrupt_catch();
	status = warm_paths(&w, argv + optind, (unsigned)readers);
	warm_list_release(&w.list);
	return status;
}

const struct command command_warm = {
	"warm",
	"[--jobs N] PATH...",
	"fetch all messages at and below PATH into the cache",
	run,
};

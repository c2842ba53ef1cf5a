/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/session.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "fs/dispatch.h"
#include "fs/inode.h"
#include "fs/loop.h"
#include "fs/place.h"

/* How long the end waits for what the kernel, or the mailbox, should answer at once. */
#define END_LOOKS 50
#define END_LOOK_MS 100

bool fs_is_mountpoint(const char *mountpoint)
{
	struct holders_mount mount;
	char path[PATH_MAX];

	return realpath(mountpoint, path) && holders_find_mount(path, &mount) == 0;
}

/* 0 or 1, or -errno: a dead mount can still be stat()ed. */
static int is_empty(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	int empty = 1;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(dir);
	return empty;
}

int fs_check_mountpoint(const char *mountpoint, struct buf *why)
{
	int r = is_empty(mountpoint);

	if (r == -ENOTCONN) {
		buf_printf(why, "%s: a file system whose program has ended is still mounted here: fusermount3 -u %s", mountpoint,
			   mountpoint);
	} else if (r < 0) {
		buf_printf(why, "mountpoint %s: %s", mountpoint, strerror(-r));
	} else if (fs_is_mountpoint(mountpoint)) {
		buf_printf(why, "%s: something is mounted here already", mountpoint);
		return -EBUSY;
	} else if (r == 0) {
		buf_printf(why, "mountpoint %s is not empty: its files would be hidden", mountpoint);
		return -ENOTEMPTY;
	}
	return r < 0 ? r : 0;
}

/* libfuse says why a mount failed in its log alone: the last line is kept for whoever asks. */
static char last_complaint[256];

static void on_libfuse_log(enum fuse_log_level level, const char *format, va_list arguments)
{
	char line[sizeof(last_complaint)];

	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	if (level <= FUSE_LOG_WARNING)
		strcpy(last_complaint, line);
	log_debug("%s", line);
}

static int add_option(struct fuse_args *arguments, const char *option, const char *value)
{
	CLEANUP(buf) struct buf text = BUF_INIT;

	if (buf_printf(&text, "-o%s%s", option, value) < 0 || fuse_opt_add_arg(arguments, buf_str(&text)) < 0)
		return -ENOMEM;
	return 0;
}

/* A comma in the source would end the option. */
static int add_source(struct fuse_args *arguments, const char *source)
{
	CLEANUP(buf) struct buf escaped = BUF_INIT;

	for (; *source; source++)
		if ((*source == ',' || *source == '\\') ? buf_printf(&escaped, "\\%c", *source) < 0
							: buf_append_char(&escaped, *source) < 0)
			return -ENOMEM;
	return add_option(arguments, "fsname=", buf_str(&escaped));
}

static int add_options(struct fuse_args *arguments, const struct fs_options *options)
{
	int r = fuse_opt_add_arg(arguments, "mailfs") < 0 ? -ENOMEM : 0;

	if (r == 0)
		r = add_option(arguments, "default_permissions,subtype=mailfs", "");
	if (r == 0)
		r = add_source(arguments, options->source);
	if (r == 0 && options->read_only)
		r = add_option(arguments, "ro", "");
	if (r == 0 && options->allow_other)
		r = add_option(arguments, "allow_other", "");
	if (r == 0 && options->debug)
		r = add_option(arguments, "debug", "");
	if (r == 0 && options->mount_options && *options->mount_options)
		r = add_option(arguments, options->mount_options, "");
	return r;
}

static int open_session(struct fs *fs, const struct fs_options *options, struct buf *why)
{
	struct fuse_args arguments = FUSE_ARGS_INIT(0, NULL);
	int r = add_options(&arguments, options);

	fuse_set_log_func(on_libfuse_log);
	if (r == 0) {
		fs->session = fuse_session_new(&arguments, &dispatch_table, sizeof(dispatch_table), fs);
		if (!fs->session) {
			buf_printf(why, "mount options: %s", last_complaint);
			r = -EINVAL;
		}
	}
	fuse_opt_free_args(&arguments);
	return r;
}

static struct fs *new_fs(const struct fs_options *options)
{
	struct fs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	*fs = (struct fs){ .read_only = options->read_only,
			   .uid = options->uid,
			   .gid = options->gid,
			   .umask = options->umask,
			   .own_mount = { .id = -1 } };
	fs->mountpoint = realpath(options->mountpoint, NULL);
	fs->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fs->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	notifier_init(&fs->notifier);
	waits_init(&fs->waits);
	again_init(&fs->again);
	handles_init(&fs->handles);
	listings_init(&fs->listings);
	submissions_init(&fs->submissions);
	flag_numbers_init(&fs->flag_numbers);
	return fs;
}

int fs_new(const struct fs_options *options, struct fs **ret, struct buf *why)
{
	struct fs *fs;
	int r = fs_check_mountpoint(options->mountpoint, why);

	if (r < 0)
		return r;
	fs = new_fs(options);
	if (!fs)
		return -ENOMEM;
	r = fs->mountpoint && fs->wake_fd >= 0 && fs->stop_fd >= 0 ? open_session(fs, options, why) : -EMFILE;
	if (r < 0) {
		fs_free(fs);
		return r;
	}
	*ret = fs;
	return 0;
}

int fs_mount(struct fs *fs, struct mailbox *mailbox, struct buf *why)
{
	fs->mailbox = mailbox;
	fs->outbox = mailbox_outbox(mailbox);
	last_complaint[0] = '\0';
	if (fuse_session_mount(fs->session, fs->mountpoint) < 0) {
		buf_printf(why, "%s cannot be mounted on: %s", fs->mountpoint,
			   *last_complaint ? last_complaint : "fusermount3 refused");
		return -EIO;
	}
	holders_find_mount(fs->mountpoint, &fs->own_mount);
	return 0;
}

void fs_wake(struct fs *fs)
{
	int saved = errno;

	eventfd_write(fs->wake_fd, 1);
	errno = saved;
}

void fs_stop(struct fs *fs)
{
	atomic_store(&fs->stop_asked, true);
	fs_wake(fs);
}

static struct fs *running; /* the signals' */

static void on_signal(int number)
{
	(void)number;
	fs_stop(running);
}

static const int ending_signals[] = { SIGTERM, SIGINT, SIGHUP };
#define N_SIGNALS (sizeof(ending_signals) / sizeof(ending_signals[0]))

static void catch_signals(struct fs *fs, struct sigaction before[N_SIGNALS])
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	running = fs;
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaction(ending_signals[i], &action, &before[i]);
}

/* A second signal ends the program at once. */
static void release_signals(const struct sigaction before[N_SIGNALS])
{
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaction(ending_signals[i], &before[i], NULL);
}

/* Until something ends it. Meanwhile it looks after interrupted requests. */
static void watch(struct fs *fs)
{
	struct pollfd wake = { .fd = fs->wake_fd, .events = POLLIN };
	bool interrupted = false;
	eventfd_t ignored;

	while (!atomic_load(&fs->stop_asked) && !atomic_load(&fs->is_over)) {
		poll(&wake, 1, interrupted ? WAIT_LOOK_MS : -1);
		eventfd_read(fs->wake_fd, &ignored);
		interrupted = waits_look(fs);
	}
}

/* While the session's threads still serve: what the notifier waits for gets done. */
static bool end_notifier(struct fs *fs)
{
	for (int looks = 0; looks < END_LOOKS; looks++) {
		waits_end_all(fs);
		if (notifier_stop(&fs->notifier, END_LOOK_MS))
			return true;
	}
	return false;
}

static bool end_waits(struct fs *fs)
{
	for (int looks = 0; looks < END_LOOKS * END_LOOK_MS; looks++) {
		if (!waits_end_all(fs))
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

int fs_run(struct fs *fs)
{
	struct sigaction before[N_SIGNALS];
	struct loop loop = { 0 };
	int r;

	signal(SIGPIPE, SIG_IGN);
	catch_signals(fs, before);
	r = notifier_start(&fs->notifier, fs->session, fs->mailbox);
	if (r == 0)
		r = loop_start(&loop, fs);
	if (r == 0)
		watch(fs);
	fs->is_left = !end_notifier(fs);
	loop_stop(&loop);
	fs->is_left |= !end_waits(fs);
	fuse_session_exit(fs->session); /* late replies fail quietly */
	fuse_session_unmount(fs->session);
	if (!fs->is_left)
		handles_close_all(fs);
	release_signals(before);
	return r;
}

void fs_changed(struct fs *fs, const struct change *change)
{
	notify_change(&fs->notifier, change);
}

void fs_outbox_changed(struct fs *fs, int64_t id, bool is_failed_place, const char *name, bool is_gone)
{
	(void)id;
	if (is_gone)
		notify_name_gone(&fs->notifier, place_ino(is_failed_place ? OUTBOX_FAILED : OUTBOX_QUEUE), name);
}

void fs_free(struct fs *fs)
{
	if (!fs || fs->is_left)
		return;
	if (fs->session) {
		fuse_session_unmount(fs->session);
		fuse_session_destroy(fs->session);
	}
	if (fs->wake_fd >= 0)
		close(fs->wake_fd);
	if (fs->stop_fd >= 0)
		close(fs->stop_fd);
	flag_numbers_release(&fs->flag_numbers);
	free(fs->mountpoint);
	free(fs);
}

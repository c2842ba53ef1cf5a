/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon: arguments, the objects built top-down, run, tear down.
 *
 * Law 8: what asks the terminal and what forks comes first; the database, threads and TLS come after, in the process that stays.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/configuration.h"
#include "base/log.h"
#include "fs/fs.h"
#include "mailbox/mailbox.h"
#include "mailfs_arguments.h"
#include "net/secret.h"
#include "store/durable.h"
#include "store/lock.h"

enum { FILES_MAX = 65536 };

enum { LOCK_RETRY_MS = 50, LOCK_PATIENCE_MS = 45 * 1000 };

enum { EXIT_USAGE = 1, EXIT_UNREACHABLE = EX_TEMPFAIL, EXIT_REFUSED = EX_NOPERM, EXIT_CONFIGURATION = EX_CONFIG };

static const char usage[] = "usage: mailfs [-df] [--config FILE] [-o OPTION[=VALUE],...] ACCOUNT MOUNTPOINT\n"
			    "       fusermount3 -u MOUNTPOINT\n"
			    "\n"
			    "ACCOUNT is a section of mailfs.conf, or a URL such as imaps://alice@mail.example.com\n"
			    "  -f                  stay in the foreground, log to stderr\n"
			    "  -d                  log every call, to stderr\n"
			    "  -o ro               look only: nothing is changed, there is no outbox\n"
			    "  -o KEY=VALUE        any key of mailfs.conf(5) but passwords\n"
			    "  --config FILE       read FILE in place of ~/.config/mailfs/mailfs.conf\n"
			    "  -h, --help, -V, --version\n";

/* What lives as long as the process. */
struct daemon_parts {
	struct arguments arguments;
	struct configuration configuration;
	struct lock *cache_lock, *state_lock;
	struct secret *secret, *smtp_secret;
	char *mountpoint; /* own; absolute, since the daemon leaves its directory */
	int verdict_fd;	  /* where the exit status goes that the command returns; -1 in the foreground */
};

/* One line, to where the person is. */
static int fail(int status, const struct buf *why)
{
	log_error("%s", buf_str(why));
	return status;
}

/* The daemon of a mount that has been taken away may still be ending what it began with a server: it is waited for. */
static int wait_for_lock(const char *directory, const char *mountpoint, struct lock **ret, struct buf *holder)
{
	int r;

	for (int waited_ms = 0;; waited_ms += LOCK_RETRY_MS) {
		buf_truncate(holder, 0);
		r = lock_take(directory, mountpoint, ret, holder);
		if (r != -EBUSY || waited_ms >= LOCK_PATIENCE_MS || fs_is_mountpoint(buf_str(holder)))
			return r;
		usleep(LOCK_RETRY_MS * 1000);
	}
}

static int take_lock(const char *directory, const char *mountpoint, struct lock **ret, struct buf *why)
{
	CLEANUP(buf) struct buf holder = BUF_INIT;
	int r = directory_make(directory);

	if (r == 0)
		r = wait_for_lock(directory, mountpoint, ret, &holder);
	if (r == -EBUSY)
		buf_printf(why, "%s is in use: this account is already mounted at %s", directory, buf_str(&holder));
	else if (r < 0)
		buf_printf(why, "%s: %s", directory, strerror(-r));
	return r;
}

static int take_locks(struct daemon_parts *d, struct buf *why)
{
	const struct configuration *c = &d->configuration;
	int r = take_lock(c->cache_dir, d->mountpoint, &d->cache_lock, why);

	if (r == 0 && strcmp(c->cache_dir, c->state_dir))
		r = take_lock(c->state_dir, d->mountpoint, &d->state_lock, why);
	return r;
}

static int make_secret(const struct secret_source *source, const struct url *url, struct secret **ret, struct buf *why)
{
	CLEANUP(buf) struct buf what = BUF_INIT;
	int r = buf_printf(&what, "password for %s%s%s", url->user ? url->user : "", url->user ? " at " : "", url->host);

	if (r == 0)
		r = secret_new(source, buf_str(&what), ret);
	return r < 0 ? r : secret_prepare(*ret, why);
}

static bool is_empty(const struct secret_source *s)
{
	return !s->command && !s->file && !s->literal;
}

/* The submission server's password is the mailbox's unless another is configured. */
static int make_secrets(struct daemon_parts *d, struct buf *why)
{
	struct configuration *c = &d->configuration;
	const struct secret_source *smtp = is_empty(&c->smtp_secret) ? &c->secret : &c->smtp_secret;
	int r = make_secret(&c->secret, c->imap.host ? &c->imap : &c->pop3, &d->secret, why);

	if (r == 0 && c->smtp.host && !d->arguments.read_only && !is_empty(smtp))
		r = make_secret(smtp, &c->smtp, &d->smtp_secret, why);
	return r;
}

/* Everything that needs no network and no threads. 0 or an exit status, the line told. */
static int prepare(struct daemon_parts *d)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct arguments *a = &d->arguments;

	if (fs_check_mountpoint(a->mountpoint, &why) < 0)
		return fail(EXIT_USAGE, &why);
	d->mountpoint = realpath(a->mountpoint, NULL);
	if (configuration_load(a->config, a->account, (const char *const *)a->keys, a->n_keys, &d->configuration, &why) < 0)
		return fail(EXIT_CONFIGURATION, &why);
	if (!d->configuration.imap.host || !backend_for(&d->configuration.imap)) {
		buf_printf(&why, "%s: no IMAP server; write imap = imaps://USER@HOST", d->configuration.account);
		return fail(EXIT_CONFIGURATION, &why);
	}
	if (mailbox_check(&d->configuration, &why) < 0)
		return fail(EXIT_CONFIGURATION, &why);
	if (!d->mountpoint || take_locks(d, &why) < 0)
		return fail(EXIT_USAGE, &why);
	if (make_secrets(d, &why) < 0)
		return fail(EXIT_REFUSED, &why);
	return 0;
}

/* The parent waits for the child's verdict and hands it on; the child goes on in a session of its own. Returns in the child only. */
static int leave_terminal(struct daemon_parts *d)
{
	unsigned char status = EXIT_USAGE;
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return EXIT_USAGE;
	child = fork();
	if (child < 0)
		return EXIT_USAGE;
	if (child > 0) {
		close(fds[1]);
		while (read(fds[0], &status, 1) < 0 && errno == EINTR)
			;
		_exit(status);
	}
	close(fds[0]);
	d->verdict_fd = fds[1];
	setsid();
	return chdir("/") < 0 ? EXIT_USAGE : 0;
}

/* The mount stands: the command returns 0, and what is said from now on goes to syslog. */
static void report_mounted(struct daemon_parts *d, enum log_level level)
{
	unsigned char status = 0;
	int null;

	if (d->verdict_fd < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	log_open(true, level);
	while (write(d->verdict_fd, &status, 1) < 0 && errno == EINTR)
		;
	close(d->verdict_fd);
	d->verdict_fd = -1;
}

static void on_change(void *fs, const struct change *change)
{
	fs_changed(fs, change);
}

static void on_outbox_change(void *fs, int64_t id, bool is_failed_place, const char *name, bool is_gone)
{
	fs_outbox_changed(fs, id, is_failed_place, name, is_gone);
}

/* -EINVAL: a file of tls-ca, tls-cert or tls-key does not hold what it should. */
static int connect_status(int error)
{
	if (error == -EINVAL)
		return EXIT_CONFIGURATION;
	return error == -EACCES || error == -EKEYREJECTED ? EXIT_REFUSED : EXIT_UNREACHABLE;
}

/* Signed in, mounted, served until the end. */
static int serve(struct daemon_parts *d, struct fs *fs, struct mailbox *mailbox)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r = mailbox_connect(mailbox, d->arguments.delay_connect, &why);

	if (r < 0) {
		log_error("%s: %s", d->configuration.account, buf_str(&why));
		return connect_status(r);
	}
	if (why.len)
		log_warning("%s: %s", d->configuration.account, buf_str(&why));
	buf_truncate(&why, 0);
	if (fs_mount(fs, mailbox, &why) < 0)
		return fail(EXIT_USAGE, &why);
	report_mounted(d, d->arguments.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	return fs_run(fs) < 0 ? EXIT_USAGE : 0;
}

static int run(struct daemon_parts *d)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	const struct arguments *a = &d->arguments;
	struct fs_options fs_options = {
		.mountpoint = d->mountpoint,
		.source = d->configuration.account,
		.read_only = a->read_only,
		.allow_other = a->allow_other,
		.debug = a->debug,
		.uid = a->uid,
		.gid = a->gid,
		.umask = a->umask,
		.mount_options = a->kernel.len ? buf_str(&a->kernel) : NULL,
	};
	struct mailbox_options mailbox_options = {
		.configuration = &d->configuration,
		.backend = backend_for(&d->configuration.imap),
		.secret = d->secret,
		.smtp_secret = d->smtp_secret,
		.read_only = a->read_only,
		.mountpoint = d->mountpoint,
		.changed = on_change,
		.outbox_changed = on_outbox_change,
	};
	struct mailbox *mailbox = NULL;
	struct fs *fs = NULL;
	int status;

	if (fs_new(&fs_options, &fs, &why) < 0)
		return fail(EXIT_USAGE, &why);
	mailbox_options.userdata = fs;
	if (mailbox_new(&mailbox_options, &mailbox, &why) < 0)
		status = fail(EXIT_CONFIGURATION, &why);
	else
		status = serve(d, fs, mailbox);
	mailbox_free(mailbox);
	fs_free(fs);
	return status;
}

static void daemon_release(struct daemon_parts *d)
{
	secret_free(d->secret);
	secret_free(d->smtp_secret);
	lock_free(d->cache_lock);
	lock_free(d->state_lock);
	free(d->mountpoint);
	configuration_release(&d->configuration);
	arguments_release(&d->arguments);
}

/* Law 7: no secret in a core dump. */
static void forbid_core_dumps(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
}

/* An open message costs a descriptor, one that is fetched ahead as well: the usual 1,024 are too few. Not all there are: what the daemon runs inherits it. */
static void allow_many_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= FILES_MAX)
		return;
	files.rlim_cur = files.rlim_max < FILES_MAX ? files.rlim_max : FILES_MAX;
	setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct daemon_parts d = { .verdict_fd = -1 };
	int status;

	signal(SIGPIPE, SIG_IGN);
	forbid_core_dumps();
	allow_many_files();
	if (arguments_parse(argc, argv, &d.arguments, &why) < 0)
		return fail(EXIT_USAGE, &why);
	if (d.arguments.help || d.arguments.version) {
		fputs(d.arguments.help ? usage : PACKAGE_STRING "\n", stdout);
		return 0;
	}
	if (d.arguments.debug)
		log_open(false, LOG_LEVEL_DEBUG);
	status = prepare(&d);
	if (status == 0 && !d.arguments.foreground)
		status = leave_terminal(&d);
	if (status == 0)
		status = run(&d);
	if (d.verdict_fd >= 0)
		status = write(d.verdict_fd, &(unsigned char){ (unsigned char)status }, 1) == 1 ? status : EXIT_USAGE;
	daemon_release(&d);
	return status;
}

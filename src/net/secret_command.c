/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/secret_source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/clock.h"

extern char **environ;

/* A session of its own: what it starts can be killed with it, and it can neither ask the terminal nor be stopped by it. */
static int spawn_shell(const char *command, int output, pid_t *ret_pid)
{
	char shell[] = "sh", option[] = "-c";
	/* Not changed by posix_spawn(): its prototype is older than const. */
	char *arguments[] = { shell, option, (char *)command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	r = posix_spawn(ret_pid, "/bin/sh", &actions, &attributes, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

static void kill_all(pid_t pid)
{
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Takes what is there. 1: there may be more, 0: the end, -EMSGSIZE, -errno. */
static int take_output(int fd, char *data, size_t *len)
{
	for (;;) {
		char overflow;
		bool is_full = *len == SECRET_MAX_BYTES;
		ssize_t n = is_full ? read(fd, &overflow, 1) : read(fd, data + *len, SECRET_MAX_BYTES - *len);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? 1 : -errno;
		if (n > 0 && is_full)
			return -EMSGSIZE;
		if (n > 0)
			*len += (size_t)n;
	}
}

/* Until the shell has ended: a daemon that it left behind may keep the pipe open for ever. -ETIMEDOUT, -ECANCELED, -EMSGSIZE, -errno. */
static int collect(int output, int process, int limit_s, const struct cancel *cancel, char *data, size_t *len)
{
	struct pollfd pollfds[] = { { .fd = output, .events = POLLIN }, { .fd = process, .events = POLLIN } };
	int64_t until_ms = clock_monotonic_ms() + (int64_t)limit_s * 1000;

	for (;;) {
		int r = cancel_poll(cancel, pollfds, 2, until_ms);

		if (r == 0 || clock_monotonic_ms() >= until_ms)
			return -ETIMEDOUT;
		if (r < 0)
			return r;
		r = pollfds[0].fd < 0 ? 0 : take_output(output, data, len);
		if (r < 0)
			return r;
		if (r == 0)
			pollfds[0].fd = -1;
		if (pollfds[1].revents)
			return pollfds[0].fd < 0 ? 0 : take_output(output, data, len) < 0 ? -EMSGSIZE : 0;
	}
}

static int explain_failure(int error, int limit_s, struct buf *why)
{
	if (error == -ECANCELED) {
		buf_append_str(why, "was given up");
		return error;
	}
	if (error == -ETIMEDOUT)
		buf_printf(why, "took more than %d s and was killed", limit_s);
	else if (error == -EMSGSIZE)
		buf_printf(why, "printed more than %d bytes", SECRET_MAX_BYTES);
	else
		buf_printf(why, "could not be run: %s", strerror(-error));
	return -EACCES;
}

static int check_status(int status, struct buf *why)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		buf_printf(why, "was killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == 127)
		buf_append_str(why, "names a command that is not found (status 127)");
	else
		buf_printf(why, "failed with status %d", WEXITSTATUS(status));
	return -EACCES;
}

ssize_t secret_source_command(const char *command, int limit_s, const struct cancel *cancel, char *data, struct buf *why)
{
	int pipe_fds[2], status = 0, r;
	size_t len = 0;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return explain_failure(-errno, limit_s, why);
	CLEANUP(fd) int output = pipe_fds[0];
	CLEANUP(fd) int input = pipe_fds[1];
	CLEANUP(fd) int process = -1;

	r = spawn_shell(command, input, &pid);
	if (r < 0)
		return explain_failure(r, limit_s, why);
	close(steal_fd(&input));
	fcntl(output, F_SETFL, O_NONBLOCK);
	process = pidfd_open(pid, 0);
	r = process < 0 ? -errno : collect(output, process, limit_s, cancel, data, &len);
	if (r < 0) {
		kill_all(pid);
		return explain_failure(r, limit_s, why);
	}
	if (waitpid(pid, &status, 0) < 0)
		return explain_failure(-errno, limit_s, why);
	r = check_status(status, why);
	return r < 0 ? r : (ssize_t)len;
}

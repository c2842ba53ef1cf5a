/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/secret_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>

/* What would end or stop the program while the terminal has no echo. */
static const int caught_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU };
enum { CAUGHT = sizeof caught_signals / sizeof *caught_signals, BACKGROUND = CAUGHT - 1 };

static volatile sig_atomic_t caught[CAUGHT];

static void note_signal(int number)
{
	for (size_t i = 0; i < CAUGHT; i++)
		if (caught_signals[i] == number)
			caught[i] = 1;
}

static bool is_stop(int number)
{
	return number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

static void write_text(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		return;
}

struct signals {
	struct sigaction actions[CAUGHT];
	sigset_t mask;
};

/* Blocked but while the program waits for a line, so that none slips in just before the wait. Those that come of being in the
 * background are raised by our own calls, which they must interrupt. */
static void catch_signals(struct signals *before)
{
	struct sigaction action = { .sa_handler = note_signal };
	sigset_t blocked;

	sigemptyset(&action.sa_mask);
	sigemptyset(&blocked);
	for (size_t i = 0; i < CAUGHT; i++) {
		caught[i] = 0;
		sigaction(caught_signals[i], &action, &before->actions[i]);
		if (caught_signals[i] != SIGTTIN && caught_signals[i] != SIGTTOU)
			sigaddset(&blocked, caught_signals[i]);
	}
	pthread_sigmask(SIG_BLOCK, &blocked, &before->mask);
}

static void restore_signals(const struct signals *before)
{
	for (size_t i = 0; i < CAUGHT; i++)
		sigaction(caught_signals[i], &before->actions[i], NULL);
	pthread_sigmask(SIG_SETMASK, &before->mask, NULL);
}

/* Until there is a line, or a signal: -EINTR. */
static int wait_for_line(int tty)
{
	struct pollfd pollfd = { .fd = tty, .events = POLLIN };
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (size_t i = 0; i < CAUGHT; i++)
		sigdelset(&mask, caught_signals[i]);
	return ppoll(&pollfd, 1, NULL, &mask) < 0 ? -errno : 0;
}

static ssize_t read_line(int tty, char *data)
{
	size_t len = 0;

	while (len < SECRET_MAX_BYTES) {
		int r = wait_for_line(tty);
		ssize_t n;

		if (r < 0)
			return r;
		n = read(tty, data + len, SECRET_MAX_BYTES - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (n == 0 || memchr(data, '\n', len))
			break;
	}
	return (ssize_t)len;
}

static ssize_t read_without_echo(int tty, const char *prompt, char *data)
{
	struct termios before, quiet;
	ssize_t n;

	if (tcgetattr(tty, &before) < 0)
		return -errno;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ICANON | ISIG | ECHONL;
	if (tcsetattr(tty, TCSAFLUSH, &quiet) < 0)
		return -errno;
	write_text(tty, prompt);
	write_text(tty, ": ");
	n = read_line(tty, data);
	/* In the background each attempt raises SIGTTOU again. */
	while (tcsetattr(tty, TCSAFLUSH, &before) < 0 && errno == EINTR && !caught[BACKGROUND])
		;
	return n;
}

/* Whether all of them only stopped the program, so that it is to ask again. */
static bool deliver_signals(void)
{
	bool ask_again = false, is_over = false;

	for (size_t i = 0; i < CAUGHT; i++) {
		if (!caught[i])
			continue;
		if (is_stop(caught_signals[i]))
			ask_again = true;
		else
			is_over = true;
		kill(getpid(), caught_signals[i]);
	}
	return ask_again && !is_over;
}

ssize_t secret_source_terminal(const char *prompt, char *data, struct buf *why)
{
	CLEANUP(fd) int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct signals before;
	ssize_t n;

	if (tty < 0) {
		buf_append_str(why, "none is configured and there is no terminal to ask; set password-command or password-file");
		return -EACCES;
	}
	do {
		catch_signals(&before);
		n = read_without_echo(tty, prompt, data);
		restore_signals(&before);
	} while (deliver_signals());
	if (n < 0) {
		buf_printf(why, "the terminal: %s", strerror((int)-n));
		return -EACCES;
	}
	return n;
}

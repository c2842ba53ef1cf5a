/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "net/secret.h"

DEFINE_CLEANUP(secret, struct secret *, secret_free)

#define WHAT "password for alice at imap.example.com"

static char directory[32];
static int command_limit_s = 20; /* unless a test waits for it */

static int make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/mailfs-test-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

/* secret_get() of `source`; the secret in `out`, or what it says went wrong in `why`. */
static int get(const struct secret_source *source, struct buf *out, struct buf *why)
{
	CLEANUP(secret) struct secret *s = NULL;

	buf_truncate(out, 0);
	buf_truncate(why, 0);
	assert_int_equal(secret_new(source, WHAT, &s), 0);
	secret_set_command_limit(s, command_limit_s);
	return secret_get(s, NULL, out, why);
}

static void expect_secret(struct secret_source source, const char *expected)
{
	CLEANUP(buf) struct buf out = BUF_INIT, why = BUF_INIT;

	assert_int_equal(get(&source, &out, &why), 0);
	assert_string_equal(buf_str(&out), expected);
	assert_int_equal(why.len, 0);
}

static void expect_refusal(struct secret_source source, const char *expected)
{
	CLEANUP(buf) struct buf out = BUF_INIT, why = BUF_INIT;

	assert_int_equal(get(&source, &out, &why), -EACCES);
	assert_int_equal(out.len, 0);
	assert_string_equal(buf_str(&why), expected);
}

static struct secret_source command(const char *text)
{
	return (struct secret_source){ .command = (char *)text };
}

static void a_literal_is_the_secret(void **state)
{
	(void)state;
	expect_secret((struct secret_source){ .literal = (char *)"s3cret pass" }, "s3cret pass");
	expect_refusal((struct secret_source){ .literal = (char *)"" }, WHAT ": password gave an empty first line");
}

static void a_command_gives_its_first_line(void **state)
{
	(void)state;
	expect_secret(command("printf 's3cret\\n'"), "s3cret");
	expect_secret(command("printf 's3cret\\r\\nuser: alice\\n'"), "s3cret");
	expect_secret(command("printf ' no line end '"), " no line end ");
}

static void the_first_source_that_is_set_counts(void **state)
{
	struct secret_source source = { .command = (char *)"echo first",
					.file = (char *)"/nonexistent",
					.literal = (char *)"third" };

	(void)state;
	expect_secret(source, "first");
}

static void a_command_runs_anew_each_time(void **state)
{
	CLEANUP(secret) struct secret *s = NULL;
	CLEANUP(buf) struct buf out = BUF_INIT, why = BUF_INIT;
	struct secret_source source = command("date +%N; exit $((COUNT))");

	(void)state;
	assert_int_equal(secret_new(&source, WHAT, &s), 0);
	assert_int_equal(secret_prepare(s, &why), 0);
	assert_int_equal(secret_get(s, NULL, &out, &why), 0);
	setenv("COUNT", "3", 1);
	assert_int_equal(secret_get(s, NULL, &out, &why), -EACCES);
	unsetenv("COUNT");
}

static void a_command_that_fails_says_how(void **state)
{
	(void)state;
	expect_refusal(command("echo half; exit 3"), WHAT ": password-command failed with status 3");
	expect_refusal(command("kill -9 $$"), WHAT ": password-command was killed by signal 9");
	expect_refusal(command("no-such-command-here 2> /dev/null"),
		       WHAT ": password-command names a command that is not found (status 127)");
	expect_refusal(command("true"), WHAT ": password-command gave an empty first line");
	expect_refusal(command("printf 'a\\000b'"), WHAT ": password-command gave a line with a NUL byte in it");
	expect_refusal(command("yes"), WHAT ": password-command printed more than 65536 bytes");
}

static void a_command_has_no_terminal_and_no_input(void **state)
{
	(void)state;
	expect_secret(command("cat; (: < /dev/tty) 2> /dev/null || echo alone"), "alone");
}

static void a_command_inherits_no_descriptors(void **state)
{
	(void)state;
	/* 0, 1, 2, and the one that ls reads the directory with. */
	expect_secret(command("ls /proc/self/fd | tail -n 1"), "3");
}

static void a_daemon_left_behind_does_not_hold_the_secret_up(void **state)
{
	int64_t began_ms = clock_monotonic_ms();

	(void)state;
	expect_secret(command("sleep 9 & echo s3cret"), "s3cret");
	assert_true(clock_monotonic_ms() - began_ms < 8000);
}

static void a_command_that_hangs_is_killed_with_all_it_started(void **state)
{
	char fifo[64], text[160], byte;
	int fd;

	(void)state;
	snprintf(fifo, sizeof fifo, "%s/fifo", directory);
	snprintf(text, sizeof text, "exec 9> %s; sleep 100 & sleep 100", fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	command_limit_s = 1;
	expect_refusal(command(text), WHAT ": password-command took more than 1 s and was killed");
	command_limit_s = 20;
	/* The end comes when nobody has the FIFO open for writing any more. */
	fcntl(fd, F_SETFL, 0);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
	unlink(fifo);
}

static void *cancel_soon(void *cancel)
{
	usleep(20000);
	cancel_set(cancel);
	return NULL;
}

static void a_command_can_be_given_up(void **state)
{
	CLEANUP(secret) struct secret *s = NULL;
	CLEANUP(buf) struct buf out = BUF_INIT, why = BUF_INIT;
	struct secret_source source = command("sleep 100");
	int64_t began_ms = clock_monotonic_ms();
	struct cancel cancel;
	pthread_t thread;

	(void)state;
	assert_int_equal(cancel_init(&cancel), 0);
	assert_int_equal(secret_new(&source, WHAT, &s), 0);
	pthread_create(&thread, NULL, cancel_soon, &cancel);
	assert_int_equal(secret_get(s, &cancel, &out, &why), -ECANCELED);
	assert_true(clock_monotonic_ms() - began_ms < 5000);
	assert_string_equal(buf_str(&why), WHAT ": password-command was given up");
	pthread_join(thread, NULL);
	cancel_release(&cancel);
}

static void a_file_gives_its_first_line_unless_others_can_read_it(void **state)
{
	CLEANUP(buf) struct buf expected = BUF_INIT;
	char path[64];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/secret", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "s3cret\nnotes\n", 13), 13);
	close(fd);
	expect_secret((struct secret_source){ .file = path }, "s3cret");
	chmod(path, 0640);
	buf_printf(&expected, WHAT ": password-file %s: others can read it; chmod 600 %s", path, path);
	expect_refusal((struct secret_source){ .file = path }, buf_str(&expected));
	chmod(path, 0604);
	expect_refusal((struct secret_source){ .file = path }, buf_str(&expected));
	unlink(path);
	buf_truncate(&expected, 0);
	buf_printf(&expected, WHAT ": password-file %s: No such file or directory", path);
	expect_refusal((struct secret_source){ .file = path }, buf_str(&expected));
	expect_refusal((struct secret_source){ .file = (char *)"/dev/null" }, WHAT ": password-file /dev/null: not a regular file");
}

static void a_file_of_another_user_is_refused(void **state)
{
	CLEANUP(buf) struct buf expected = BUF_INIT;
	char path[64];

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof path, "%s/secret", directory);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(chown(path, 1234, 1234), 0);
	buf_printf(&expected, WHAT ": password-file %s: belongs to another user; chown it to yours", path);
	expect_refusal((struct secret_source){ .file = path }, buf_str(&expected));
	unlink(path);
}

/* Asks on a terminal of its own: 0 when the answer was "s3cret". */
static void ask_and_exit(void)
{
	CLEANUP(buf) struct buf out = BUF_INIT, why = BUF_INIT;
	struct secret_source none = { 0 };
	struct secret *s;

	signal(SIGINT, SIG_DFL);
	if (secret_new(&none, WHAT, &s) < 0 || secret_prepare(s, &why) < 0)
		_exit(1);
	/* From here on it is known, terminal or not. */
	setsid();
	if (secret_get(s, NULL, &out, &why) < 0 || strcmp(buf_str(&out), "s3cret"))
		_exit(2);
	secret_free(s);
	_exit(0);
}

static void read_until(int fd, struct buf *seen, const char *text)
{
	char data[64];

	while (!strstr(buf_str(seen), text)) {
		ssize_t n = read(fd, data, sizeof data);

		assert_true(n > 0);
		buf_append(seen, data, (size_t)n);
	}
}

static bool has_echo(int terminal)
{
	struct termios attributes;

	assert_int_equal(tcgetattr(terminal, &attributes), 0);
	return attributes.c_lflag & ECHO;
}

/* Types `answer` at the prompt; how the asking process ended. */
static int answer_prompt(const char *answer, struct buf *seen)
{
	int master, slave, status;
	pid_t pid;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	pid = fork();
	if (pid == 0) {
		close(master);
		if (login_tty(slave) < 0)
			_exit(3);
		ask_and_exit();
	}
	read_until(master, seen, WHAT ": ");
	assert_false(has_echo(slave));
	assert_int_equal(write(master, answer, strlen(answer)), strlen(answer));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(has_echo(slave));
	fcntl(master, F_SETFL, O_NONBLOCK);
	buf_reserve(seen, 256);
	seen->len += (size_t)read(master, seen->data + seen->len, 256);
	close(master);
	close(slave);
	return status;
}

static void the_terminal_is_asked_without_echo(void **state)
{
	CLEANUP(buf) struct buf seen = BUF_INIT;
	int status = answer_prompt("s3cret\n", &seen);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_null(memmem(seen.data, seen.len, "s3cret", 6));
}

static void an_interrupt_at_the_prompt_ends_the_program_with_echo_restored(void **state)
{
	CLEANUP(buf) struct buf seen = BUF_INIT;
	int status = answer_prompt("s3\003", &seen);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
}

static void without_a_source_and_a_terminal_it_says_what_to_set(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		CLEANUP(buf) struct buf out = BUF_INIT, why = BUF_INIT;
		struct secret_source none = { 0 };

		setsid();
		if (get(&none, &out, &why) != -EACCES || !strstr(buf_str(&why), "set password-command or password-file"))
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_literal_is_the_secret),
		cmocka_unit_test(a_command_gives_its_first_line),
		cmocka_unit_test(the_first_source_that_is_set_counts),
		cmocka_unit_test(a_command_runs_anew_each_time),
		cmocka_unit_test(a_command_that_fails_says_how),
		cmocka_unit_test(a_command_has_no_terminal_and_no_input),
		cmocka_unit_test(a_command_inherits_no_descriptors),
		cmocka_unit_test(a_daemon_left_behind_does_not_hold_the_secret_up),
		cmocka_unit_test(a_command_that_hangs_is_killed_with_all_it_started),
		cmocka_unit_test(a_command_can_be_given_up),
		cmocka_unit_test(a_file_gives_its_first_line_unless_others_can_read_it),
		cmocka_unit_test(a_file_of_another_user_is_refused),
		cmocka_unit_test(the_terminal_is_asked_without_echo),
		cmocka_unit_test(an_interrupt_at_the_prompt_ends_the_program_with_echo_restored),
		cmocka_unit_test(without_a_source_and_a_terminal_it_says_what_to_set),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

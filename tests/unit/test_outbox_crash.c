/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process dies at each named point of the durable steps, one after the other; a new start goes on. No message is lost, none is sent twice.
 *
 * A child does the work and ends by _exit() at its N-th point, as under kill -9; the parent starts anew on the same directory. What the server accepted
 * is counted in a file, across both.
 */
#include "outbox_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "outbox/fault.h"
#include "outbox/sender.h"
#include "scratch.h"

enum { DIED = 42, FINISHED = 43 };

static int points_left;
static char died_at[128];
static int report_fd;

static void die_at_the_last(const char *name)
{
	if (points_left-- > 0)
		return;
	if (write(report_fd, name, strlen(name)) < 0)
		_exit(1);
	_exit(DIED);
}

/* How often the server took the message with this Message-ID. */
static int times_accepted(const char *message_id)
{
	char path[512], line[256];
	int n = 0;
	FILE *log;

	snprintf(path, sizeof path, "%s/accepted", fake.directory);
	log = fopen(path, "r");
	while (log && fgets(line, sizeof line, log))
		n += !strncmp(line, message_id, strlen(message_id));
	if (log)
		fclose(log);
	return n;
}

static void open_accepted_log(void)
{
	char path[512];

	snprintf(path, sizeof path, "%s/accepted", fake.directory);
	fake.accepted_log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fake.accepted_log >= 0);
}

/* The child's work: which closes had returned 0 is told through `closed`, since those must not be lost. */
typedef void (*scenario)(int closed_fd);

static void note_closed(int closed_fd, char which, int result)
{
	if (result == 0 && write(closed_fd, &which, 1) != 1)
		_exit(1);
}

/* False once the scenario has fewer than n points. */
static bool run_and_die(scenario work, int n, char closed[16])
{
	int report[2], closes[2], status;
	ssize_t len;
	pid_t child;

	assert_int_equal(pipe(report), 0);
	assert_int_equal(pipe(closes), 0);
	/* What the parent has open must not be what the child works on. */
	fake_close();
	state_close(fake.state);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (state_open(fake.directory, &fake.state) < 0)
			_exit(1);
		open_accepted_log();
		report_fd = report[1];
		points_left = n;
		fake_open();
		outbox_fault_hook = die_at_the_last;
		work(closes[1]);
		_exit(FINISHED);
	}
	close(report[1]);
	close(closes[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	len = read(report[0], died_at, sizeof died_at - 1);
	died_at[len > 0 ? len : 0] = '\0';
	len = read(closes[0], closed, 15);
	closed[len > 0 ? len : 0] = '\0';
	close(report[0]);
	close(closes[0]);
	assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == DIED || WEXITSTATUS(status) == FINISHED));
	assert_int_equal(state_open(fake.directory, &fake.state), 0);
	open_accepted_log();
	fake.n_steps = 0;
	fake_open();
	return WEXITSTATUS(status) == DIED;
}

static int find_message(void *userdata, const struct outbox_entry *e)
{
	const char **wanted = userdata;
	CLEANUP(fd) int fd = -1;
	char text[512] = "";

	if (outbox_open(fake.outbox, e->id, false, &fd) < 0 || pread(fd, text, sizeof text - 1, 0) < 0 || !strstr(text, wanted[0]))
		return 0;
	wanted[1] = outbox_state_name(e->state);
	return 1;
}

/* The state of the file that holds the message; "" when there is none. */
static const char *state_of_message(const char *message_id)
{
	const char *wanted[2] = { message_id, "" };

	outbox_each(fake.outbox, OUTBOX_QUEUE, 0, find_message, wanted);
	if (!*wanted[1])
		outbox_each(fake.outbox, OUTBOX_FAILED, 0, find_message, wanted);
	return wanted[1];
}

/*
 * After everything that is due was done: a message whose close returned 0 was accepted once, or is uncertain (then it was accepted at most once) and
 * listed. One that was not closed may also be there as scratch, queued for nobody. In no case was one accepted twice.
 */
static void check_message(const char *message_id, bool was_closed)
{
	int n = times_accepted(message_id);
	const char *left = state_of_message(message_id);

	if (n > 1 || (n == 0 && was_closed && strcmp(left, "uncertain")))
		fail_msg("died at \"%s\": %s accepted %d times, now \"%s\"", died_at, message_id, n, left);
	if (n == 1 && *left && strcmp(left, "uncertain"))
		fail_msg("died at \"%s\": %s was accepted and is still \"%s\"", died_at, message_id, left);
	if (!strcmp(left, "uncertain") && strncmp(died_at, "send: ", 6) && strncmp(died_at, "verdict: before", 15))
		fail_msg("died at \"%s\": %s is uncertain outside the unavoidable window", died_at, message_id);
}

static void settle(void)
{
	for (int i = 0; i < 20; i++) {
		int64_t wait_s = sender_run_due(fake.outbox);

		if (wait_s < 0)
			return;
		fake.now_s += wait_s;
	}
	fail_msg("died at \"%s\": the queue does not come to rest", died_at);
}

static const char first[] = "From: alice@example.com\nTo: bob@example.com\nMessage-ID: <first@example.com>\n\n1\n";
static const char second[] =
	"From: alice@example.com\nTo: bob@example.com, carol@example.com\nMessage-ID: <second@example.com>\n\n2\n";

/* What was accepted, even once and by a process that died, does not go out again. */
static void check_guard(const char *message_id, const char *text)
{
	if (times_accepted(message_id) && fake_write("again", text) != -EEXIST)
		fail_msg("died at \"%s\": %s would be sent a second time", died_at, message_id);
}

static void die_everywhere(scenario work)
{
	char closed[16];
	bool is_dead = true;
	int n;

	for (n = 0; is_dead; n++) {
		void *directory = NULL;

		assert_int_equal(fake_setup(&directory), 0);
		is_dead = run_and_die(work, n, closed);
		settle();
		check_message("<first@example.com>", strchr(closed, '1') != NULL);
		check_message("<second@example.com>", strchr(closed, '2') != NULL);
		/* Once more: what was settled stays so. */
		fake_restart();
		settle();
		check_message("<first@example.com>", strchr(closed, '1') != NULL);
		check_message("<second@example.com>", strchr(closed, '2') != NULL);
		check_guard("<first@example.com>", first);
		check_guard("<second@example.com>", second);
		close(fake.accepted_log);
		assert_int_equal(fake_teardown(&directory), 0);
	}
	assert_true(n > 10);
}

static void write_two(int closed_fd)
{
	note_closed(closed_fd, '1', fake_write("first", first));
	note_closed(closed_fd, '2', fake_write("second", second));
}

static void write_and_send(int closed_fd)
{
	write_two(closed_fd);
	sender_run_due(fake.outbox);
}

static void write_and_be_put_off(int closed_fd)
{
	fake_script({ .outcome = SMTP_REFUSED, .code = 451 },
		    { .outcome = SMTP_ACCEPTED, .code = 250, .recipient_codes = { 250, 450 } },
		    { .outcome = SMTP_ACCEPTED, .code = 250 });
	note_closed(closed_fd, '1', fake_write("first", first));
	sender_run_due(fake.outbox);
	fake.now_s += 60;
	sender_run_due(fake.outbox);
}

static void rename_and_send(int closed_fd)
{
	assert_int_equal(fake_write(".second.tmp", second), 0);
	note_closed(closed_fd, '2', outbox_rename(fake.outbox, fake_id(OUTBOX_QUEUE, ".second.tmp"), OUTBOX_QUEUE, "second", true));
	sender_run_due(fake.outbox);
}

static void a_crash_while_writing_and_sending_loses_and_doubles_nothing(void **state)
{
	(void)state;
	die_everywhere(write_and_send);
}

static void a_crash_between_attempts_loses_and_doubles_nothing(void **state)
{
	(void)state;
	die_everywhere(write_and_be_put_off);
}

static void a_crash_while_a_scratch_file_is_renamed_loses_and_doubles_nothing(void **state)
{
	(void)state;
	die_everywhere(rename_and_send);
}

static void replace_a_queued_one(int closed_fd)
{
	(void)closed_fd;
	assert_int_equal(fake_write("m", first), 0);
	assert_int_equal(fake_write(".m", second), 0);
	outbox_rename(fake.outbox, fake_id(OUTBOX_QUEUE, ".m"), OUTBOX_QUEUE, "m", true);
}

/* Either the old one goes out and the new one is scratch, or the new one alone. */
static void a_crash_while_one_is_replaced_sends_one_of_them(void **state)
{
	char closed[16];
	bool is_dead = true;

	(void)state;
	for (int n = 0; is_dead; n++) {
		void *directory = NULL;
		int sent;

		assert_int_equal(fake_setup(&directory), 0);
		is_dead = run_and_die(replace_a_queued_one, n, closed);
		settle();
		sent = times_accepted("<first@example.com>") + times_accepted("<second@example.com>");
		if (sent > 1)
			fail_msg("died at \"%s\": both were sent", died_at);
		if (!is_dead)
			assert_int_equal(times_accepted("<second@example.com>"), 1);
		close(fake.accepted_log);
		assert_int_equal(fake_teardown(&directory), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crash_while_writing_and_sending_loses_and_doubles_nothing),
		cmocka_unit_test(a_crash_between_attempts_loses_and_doubles_nothing),
		cmocka_unit_test(a_crash_while_a_scratch_file_is_renamed_loses_and_doubles_nothing),
		cmocka_unit_test(a_crash_while_one_is_replaced_sends_one_of_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

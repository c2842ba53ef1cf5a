/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process dies at each named point of the durable steps, one after the other; a new start goes on. No message is lost, none is sent twice.
 *
 * A child does the work and ends by _exit() at its N-th point, as under kill -9; the parent starts anew on the same directory. What the server accepted
 * is counted in a file, across both.
 */
#include "outbox_fixture.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "outbox/entry.h"
#include "outbox/sender.h"
#include "scratch.h"
#include "store/durable.h"

enum { DIED = 42, FINISHED = 43 };

static int points_left;
static const char *last_point; /* of the queue's own: where it was when it died within a step of store/durable */
static char died_at[256];
static int report_fd;

static void report_and_die(const char *name)
{
	if (dprintf(report_fd, "%s%s%s", last_point, *last_point && *name ? ", " : "", name) < 0)
		_exit(1);
	_exit(DIED);
}

static void die_at_the_last(const char *name)
{
	bool is_within_a_step = !strncmp(name, "durable: ", 9);

	if (!is_within_a_step)
		last_point = name;
	if (points_left-- == 0)
		report_and_die(is_within_a_step ? name : "");
}

static void set_hooks(bool is_armed)
{
	last_point = "";
	fault_hook = is_armed ? die_at_the_last : NULL;
}

/* How many lines of a log begin with this Message-ID. */
static int times_in(const char *log_name, const char *message_id)
{
	char path[512], line[256];
	int n = 0;
	FILE *log;

	snprintf(path, sizeof path, "%s/%s", fake.directory, log_name);
	log = fopen(path, "r");
	while (log && fgets(line, sizeof line, log))
		n += !strncmp(line, message_id, strlen(message_id));
	if (log)
		fclose(log);
	return n;
}

/* How often the server took the message with this Message-ID. */
static int times_accepted(const char *message_id)
{
	return times_in("accepted", message_id);
}

static int open_log(const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%s/%s", fake.directory, name);
	fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void open_logs(void)
{
	fake.accepted_log = open_log("accepted");
	fake.copies_log = open_log("copies");
}

static void close_logs(void)
{
	close(fake.accepted_log);
	close(fake.copies_log);
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
		open_logs();
		report_fd = report[1];
		points_left = n;
		fake_open();
		set_hooks(true);
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
	open_logs();
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

/* The verdict may have been under way, and nobody can know: the mark is there, or soon is, and the record has not replaced the old one. */
static bool may_be_uncertain(void)
{
	if (!strncmp(died_at, "send: ", 6))
		return true;
	return !strncmp(died_at, "verdict: before", 15) && !strstr(died_at, "durable: renamed") &&
	       !strstr(died_at, "durable: on disk");
}

/* What has been accepted, and is known to have been, has one copy; nothing has two. */
static void check_copy(const char *message_id, bool is_certain)
{
	int n = times_in("copies", message_id);

	if (n > 1 || n < is_certain || n > times_accepted(message_id))
		fail_msg("died at \"%s\": %s accepted %d times, %d copies", died_at, message_id, times_accepted(message_id), n);
}

/*
 * After everything that is due was done: a message whose close returned 0 was accepted once, or is uncertain (then it was accepted at most once) and
 * listed. One that was not closed may also be there as scratch, queued for nobody. In no case was one accepted twice.
 */
static void check_message(const char *message_id, bool was_closed)
{
	int n = times_accepted(message_id);
	const char *left = state_of_message(message_id);
	bool is_uncertain = !strcmp(left, "uncertain");

	if (n > 1 || (n == 0 && was_closed && !is_uncertain))
		fail_msg("died at \"%s\": %s accepted %d times, now \"%s\"", died_at, message_id, n, left);
	if (n == 1 && *left && !is_uncertain)
		fail_msg("died at \"%s\": %s was accepted and is still \"%s\"", died_at, message_id, left);
	if (is_uncertain && !may_be_uncertain())
		fail_msg("died at \"%s\": %s is uncertain outside the unavoidable window", died_at, message_id);
	check_copy(message_id, n == 1 && !is_uncertain);
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

static void check_no_litter(void)
{
	char pattern[512];
	glob_t found;

	snprintf(pattern, sizeof pattern, "%s/outbox/.mailfs-*.tmp", fake.directory);
	if (glob(pattern, 0, NULL, &found) == 0)
		fail_msg("died at \"%s\": %s stays for ever", died_at, found.gl_pathv[0]);
}

/* What must hold once everything that is due was done. `closed`: the marks of note_closed(). `is_dead`: false in the last run, which came to its end. */
typedef void (*verdict_on)(const char *closed, bool is_dead);

static void check_both(const char *closed, bool is_dead)
{
	(void)is_dead;
	check_message("<first@example.com>", strchr(closed, '1') != NULL);
	check_message("<second@example.com>", strchr(closed, '2') != NULL);
}

static void die_everywhere(scenario work, verdict_on check)
{
	char closed[16];
	bool is_dead = true;
	int n;

	for (n = 0; is_dead; n++) {
		void *directory = NULL;

		assert_int_equal(fake_setup(&directory), 0);
		is_dead = run_and_die(work, n, closed);
		settle();
		check(closed, is_dead);
		check_no_litter();
		/* Once more: what was settled stays so. */
		fake_restart();
		settle();
		check(closed, is_dead);
		check_guard("<first@example.com>", first);
		check_guard("<second@example.com>", second);
		close_logs();
		assert_int_equal(fake_teardown(&directory), 0);
	}
	assert_true(n > 20);
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
	die_everywhere(write_and_send, check_both);
}

static void a_crash_between_attempts_loses_and_doubles_nothing(void **state)
{
	(void)state;
	die_everywhere(write_and_be_put_off, check_both);
}

static void a_crash_while_a_scratch_file_is_renamed_loses_and_doubles_nothing(void **state)
{
	(void)state;
	die_everywhere(rename_and_send, check_both);
}

static void replace_a_queued_one(int closed_fd)
{
	(void)closed_fd;
	assert_int_equal(fake_write("m", first), 0);
	assert_int_equal(fake_write(".m", second), 0);
	outbox_rename(fake.outbox, fake_id(OUTBOX_QUEUE, ".m"), OUTBOX_QUEUE, "m", true);
}

/* Either the old one goes out and the new one is scratch, or the new one alone. */
static void check_one_of_both(const char *closed, bool is_dead)
{
	(void)closed;
	if (times_accepted("<first@example.com>") + times_accepted("<second@example.com>") > 1)
		fail_msg("died at \"%s\": both were sent", died_at);
	if (!is_dead)
		assert_int_equal(times_accepted("<second@example.com>"), 1);
}

static void a_crash_while_one_is_replaced_sends_one_of_them(void **state)
{
	(void)state;
	die_everywhere(replace_a_queued_one, check_one_of_both);
}

static void write_and_cancel(int closed_fd)
{
	assert_int_equal(fake_write("first", first), 0);
	note_closed(closed_fd, 'r', outbox_unlink(fake.outbox, fake_id(OUTBOX_QUEUE, "first")));
	sender_run_due(fake.outbox);
}

/* Once rm has returned it is not sent; as long as it has not, the message is there whole, or gone. */
static void check_cancelled(const char *closed, bool is_dead)
{
	int n = times_accepted("<first@example.com>");

	if (n > 1 || (n && strchr(closed, 'r')) || *state_of_message("<first@example.com>") == 'q')
		fail_msg("died at \"%s\": cancelled, and accepted %d times", died_at, n);
	assert_true(is_dead || n == 0);
}

static void a_crash_while_one_is_cancelled_never_sends_it_after_rm_returned(void **state)
{
	(void)state;
	die_everywhere(write_and_cancel, check_cancelled);
}

static void be_refused_and_try_again(int closed_fd)
{
	fake_script({ .outcome = SMTP_REFUSED, .code = 554 }, { .outcome = SMTP_ACCEPTED, .code = 250 });
	note_closed(closed_fd, '1', fake_write("first", first));
	sender_run_due(fake.outbox);
	note_closed(closed_fd, 'm', outbox_rename(fake.outbox, fake_id(OUTBOX_FAILED, "first"), OUTBOX_QUEUE, "first", false));
	sender_run_due(fake.outbox);
}

/* It was accepted once, or its owner knows: it is in failed/, unless mv has returned. */
static void check_refused(const char *closed, bool is_dead)
{
	const char *left = state_of_message("<first@example.com>");
	int n = times_accepted("<first@example.com>");
	bool is_uncertain = !strcmp(left, "uncertain"), is_failed = !strcmp(left, "failed") && !strchr(closed, 'm');

	if (n > 1 || (n == 0 && strchr(closed, '1') && !is_uncertain && !is_failed))
		fail_msg("died at \"%s\": accepted %d times, now \"%s\"", died_at, n, left);
	if (is_uncertain && !may_be_uncertain())
		fail_msg("died at \"%s\": uncertain outside the unavoidable window", died_at);
	check_copy("<first@example.com>", n == 1 && !is_uncertain);
	assert_true(is_dead || n == 1);
}

static void a_crash_while_a_refused_one_is_tried_again_loses_and_doubles_nothing(void **state)
{
	(void)state;
	die_everywhere(be_refused_and_try_again, check_refused);
}

static void be_refused_by_one(int closed_fd)
{
	fake_script({ .outcome = SMTP_ACCEPTED, .code = 250, .recipient_codes = { 550, 250 } });
	note_closed(closed_fd, '2', fake_write("second", second));
	sender_run_due(fake.outbox);
}

/* One recipient has it and the other is in failed/; or the server, asked anew by who came after the crash, gave it to both. */
static void check_partly(const char *closed, bool is_dead)
{
	const char *left = state_of_message("<second@example.com>");
	int n = times_accepted("<second@example.com>");
	bool is_uncertain = !strcmp(left, "uncertain");

	if (n > 1 || (n == 0 && strchr(closed, '2') && !is_uncertain))
		fail_msg("died at \"%s\": accepted %d times, now \"%s\"", died_at, n, left);
	if (n == 1 && *left && !is_uncertain && strcmp(left, "failed"))
		fail_msg("died at \"%s\": accepted by some and \"%s\"", died_at, left);
	check_copy("<second@example.com>", n == 1 && !is_uncertain);
	assert_true(is_dead || !strcmp(left, "failed"));
	if (!strcmp(left, "failed"))
		assert_string_equal(fake_attribute(OUTBOX_FAILED, "second", "rcpt"), "bob@example.com");
}

static void a_crash_after_some_took_it_keeps_who_did_not(void **state)
{
	(void)state;
	die_everywhere(be_refused_by_one, check_partly);
}

/* What a crash in the middle of the final dot leaves, found by a start that is itself interrupted; beside one that was being written. */
static void find_what_a_crash_left(int closed_fd)
{
	int64_t id;
	int fd;

	set_hooks(false);
	note_closed(closed_fd, '1', fake_write("first", first));
	assert_int_equal(entry_mark_dot(fake.outbox->dirfd, fake_id(OUTBOX_QUEUE, "first"), 1), 0);
	assert_int_equal(outbox_create(fake.outbox, OUTBOX_QUEUE, "second", 0600, &id, &fd), 0);
	assert_int_equal(write(fd, second, strlen(second)), strlen(second));
	close(fd);
	set_hooks(true);
	fake_restart();
	sender_run_due(fake.outbox);
	note_closed(closed_fd, '2',
		    outbox_rename(fake.outbox, fake_id(OUTBOX_QUEUE, "second.partial"), OUTBOX_QUEUE, "second", false));
	sender_run_due(fake.outbox);
}

static void check_found(const char *closed, bool is_dead)
{
	(void)is_dead;
	assert_string_equal(state_of_message("<first@example.com>"), "uncertain");
	assert_int_equal(times_accepted("<first@example.com>"), 0);
	check_message("<second@example.com>", strchr(closed, '2') != NULL);
	if (!strchr(closed, '2') && !times_accepted("<second@example.com>") &&
	    strcmp(state_of_message("<second@example.com>"), "uncertain"))
		assert_string_equal(state_of_message("<second@example.com>"), "scratch");
}

static void a_crash_of_the_start_after_a_crash_finds_the_same(void **state)
{
	(void)state;
	die_everywhere(find_what_a_crash_left, check_found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crash_while_writing_and_sending_loses_and_doubles_nothing),
		cmocka_unit_test(a_crash_between_attempts_loses_and_doubles_nothing),
		cmocka_unit_test(a_crash_while_a_scratch_file_is_renamed_loses_and_doubles_nothing),
		cmocka_unit_test(a_crash_while_one_is_replaced_sends_one_of_them),
		cmocka_unit_test(a_crash_while_one_is_cancelled_never_sends_it_after_rm_returned),
		cmocka_unit_test(a_crash_while_a_refused_one_is_tried_again_loses_and_doubles_nothing),
		cmocka_unit_test(a_crash_after_some_took_it_keeps_who_did_not),
		cmocka_unit_test(a_crash_of_the_start_after_a_crash_finds_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

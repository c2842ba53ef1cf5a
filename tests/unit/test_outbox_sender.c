/* SPDX-License-Identifier: BSD-2-Clause */
/* What each of the server's verdicts makes of a message. */
#include "outbox_fixture.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "outbox/sender.h"
#include "outbox/verdict.h"

static bool disk_fails;

/* Instead of the library's. */
int fsync(int fd)
{
	if (!disk_fails)
		return (int)syscall(SYS_fsync, fd);
	errno = EIO;
	return -1;
}

static const char letter[] =
	"From: alice@example.com\nTo: bob@example.com, carol@example.com\nMessage-ID: <1@example.com>\n\nhello\n";

static void several_messages_use_one_connection(void **state)
{
	(void)state;
	assert_int_equal(fake_write("a", "To: bob@example.com\n\n1\n"), 0);
	assert_int_equal(fake_write("b", "To: bob@example.com\n\n2\n"), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 2);
	assert_int_equal(fake.opened, 1);
	assert_int_equal(fake.closed, 0);
}

static void rate_limit_holds_in_any_minute(void **state)
{
	(void)state;
	fake.configuration.rate_limit = 2;
	fake_restart();
	assert_int_equal(fake_write("a", "To: bob@example.com\n\n1\n"), 0);
	sender_run_due(fake.outbox);
	fake.now_s += 50;
	assert_int_equal(fake_write("b", "To: bob@example.com\n\n2\n"), 0);
	assert_int_equal(fake_write("c", "To: bob@example.com\n\n3\n"), 0);
	assert_int_equal(fake_write("d", "To: bob@example.com\n\n4\n"), 0);
	assert_int_equal(sender_run_due(fake.outbox), 10);
	assert_int_equal(fake.sent, 2);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "c"), "queued");
	fake.now_s += 10;
	assert_int_equal(sender_run_due(fake.outbox), 50);
	assert_int_equal(fake.sent, 3);
	fake.now_s += 50;
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 4);
}

static void the_copy_has_the_bcc_that_was_not_sent(void **state)
{
	(void)state;
	assert_int_equal(fake_write("a", "To: bob@example.com\nBcc: carol@example.com\n\n1\n"), 0);
	sender_run_due(fake.outbox);
	assert_null(strstr(buf_str(&fake.message), "Bcc"));
	assert_non_null(strstr(buf_str(&fake.copy), "Bcc: carol@example.com"));
	assert_string_equal(buf_str(&fake.envelope), "alice@example.com>bob@example.com,carol@example.com");
}

static void a_5yz_goes_to_failed_with_the_servers_words(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_REFUSED, .code = 554, .text = "no spam here" });
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_string_equal(fake_state(OUTBOX_FAILED, "a"), "failed");
	assert_string_equal(fake_attribute(OUTBOX_FAILED, "a", "error"), "554 no spam here");
	assert_int_equal(fake.filed, 0);
	/* It does not count as sent. */
	assert_int_equal(fake_write("b", letter), 0);
}

static void a_4yz_is_tried_again_after_1_5_15_30_and_30_minutes_for_5_days(void **state)
{
	static const int64_t waits_s[] = { 60, 300, 900, 1800, 1800 };
	int64_t start_s = fake.now_s;

	(void)state;
	fake_script({ .outcome = SMTP_REFUSED, .code = 451, .text = "later" });
	assert_int_equal(fake_write("a", letter), 0);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(sender_run_due(fake.outbox), waits_s[i]);
		assert_string_equal(fake_state(OUTBOX_QUEUE, "a"), "retry");
		assert_int_equal(fake.sent, i + 1);
		fake.now_s += waits_s[i] - 1;
		assert_int_equal(sender_run_due(fake.outbox), 1);
		fake.now_s++;
	}
	fake_restart();
	while (*fake_state(OUTBOX_QUEUE, "a"))
		fake.now_s += sender_run_due(fake.outbox);
	assert_true(fake.now_s - start_s >= 5 * 86400 - 1 && fake.now_s - start_s < 5 * 86400 + 1800);
	assert_non_null(strstr(fake_attribute(OUTBOX_FAILED, "a", "error"), "given up after 5 days: 451 later"));
}

static void a_connection_lost_before_the_dot_is_tried_again(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_SESSION, .is_before_dot = true }, { .outcome = SMTP_ACCEPTED, .code = 250 });
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), 60);
	assert_string_equal(fake_attribute(OUTBOX_QUEUE, "a", "error"), "the connection was lost");
	assert_int_equal(fake.closed, 1);
	fake.now_s += 60;
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.filed, 1);
}

static void an_old_connection_that_is_lost_costs_the_next_message_nothing(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_ACCEPTED, .code = 250 }, { .outcome = SMTP_SESSION, .code = 421, .is_before_dot = true },
		    { .outcome = SMTP_ACCEPTED, .code = 250 });
	assert_int_equal(fake_write("a", "To: bob@example.com\n\n1\n"), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake_write("b", "To: bob@example.com\n\n2\n"), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.opened, 2);
	assert_int_equal(fake.filed, 2);
}

static void lost_after_the_dot_is_uncertain_and_never_sent_again_by_itself(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_UNCERTAIN });
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), 60);
	assert_string_equal(fake_state(OUTBOX_FAILED, "a"), "uncertain");
	fake_restart();
	for (int64_t wait_s; (wait_s = sender_run_due(fake.outbox)) >= 0;)
		fake.now_s += wait_s;
	assert_string_equal(fake_state(OUTBOX_FAILED, "a"), "uncertain");
	assert_int_equal(fake.sent, 1);
	/* It counts as sent; its owner may try again all the same. */
	assert_int_equal(fake_write("b", letter), -EEXIST);
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_FAILED, "a"), OUTBOX_QUEUE, "a", false), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 2);
}

static void a_copy_that_the_server_files_says_that_it_was_sent(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_UNCERTAIN });
	assert_int_equal(fake_write("a", letter), 0);
	fake.now_s += sender_run_due(fake.outbox);
	assert_int_equal(sender_run_due(fake.outbox), 300);
	fake.in_sent_folder = 1;
	fake.now_s += 300;
	buf_truncate(&fake.events, 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_string_equal(buf_str(&fake.events), "-failed/a ");
	assert_int_equal(fake_count(OUTBOX_FAILED), 0);
	assert_int_equal(fake.filed, 0);
	fake.in_sent_folder = 0;
	assert_int_equal(fake_write("b", letter), -EEXIST);
}

static void a_copy_of_an_earlier_sending_says_nothing(void **state)
{
	(void)state;
	assert_int_equal(fake_write("a", letter), 0);
	sender_run_due(fake.outbox);
	fake.in_sent_folder = 1;
	fake_script({ .outcome = SMTP_UNCERTAIN });
	fake.sent = 0;
	assert_int_equal(fake_write("b", letter), -EEXIST);
	assert_int_equal(outbox_set_attribute(fake.outbox, fake_id(OUTBOX_FAILED, "b"), "force", "1", 1), 0);
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_FAILED, "b"), OUTBOX_QUEUE, "b", false), 0);
	fake_restart();
	for (int64_t wait_s; (wait_s = sender_run_due(fake.outbox)) >= 0;)
		fake.now_s += wait_s;
	assert_int_equal(fake.sent, 1);
	assert_string_equal(fake_state(OUTBOX_FAILED, "b"), "uncertain");
}

/* Bob takes it, Carol's is for later and then lost behind the dot, Dave is refused. */
static void uncertain_for_some_goes_again_to_them_alone(void **state)
{
	static const char three[] =
		"To: bob@example.com, carol@example.com, dave@example.com\nMessage-ID: <3@example.com>\n\nhello\n";

	(void)state;
	fake_script({ .outcome = SMTP_ACCEPTED, .code = 250, .recipient_codes = { 250, 450, 550 } }, { .outcome = SMTP_UNCERTAIN },
		    { .outcome = SMTP_ACCEPTED, .code = 250 });
	fake.file_error = -EHOSTUNREACH;
	assert_int_equal(fake_write("a", three), 0);
	fake.now_s += sender_run_due(fake.outbox);
	sender_run_due(fake.outbox);
	assert_string_equal(fake_state(OUTBOX_FAILED, "a"), "uncertain");
	assert_int_equal(fake.bounced, 1);
	assert_non_null(strstr(buf_str(&fake.bounce), "Final-Recipient: rfc822; dave@example.com"));
	assert_null(strstr(buf_str(&fake.bounce), "Final-Recipient: rfc822; bob@example.com"));
	fake_restart();
	fake.file_error = 0;
	fake.now_s += 3600;
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.filed, 1);
	assert_string_equal(fake_attribute(OUTBOX_FAILED, "a", "rcpt"), "carol@example.com");
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_FAILED, "a"), OUTBOX_QUEUE, "a", false), 0);
	sender_run_due(fake.outbox);
	assert_string_equal(buf_str(&fake.envelope), "alice@example.com>carol@example.com");
	assert_int_equal(fake_write("b", three), -EEXIST);
}

static void rm_of_an_uncertain_one_keeps_the_copy_for_those_who_took_it(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_ACCEPTED, .code = 250, .recipient_codes = { 250, 450 } }, { .outcome = SMTP_UNCERTAIN });
	fake.file_error = -EHOSTUNREACH;
	assert_int_equal(fake_write("a", letter), 0);
	fake.now_s += sender_run_due(fake.outbox);
	sender_run_due(fake.outbox);
	assert_int_equal(outbox_unlink(fake.outbox, fake_id(OUTBOX_FAILED, "a")), 0);
	assert_int_equal(fake_count(OUTBOX_FAILED), 0);
	fake.file_error = 0;
	fake.now_s += 3600;
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.filed, 1);
	assert_int_equal(fake_write("b", letter), -EEXIST);
}

static void a_server_that_takes_some_at_a_time_gets_the_next_ones_soon(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_REFUSED, .code = 451, .text = "later" },
		    { .outcome = SMTP_REFUSED, .code = 451, .text = "later" },
		    { .outcome = SMTP_ACCEPTED, .code = 250, .recipient_codes = { 250, 452 } });
	assert_int_equal(fake_write("a", letter), 0);
	fake.now_s += sender_run_due(fake.outbox);
	fake.now_s += sender_run_due(fake.outbox);
	assert_int_equal(sender_run_due(fake.outbox), 60);
}

static void a_clock_that_was_ahead_strands_nothing(void **state)
{
	(void)state;
	fake.now_s += 86400 * 365;
	fake_script({ .outcome = SMTP_REFUSED, .code = 451, .text = "later" }, { .outcome = SMTP_ACCEPTED, .code = 250 });
	assert_int_equal(fake_write("a", letter), 0);
	sender_run_due(fake.outbox);
	fake_restart();
	fake.now_s -= 86400 * 365;
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 2);
}

static void fail_the_mark(const char *point)
{
	disk_fails = !strcmp(point, "send: mark made");
}

static void a_mark_that_is_not_on_disk_keeps_the_dot_back_and_is_gone(void **state)
{
	(void)state;
	assert_int_equal(fake_write("a", letter), 0);
	fault_hook = fail_the_mark;
	assert_int_equal(sender_run_due(fake.outbox), 60);
	fault_hook = NULL;
	assert_string_equal(fake_state(OUTBOX_QUEUE, "a"), "retry");
	assert_string_equal(fake_attribute(OUTBOX_QUEUE, "a", "error"), "this machine: Input/output error");
	/* A crash now: nobody has it, and nothing says that somebody may. */
	fake_restart();
	assert_string_equal(fake_state(OUTBOX_QUEUE, "a"), "queued");
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.filed, 1);
}

static void a_recipient_refused_for_good_is_kept_in_failed_alone(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_ACCEPTED, .code = 250, .recipient_codes = { 550, 250 } },
		    { .outcome = SMTP_ACCEPTED, .code = 250 });
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.filed, 1);
	assert_string_equal(fake_state(OUTBOX_FAILED, "a"), "failed");
	assert_string_equal(fake_attribute(OUTBOX_FAILED, "a", "rcpt"), "bob@example.com");
	assert_string_equal(fake_attribute(OUTBOX_FAILED, "a", "error"), "550 rcpt refused");
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_FAILED, "a"), OUTBOX_QUEUE, "a", false), 0);
	sender_run_due(fake.outbox);
	assert_string_equal(buf_str(&fake.envelope), "alice@example.com>bob@example.com");
}

static void a_recipient_refused_for_now_is_tried_again_alone_and_one_copy_filed(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_ACCEPTED, .code = 250, .recipient_codes = { 250, 450 } },
		    { .outcome = SMTP_ACCEPTED, .code = 250 });
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), 60);
	fake_restart();
	fake.now_s += 60;
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_string_equal(buf_str(&fake.envelope), "alice@example.com>carol@example.com");
	assert_int_equal(fake.filed, 1);
	assert_int_equal(fake_write("b", letter), -EEXIST);
}

static void removing_what_waits_for_some_keeps_the_copy_for_those_who_took_it(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_ACCEPTED, .code = 250, .recipient_codes = { 250, 450 } });
	assert_int_equal(fake_write("a", letter), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(outbox_unlink(fake.outbox, fake_id(OUTBOX_QUEUE, "a")), 0);
	assert_int_equal(fake_count(OUTBOX_QUEUE), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 1);
	assert_int_equal(fake.filed, 1);
	assert_int_equal(fake_write("b", letter), -EEXIST);
}

static void a_server_that_cannot_be_reached_fails_nobody_and_is_tried_once_for_all(void **state)
{
	(void)state;
	fake.open_error = -EHOSTUNREACH;
	assert_int_equal(fake_write("a", "To: bob@example.com\n\n1\n"), 0);
	assert_int_equal(fake_write("b", "To: bob@example.com\n\n2\n"), 0);
	assert_int_equal(sender_run_due(fake.outbox), 60);
	assert_int_equal(fake.opened, 1);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "a"), "retry");
	assert_string_equal(fake_state(OUTBOX_QUEUE, "b"), "retry");
	assert_string_equal(fake_attribute(OUTBOX_QUEUE, "b", "error"), "smtp.example.com: it does not answer");
	fake.now_s += 60;
	assert_int_equal(sender_run_due(fake.outbox), 300);
	fake.open_error = 0;
	outbox_wake(fake.outbox);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 2);
}

static void a_wrong_password_is_not_tried_for_each_new_message(void **state)
{
	(void)state;
	fake.open_error = -EACCES;
	assert_int_equal(fake_write("a", "To: bob@example.com\n\n1\n"), 0);
	sender_run_due(fake.outbox);
	fake.now_s += 60;
	sender_run_due(fake.outbox);
	assert_int_equal(fake.opened, 2);
	assert_int_equal(fake_write("b", "To: bob@example.com\n\n2\n"), 0);
	assert_int_equal(sender_run_due(fake.outbox), 300);
	assert_int_equal(fake.opened, 2);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "a"), "retry");
}

static void a_server_out_of_reach_for_5_days_gives_the_message_back(void **state)
{
	(void)state;
	fake.open_error = -EHOSTUNREACH;
	assert_int_equal(fake_write("a", letter), 0);
	sender_run_due(fake.outbox);
	fake.now_s += 5 * 86400;
	sender_run_due(fake.outbox);
	assert_non_null(strstr(fake_attribute(OUTBOX_FAILED, "a", "error"), "given up after 5 days"));
}

static void a_copy_that_cannot_be_filed_is_tried_again_and_nothing_sent_twice(void **state)
{
	(void)state;
	fake.file_error = -EHOSTUNREACH;
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), 60);
	assert_int_equal(fake_count(OUTBOX_QUEUE), 0);
	assert_int_equal(fake_write("b", letter), -EEXIST);
	fake_restart();
	fake.file_error = 0;
	fake.now_s += 60;
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 1);
	assert_int_equal(fake.filed, 1);
}

static void the_copy_is_told_when_the_message_was_accepted(void **state)
{
	int64_t accepted_s;

	(void)state;
	fake.configuration.outbox_hold_s = 300;
	assert_int_equal(fake_write("a", letter), 0);
	fake.now_s += 300;
	accepted_s = fake.now_s;
	fake.file_error = -EAGAIN;
	sender_run_due(fake.outbox);
	fake_restart();
	fake.file_error = 0;
	fake.now_s += 60;
	sender_run_due(fake.outbox);
	assert_int_equal(fake.filed, 1);
	assert_int_equal(fake.copy_accepted_s, accepted_s);
}

static void held_is_held_until_its_time_and_can_be_taken_back(void **state)
{
	(void)state;
	fake.configuration.outbox_hold_s = 30;
	assert_int_equal(fake_write("a", "To: bob@example.com\n\n1\n"), 0);
	assert_int_equal(fake_write("b", "To: bob@example.com\n\n2\n"), 0);
	assert_int_equal(sender_run_due(fake.outbox), 30);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "a"), "held");
	assert_int_equal(outbox_unlink(fake.outbox, fake_id(OUTBOX_QUEUE, "a")), 0);
	fake_restart();
	fake.now_s += 30;
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 1);
}

static void an_address_that_is_not_ascii_needs_smtputf8(void **state)
{
	static const char text[] = "To: j\xc3\xbcrgen@example.com\n\nhi\n";

	(void)state;
	assert_int_equal(fake_write("a", text), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 0);
	assert_non_null(strstr(fake_attribute(OUTBOX_FAILED, "a", "error"), "SMTPUTF8"));
	fake.capabilities.smtputf8 = true;
	assert_int_equal(fake_write("b", text), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 1);
}

static void so_does_one_that_stands_in_the_header_alone(void **state)
{
	(void)state;
	assert_int_equal(fake_write("a", "To: bob@example.com\nReply-To: j\xc3\xbcrgen@example.com\n\nhi\n"), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 0);
	assert_non_null(strstr(fake_attribute(OUTBOX_FAILED, "a", "error"), "SMTPUTF8"));
	fake.capabilities.smtputf8 = true;
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_FAILED, "a"), OUTBOX_QUEUE, "a", false), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 1);
	assert_true(fake.is_smtputf8);
	/* A name beside an address is encoded, and nothing is asked for it. */
	assert_int_equal(fake_write("b", "To: J\xc3\xbcrgen <bob@example.com>\nSubject: \xc3\xbc\n\n\xc3\xbc\n"), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 2);
	assert_false(fake.is_smtputf8);
}

static void what_happens_is_told(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_REFUSED, .code = 451 }, { .outcome = SMTP_ACCEPTED, .code = 250 });
	assert_int_equal(fake_write("a", letter), 0);
	sender_run_due(fake.outbox);
	fake.now_s += 60;
	sender_run_due(fake.outbox);
	assert_string_equal(buf_str(&fake.events), "+queue/a:queued +queue/a:sending +queue/a:retry +queue/a:sending -queue/a ");
}

static void the_status_lists_the_queue(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT;

	(void)state;
	assert_int_equal(fake_write("a", "To: bob@example.com\n\n1\n"), 0);
	assert_int_equal(fake_write("b", "nothing\n"), -EINVAL);
	assert_int_equal(outbox_describe(fake.outbox, &text), 0);
	assert_string_equal(buf_str(&text), "[{\"name\":\"a\",\"state\":\"queued\",\"size\":23},{\"name\":\"b\",\"state\":"
					    "\"failed\",\"size\":8,\"error\":\"not a "
					    "message: it does not begin with a header field such as To: or Subject:\"}]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		outbox_test(several_messages_use_one_connection),
		outbox_test(rate_limit_holds_in_any_minute),
		outbox_test(the_copy_has_the_bcc_that_was_not_sent),
		outbox_test(a_5yz_goes_to_failed_with_the_servers_words),
		outbox_test(a_4yz_is_tried_again_after_1_5_15_30_and_30_minutes_for_5_days),
		outbox_test(a_connection_lost_before_the_dot_is_tried_again),
		outbox_test(an_old_connection_that_is_lost_costs_the_next_message_nothing),
		outbox_test(lost_after_the_dot_is_uncertain_and_never_sent_again_by_itself),
		outbox_test(a_copy_that_the_server_files_says_that_it_was_sent),
		outbox_test(a_copy_of_an_earlier_sending_says_nothing),
		outbox_test(uncertain_for_some_goes_again_to_them_alone),
		outbox_test(rm_of_an_uncertain_one_keeps_the_copy_for_those_who_took_it),
		outbox_test(a_server_that_takes_some_at_a_time_gets_the_next_ones_soon),
		outbox_test(a_clock_that_was_ahead_strands_nothing),
		outbox_test(a_mark_that_is_not_on_disk_keeps_the_dot_back_and_is_gone),
		outbox_test(a_recipient_refused_for_good_is_kept_in_failed_alone),
		outbox_test(a_recipient_refused_for_now_is_tried_again_alone_and_one_copy_filed),
		outbox_test(removing_what_waits_for_some_keeps_the_copy_for_those_who_took_it),
		outbox_test(a_server_that_cannot_be_reached_fails_nobody_and_is_tried_once_for_all),
		outbox_test(a_wrong_password_is_not_tried_for_each_new_message),
		outbox_test(a_server_out_of_reach_for_5_days_gives_the_message_back),
		outbox_test(a_copy_that_cannot_be_filed_is_tried_again_and_nothing_sent_twice),
		outbox_test(the_copy_is_told_when_the_message_was_accepted),
		outbox_test(held_is_held_until_its_time_and_can_be_taken_back),
		outbox_test(an_address_that_is_not_ascii_needs_smtputf8),
		outbox_test(so_does_one_that_stands_in_the_header_alone),
		outbox_test(what_happens_is_told),
		outbox_test(the_status_lists_the_queue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

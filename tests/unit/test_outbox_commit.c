/* SPDX-License-Identifier: BSD-2-Clause */
/* What a last close accepts, refuses and leaves behind. */
#include "outbox_fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "outbox/commit.h"
#include "outbox/sender.h"

static const char letter[] = "From: alice@example.com\nTo: bob@example.com\nSubject: hi\n\nhello\n";

static void a_letter_is_queued_and_sent(void **state)
{
	(void)state;
	assert_int_equal(fake_write("letter.eml", letter), 0);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "letter.eml"), "queued");
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 1);
	assert_int_equal(fake.filed, 1);
	assert_string_equal(buf_str(&fake.envelope), "alice@example.com>bob@example.com");
	assert_int_equal(fake_count(OUTBOX_QUEUE) + fake_count(OUTBOX_FAILED), 0);
}

static int64_t mtime_ns(void)
{
	struct timespec t;

	outbox_mtime(fake.outbox, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void the_time_of_the_outbox_is_that_of_its_last_change(void **state)
{
	int64_t before = mtime_ns(), after;

	(void)state;
	usleep(20000); /* the kernel's clock for files has ticks */
	assert_int_equal(mtime_ns(), before);
	assert_int_equal(fake_write(".draft", letter), 0);
	after = mtime_ns();
	assert_true(after > before);
	usleep(20000);
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_QUEUE, ".draft"), OUTBOX_QUEUE, ".other", false), 0);
	assert_true(mtime_ns() > after);
	after = mtime_ns();
	usleep(20000);
	assert_int_equal(outbox_unlink(fake.outbox, fake_id(OUTBOX_QUEUE, ".other")), 0);
	assert_true(mtime_ns() > after);
}

static void refused(const char *text, int error, const char *reason)
{
	int sent;

	assert_int_equal(fake_write("m.eml", text), error);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "m.eml"), "");
	assert_string_equal(fake_state(OUTBOX_FAILED, "m.eml"), "failed");
	assert_non_null(strstr(fake_attribute(OUTBOX_FAILED, "m.eml", "error"), reason));
	sent = fake.sent;
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, sent);
	assert_int_equal(outbox_unlink(fake.outbox, fake_id(OUTBOX_FAILED, "m.eml")), 0);
}

static void write_forced(const char *name, const char *text)
{
	int64_t id;
	int fd;

	assert_int_equal(outbox_create(fake.outbox, OUTBOX_QUEUE, name, 0600, &id, &fd), 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(outbox_set_attribute(fake.outbox, id, "force", "1", 1), 0);
	assert_int_equal(fake_commit(id), 0);
}

static void what_is_no_message_is_refused_with_its_reason(void **state)
{
	(void)state;
	refused("just some text\nand more\n", -EINVAL, "not a message");
	refused("From bob Mon Jan 1 00:00:00 2024\nTo: bob@example.com\n\nhi\n", -EINVAL, "not a message");
	refused("To: bob@example.com\nhello there\n", -EINVAL, "line 2 is neither");
	refused("Subject: nobody\n\nhi\n", -EINVAL, "no recipient");
	refused("To: undisclosed-recipients:;\n\nhi\n", -EINVAL, "no recipient");
	refused("To: Miller, Bob <bob@example.com>\n\nhi\n", -EINVAL, "without a domain: Miller");
	refused("To: bob@example.com\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhi\n", -EINVAL, "cut off");
	refused("To: bob@example.com\n\nbare\rreturn\n", -EINVAL, "line 3 holds a carriage return");
}

static void a_nul_byte_is_refused(void **state)
{
	static const char text[] = "To: bob@example.com\n\nnul\0byte\n";

	(void)state;
	assert_int_equal(fake_write_bytes("m.eml", text, sizeof text - 1), -EINVAL);
	assert_non_null(strstr(fake_attribute(OUTBOX_FAILED, "m.eml", "error"), "NUL"));
}

static void a_finished_multipart_is_queued(void **state)
{
	(void)state;
	assert_int_equal(
		fake_write("m.eml",
			   "To: bob@example.com\nContent-Type: multipart/mixed; boundary=\"b c\"\n\n--b c\n\nhi\n--b c-- \n"),
		0);
}

static void a_from_that_is_not_ones_own_is_eperm(void **state)
{
	(void)state;
	refused("From: eve@example.org\nTo: bob@example.com\n\nhi\n", -EPERM, "eve@example.org");
	refused("From: alice@example.com\nTo: me@example.com\nResent-From: eve@example.org\nResent-To: bob@example.com\n\nhi\n",
		-EPERM, "eve@example.org");
}

static void resending_without_a_resent_from_is_judged_by_the_from(void **state)
{
	(void)state;
	refused("From: eve@example.org\nTo: alice@example.com\nResent-To: bob@example.com\n\nhi\n", -EPERM, "eve@example.org");
	assert_int_equal(fake_write("m.eml", "Received: from x\nFrom: alice@example.com\nTo: bob@example.com\nResent-To: "
					     "carol@example.com\n\nhi\n"),
			 0);
	sender_run_due(fake.outbox);
	assert_string_equal(buf_str(&fake.envelope), "alice@example.com>carol@example.com");
}

static void what_was_delivered_without_a_from_is_eperm(void **state)
{
	(void)state;
	refused("Received: from x\nTo: bob@example.com\n\nhi\n", -EPERM, "delivered before");
	refused("Return-Path: <>\nTo: bob@example.com\n\nhi\n", -EPERM, "delivered before");
	refused("Received: from x\nResent-To: bob@example.com\nTo: alice@example.com\n\nhi\n", -EPERM, "delivered before");
	/* A note that was only just written is the account's own. */
	assert_int_equal(fake_write("m.eml", "To: bob@example.com\n\nhi\n"), 0);
	write_forced("n.eml", "Received: from x\nTo: carol@example.com\n\nhi\n");
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 2);
}

static void a_resent_from_counts_and_not_the_from(void **state)
{
	(void)state;
	assert_int_equal(fake_write("m.eml", "Resent-From: alice@example.com\nResent-To: carol@example.com\nFrom: "
					     "eve@example.org\nTo: alice@example.com\n\nhi\n"),
			 0);
	sender_run_due(fake.outbox);
	assert_string_equal(buf_str(&fake.envelope), "alice@example.com>carol@example.com");
}

static void a_pattern_of_from_lets_any_of_its_addresses_pass(void **state)
{
	(void)state;
	assert_int_equal(fake_write("m.eml", "From: shop@alice.example\nTo: bob@example.com\n\nhi\n"), 0);
	sender_run_due(fake.outbox);
	assert_string_equal(buf_str(&fake.envelope), "alice@example.com>bob@example.com");
}

static void without_any_own_address_nothing_is_sent_by_accident(void **state)
{
	(void)state;
	fake.configuration.from = NULL;
	fake.configuration.imap.user = (char *)"alice";
	fake_restart();
	refused(letter, -EPERM, "set `from`");
	fake.configuration.imap.user = (char *)"alice@example.com";
	fake_restart();
	assert_int_equal(fake_write("m.eml", letter), 0);
}

static const char with_id[] = "From: alice@example.com\nTo: Bob@example.com\nMessage-ID: <1@example.com>\n\nhi\n";

static void the_same_message_is_eexist_while_queued_and_for_30_days_after(void **state)
{
	(void)state;
	assert_int_equal(fake_write("a.eml", with_id), 0);
	assert_int_equal(fake_write("b.eml", with_id), -EEXIST);
	sender_run_due(fake.outbox);
	assert_int_equal(fake_write("c.eml", with_id), -EEXIST);
	fake_restart();
	fake.now_s += 29 * 86400;
	assert_int_equal(fake_write("d.eml", with_id), -EEXIST);
	fake.now_s += 2 * 86400;
	assert_int_equal(fake_write("e.eml", with_id), 0);
}

static void the_message_goes_out_under_the_id_that_it_is_known_by(void **state)
{
	char id[128];

	(void)state;
	assert_int_equal(fake_write("a.eml", "Message-ID: \nFrom: alice@example.com\nTo: bob@example.com\n\nhi\n"), 0);
	snprintf(id, sizeof id, "\r\nMessage-ID: %s\r\n", fake_attribute(OUTBOX_QUEUE, "a.eml", "message-id"));
	sender_run_due(fake.outbox);
	assert_non_null(strstr(buf_str(&fake.message), id));
	refused("Message-ID: <\xc3\xbc@example.com>\nTo: bob@example.com\n\nhi\n", -EINVAL, "a Message-ID with 8-bit");
}

static void the_same_message_to_somebody_else_is_sent(void **state)
{
	(void)state;
	assert_int_equal(fake_write("a.eml", with_id), 0);
	assert_int_equal(fake_write("b.eml", "From: alice@example.com\nTo: carol@example.com\nMessage-ID: <1@example.com>\n\nhi\n"),
			 0);
}

static void what_is_in_the_sent_folder_is_eexist(void **state)
{
	(void)state;
	fake.in_sent_folder = 1;
	assert_int_equal(fake_write("a.eml", with_id), -EEXIST);
	/* A message without one is given a new one: nothing to look for. */
	assert_int_equal(fake_write("b.eml", letter), 0);
}

static void what_is_resent_is_looked_for_and_filed_by_its_resent_message_id(void **state)
{
	static const char text[] = "Resent-From: alice@example.com\nResent-To: carol@example.com\nResent-Message-ID: "
				   "<2@example.com>\nFrom: eve@example.org\nMessage-ID: <1@example.org>\n\nhi\n";

	(void)state;
	fake.in_sent_folder = -EHOSTUNREACH;
	assert_int_equal(fake_write("a.eml", text), 0);
	assert_string_equal(fake.asked_field, "Resent-Message-ID");
	fake_restart();
	fake.in_sent_folder = 0;
	fake.asked_field = "";
	sender_run_due(fake.outbox);
	assert_string_equal(fake.asked_field, "Resent-Message-ID");
	assert_string_equal(fake.copy_field, "Resent-Message-ID");
	assert_int_equal(fake_write("b.eml", with_id), 0);
	sender_run_due(fake.outbox);
	assert_string_equal(fake.asked_field, "Message-ID");
	assert_string_equal(fake.copy_field, "Message-ID");
}

static void a_sent_folder_out_of_reach_is_asked_again_before_sending(void **state)
{
	(void)state;
	fake.in_sent_folder = -EHOSTUNREACH;
	assert_int_equal(fake_write("a.eml", with_id), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 0);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "a.eml"), "retry");
	fake.in_sent_folder = 1;
	fake.now_s += 60;
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 0);
	assert_string_equal(fake_state(OUTBOX_FAILED, "a.eml"), "failed");
}

static void moving_it_back_from_failed_sends_it_again(void **state)
{
	(void)state;
	assert_int_equal(fake_write("a.eml", with_id), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake_write("b.eml", with_id), -EEXIST);
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_FAILED, "b.eml"), OUTBOX_QUEUE, "b.eml", false), 0);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "b.eml"), "queued");
	assert_string_equal(fake_attribute(OUTBOX_QUEUE, "b.eml", "error"), "");
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 2);
}

static void force_overrides_both_guards(void **state)
{
	(void)state;
	fake.in_sent_folder = 1;
	write_forced("m", "From: eve@example.org\nTo: bob@example.com\nMessage-ID: <1@x>\n\nhi\n");
	sender_run_due(fake.outbox);
	assert_string_equal(buf_str(&fake.envelope), "alice@example.com>bob@example.com");
}

static void user_mail_rcpt_replaces_the_headers_recipients(void **state)
{
	int64_t id;
	int fd;

	(void)state;
	assert_int_equal(outbox_create(fake.outbox, OUTBOX_QUEUE, "m", 0600, &id, &fd), 0);
	assert_true(write(fd, letter, sizeof letter - 1) > 0);
	close(fd);
	assert_int_equal(outbox_set_attribute(fake.outbox, id, "rcpt", "Dan <dan@example.net>, erin@example.net", 39), 0);
	assert_int_equal(fake_commit(id), 0);
	assert_int_equal(outbox_set_attribute(fake.outbox, id, "rcpt", "x@example.net", 13), -EBUSY);
	sender_run_due(fake.outbox);
	assert_string_equal(buf_str(&fake.envelope), "alice@example.com>dan@example.net,erin@example.net");
}

static void a_message_over_the_servers_size_is_efbig_once_that_is_known(void **state)
{
	char big[4096] = "To: bob@example.com\n\n";

	(void)state;
	memset(big + strlen(big), 'x', 900);
	fake.capabilities.size_max = 500;
	assert_int_equal(fake_write("a.eml", big), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 0);
	assert_non_null(strstr(fake_attribute(OUTBOX_FAILED, "a.eml", "error"), "500 at most"));
	assert_int_equal(fake_write("b.eml", big), -EFBIG);
	assert_string_equal(fake_state(OUTBOX_FAILED, "b.eml"), "failed");
}

static void a_refused_name_that_is_taken_in_failed_gets_a_number(void **state)
{
	(void)state;
	assert_int_equal(fake_write("m.eml", "no\n"), -EINVAL);
	assert_int_equal(fake_write("m.eml", "no\n"), -EINVAL);
	assert_string_equal(fake_state(OUTBOX_FAILED, "m-2.eml"), "failed");
}

static void what_happens_to_a_refused_file_is_told(void **state)
{
	(void)state;
	assert_int_equal(fake_write("m.eml", "no\n"), -EINVAL);
	assert_string_equal(buf_str(&fake.events), "-queue/m.eml +failed/m.eml:failed ");
}

static void outbox_wait_answers_with_the_verdict_or_when_the_time_is_over(void **state)
{
	struct waiter_sync w;
	int64_t id;
	int fd;

	(void)state;
	fake.configuration.outbox_wait_s = 10;
	fake_script({ .outcome = SMTP_REFUSED, .code = 550, .text = "no" });
	assert_int_equal(outbox_create(fake.outbox, OUTBOX_QUEUE, "m", 0600, &id, &fd), 0);
	assert_true(write(fd, letter, sizeof letter - 1) > 0);
	close(fd);
	waiter_sync_init(&w);
	assert_int_equal(outbox_commit(fake.outbox, id, &w.waiter), -EINPROGRESS);
	assert_int_equal(outbox_commit(fake.outbox, id, NULL), 0);
	assert_true(commit_run_one(fake.outbox));
	assert_false(w.is_answered);
	sender_run_due(fake.outbox);
	assert_int_equal(waiter_sync_wait(&w), -EREMOTEIO);
	waiter_sync_release(&w);
}

static void the_threads_do_all_of_it(void **state)
{
	struct waiter_sync w;
	int64_t id;
	int fd;

	(void)state;
	fake.configuration.outbox_wait_s = 1000;
	waiter_sync_init(&w);
	assert_int_equal(outbox_start(fake.outbox), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(outbox_create(fake.outbox, OUTBOX_QUEUE, "m", 0600, &id, &fd), 0);
		assert_true(write(fd, letter, sizeof letter - 1) > 0);
		close(fd);
		assert_int_equal(outbox_commit(fake.outbox, id, &w.waiter), -EINPROGRESS);
		assert_int_equal(waiter_sync_wait(&w), 0);
	}
	waiter_sync_release(&w);
	fake_close();
	assert_int_equal(fake.sent, 5);
	fake_open();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		outbox_test(a_letter_is_queued_and_sent),
		outbox_test(the_time_of_the_outbox_is_that_of_its_last_change),
		outbox_test(what_is_no_message_is_refused_with_its_reason),
		outbox_test(a_nul_byte_is_refused),
		outbox_test(a_finished_multipart_is_queued),
		outbox_test(a_from_that_is_not_ones_own_is_eperm),
		outbox_test(resending_without_a_resent_from_is_judged_by_the_from),
		outbox_test(what_was_delivered_without_a_from_is_eperm),
		outbox_test(a_resent_from_counts_and_not_the_from),
		outbox_test(a_pattern_of_from_lets_any_of_its_addresses_pass),
		outbox_test(without_any_own_address_nothing_is_sent_by_accident),
		outbox_test(the_same_message_is_eexist_while_queued_and_for_30_days_after),
		outbox_test(the_message_goes_out_under_the_id_that_it_is_known_by),
		outbox_test(the_same_message_to_somebody_else_is_sent),
		outbox_test(what_is_in_the_sent_folder_is_eexist),
		outbox_test(what_is_resent_is_looked_for_and_filed_by_its_resent_message_id),
		outbox_test(a_sent_folder_out_of_reach_is_asked_again_before_sending),
		outbox_test(moving_it_back_from_failed_sends_it_again),
		outbox_test(force_overrides_both_guards),
		outbox_test(user_mail_rcpt_replaces_the_headers_recipients),
		outbox_test(a_message_over_the_servers_size_is_efbig_once_that_is_known),
		outbox_test(a_refused_name_that_is_taken_in_failed_gets_a_number),
		outbox_test(what_happens_to_a_refused_file_is_told),
		outbox_test(outbox_wait_answers_with_the_verdict_or_when_the_time_is_over),
		outbox_test(the_threads_do_all_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

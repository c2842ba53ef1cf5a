/* SPDX-License-Identifier: BSD-2-Clause */
/* What the sender is told, in the inbox, of recipients that will not get a message. */
#include "outbox_fixture.h"

#include "outbox/sender.h"

static const char letter[] = "From: alice@example.com\nTo: bob@example.com, carol@example.com\nBcc: dave@example.com\nSubject: "
			     "lunch\nMessage-ID: <1@example.com>\n\nhello\n";

static void assert_told(const char *text)
{
	if (!strstr(buf_str(&fake.bounce), text))
		fail_msg("no \"%s\" in:\n%s", text, buf_str(&fake.bounce));
}

static int times_told(const char *text)
{
	int n = 0;

	for (const char *at = buf_str(&fake.bounce); (at = strstr(at, text)); at++)
		n++;
	return n;
}

static void refused_by(const char *text)
{
	static struct fake_step step;

	step = (struct fake_step){ .outcome = SMTP_REFUSED, .code = 554, .text = text };
	fake.steps = &step;
	fake.n_steps = 1;
}

static void a_5yz_is_told_with_the_servers_words(void **state)
{
	(void)state;
	fake.configuration.smtp.host = (char *)"smtp.example.com";
	refused_by("5.7.1 no spam here");
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.bounced, 1);
	assert_int_equal(times_told("Action: failed\r\nStatus: 5.7.1\r\n"), 3);
	assert_told("Return-Path: <>\r\n");
	assert_told("\r\nTo: <alice@example.com>\r\n");
	assert_told("\r\nAuto-Submitted: auto-replied\r\n");
	assert_told("\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n");
	assert_told("\r\nIn-Reply-To: <1@example.com>\r\n");
	assert_told("\r\nFinal-Recipient: rfc822; carol@example.com\r\n");
	assert_told("\r\nRemote-MTA: dns; smtp.example.com\r\nDiagnostic-Code: smtp; 554 5.7.1 no spam here\r\n");
	assert_told("\r\n  <bob@example.com>\r\n    554 5.7.1 no spam here\r\n");
	assert_told("\r\nIt is kept as outbox/failed/a.\r\n");
	assert_told("\r\nSubject: lunch\r\n");
	assert_int_equal(times_told("hello"), 0);
	assert_int_equal(times_told("Bcc"), 0);
}

static void each_recipient_has_words_of_its_own(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_REFUSED, .code = 451, .text = "later", .recipient_codes = { 550, 450, 450 } },
		    { .outcome = SMTP_REFUSED, .code = 554, .text = "now no", .recipient_codes = { 250, 250 } });
	assert_int_equal(fake_write("a", letter), 0);
	fake.now_s += sender_run_due(fake.outbox);
	assert_int_equal(fake.bounced, 0);
	fake_restart();
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.bounced, 1);
	assert_told("<bob@example.com>\r\n    550 rcpt refused\r\n");
	assert_told("<carol@example.com>\r\n    554 now no\r\n");
	assert_int_equal(times_told("Final-Recipient:"), 3);
}

static void where_others_took_it_the_notice_is_of_the_rest(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_ACCEPTED, .code = 250, .recipient_codes = { 550, 250, 250 } });
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.filed, 1);
	assert_int_equal(fake.bounced, 1);
	assert_int_equal(times_told("Final-Recipient:"), 1);
	assert_told("Final-Recipient: rfc822; bob@example.com\r\n");
}

static void the_end_of_five_days_is_told(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_REFUSED, .code = 451, .text = "later" });
	assert_int_equal(fake_write("a", letter), 0);
	while (*fake_state(OUTBOX_QUEUE, "a")) {
		assert_int_equal(fake.bounced, 0);
		fake.now_s += sender_run_due(fake.outbox);
	}
	sender_run_due(fake.outbox);
	assert_int_equal(fake.bounced, 1);
	assert_told("Status: 4.4.7\r\nDiagnostic-Code: x-mailfs; given up after 5 days: 451 later\r\n");
}

static void what_the_sender_knows_already_is_not_told(void **state)
{
	(void)state;
	assert_int_equal(fake_write("a", "From: mallory@example.com\nTo: bob@example.com\n\n1\n"), -EPERM);
	fake_script({ .outcome = SMTP_UNCERTAIN });
	assert_int_equal(fake_write("b", letter), 0);
	sender_run_due(fake.outbox);
	assert_string_equal(fake_state(OUTBOX_FAILED, "b"), "uncertain");
	assert_int_equal(fake.bounced, 0);
}

static void an_inbox_out_of_reach_gets_it_later_and_once(void **state)
{
	(void)state;
	refused_by("no");
	fake.bounce_error = -EHOSTUNREACH;
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), 60);
	fake_restart();
	fake.now_s += 60;
	assert_int_equal(sender_run_due(fake.outbox), 60);
	fake.bounce_error = 0;
	fake.now_s += 60;
	assert_int_equal(sender_run_due(fake.outbox), -1);
	fake_restart();
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.bounced, 1);
	assert_int_equal(fake.sent, 1);
}

static void an_account_that_files_nothing_is_not_asked_again(void **state)
{
	(void)state;
	refused_by("no");
	fake.bounce_error = -EOPNOTSUPP;
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
}

static void what_is_tried_again_or_removed_first_is_not_told_of(void **state)
{
	(void)state;
	refused_by("no");
	fake.bounce_error = -EHOSTUNREACH;
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(fake_write("b", "To: bob@example.com\n\n2\n"), 0);
	sender_run_due(fake.outbox);
	fake.bounce_error = 0;
	fake.n_steps = 0;
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_FAILED, "a"), OUTBOX_QUEUE, "a", false), 0);
	assert_int_equal(outbox_unlink(fake.outbox, fake_id(OUTBOX_FAILED, "b")), 0);
	fake.now_s += 60;
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.bounced, 0);
	assert_int_equal(fake.filed, 1);
}

static void refused_twice_is_told_twice(void **state)
{
	(void)state;
	refused_by("no");
	assert_int_equal(fake_write("a", letter), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_FAILED, "a"), OUTBOX_QUEUE, "a", false), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.bounced, 2);
	assert_int_equal(times_told("Final-Recipient:"), 3);
}

static void long_and_odd_words_make_no_line_too_long(void **state)
{
	char words[2000];

	(void)state;
	memset(words, 'x', sizeof words);
	memcpy(words, "a\r\nb\xff ", 6);
	words[sizeof words - 1] = '\0';
	refused_by(words);
	assert_int_equal(fake_write("a", letter), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.bounced, 1);
	for (const char *line = buf_str(&fake.bounce), *end; (end = strstr(line, "\r\n")); line = end + 2) {
		assert_true(end - line <= 998);
		for (; line < end; line++)
			assert_true(*line != '\r' && *line != '\n' && (unsigned char)*line < 0x80);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		outbox_test(a_5yz_is_told_with_the_servers_words),
		outbox_test(each_recipient_has_words_of_its_own),
		outbox_test(where_others_took_it_the_notice_is_of_the_rest),
		outbox_test(the_end_of_five_days_is_told),
		outbox_test(what_the_sender_knows_already_is_not_told),
		outbox_test(an_inbox_out_of_reach_gets_it_later_and_once),
		outbox_test(an_account_that_files_nothing_is_not_asked_again),
		outbox_test(what_is_tried_again_or_removed_first_is_not_told_of),
		outbox_test(refused_twice_is_told_twice),
		outbox_test(long_and_odd_words_make_no_line_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The outbox as a directory: scratch names, renames, removal, what a new start finds. */
#include "outbox_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fault.h"
#include "outbox/commit.h"
#include "outbox/name.h"
#include "outbox/sender.h"

static const char letter[] = "To: bob@example.com\n\nhello\n";

static int create(enum outbox_place place, const char *name, const char *text, int64_t *ret_id)
{
	int fd, r = outbox_create(fake.outbox, place, name, 0640, ret_id, &fd);

	if (r < 0)
		return r;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return 0;
}

static void made_names_fit(void **state)
{
	char name[NAME_MAX + 1], out[NAME_MAX + 1];

	(void)state;
	name_alternative("a.eml", 2, out);
	assert_string_equal(out, "a-2.eml");
	memset(name, 'x', NAME_MAX);
	memcpy(name + NAME_MAX - 9, "\xc3\xbc", 2);
	name[NAME_MAX] = '\0';
	name_partial(name, out);
	assert_int_equal(strlen(out), NAME_MAX - 1);
	assert_string_equal(out + NAME_MAX - 9, ".partial");
}

static void scratch_is_kept_and_never_sent(void **state)
{
	(void)state;
	assert_int_equal(fake_write(".letter.tmp", letter), 0);
	assert_int_equal(fake_write("empty", ""), 0);
	fake_restart();
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 0);
	assert_string_equal(fake_state(OUTBOX_QUEUE, ".letter.tmp"), "scratch");
	assert_string_equal(fake_state(OUTBOX_QUEUE, "empty"), "scratch");
}

static void a_rename_from_scratch_to_an_ordinary_name_commits(void **state)
{
	(void)state;
	assert_int_equal(fake_write(".letter.eml.AbCdEf", letter), 0);
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_QUEUE, ".letter.eml.AbCdEf"), OUTBOX_QUEUE, "letter.eml", true),
			 0);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "letter.eml"), "queued");
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 1);
}

static void such_a_rename_of_no_message_is_refused_and_kept_in_failed(void **state)
{
	(void)state;
	assert_int_equal(fake_write(".x", "nothing\n"), 0);
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_QUEUE, ".x"), OUTBOX_QUEUE, "x", true), -EINVAL);
	assert_string_equal(fake_state(OUTBOX_FAILED, "x"), "failed");
	assert_int_equal(fake_count(OUTBOX_QUEUE), 0);
	assert_string_equal(buf_str(&fake.events), "-queue/.x +failed/x:failed ");
}

static void a_rename_over_a_queued_message_sends_the_new_one_alone(void **state)
{
	(void)state;
	assert_int_equal(fake_write("m", "To: bob@example.com\n\nold\n"), 0);
	assert_int_equal(fake_write(".m", "To: bob@example.com\n\nnew\n"), 0);
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_QUEUE, ".m"), OUTBOX_QUEUE, "m", false), -EEXIST);
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_QUEUE, ".m"), OUTBOX_QUEUE, "m", true), 0);
	assert_int_equal(fake_count(OUTBOX_QUEUE), 1);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 1);
	assert_non_null(strstr(buf_str(&fake.message), "new"));
}

/* As a submitter that takes it at once. */
static void send_at_once(const char *point)
{
	if (!strcmp(point, "rename: queued beside what it replaces"))
		sender_run_due(fake.outbox);
}

static void the_new_one_is_not_sent_before_the_old_one_is_gone(void **state)
{
	(void)state;
	assert_int_equal(fake_write("m", "To: bob@example.com\n\nold\n"), 0);
	assert_int_equal(fake_write(".m", "To: bob@example.com\n\nnew\n"), 0);
	fault_hook = send_at_once;
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_QUEUE, ".m"), OUTBOX_QUEUE, "m", true), 0);
	fault_hook = NULL;
	assert_int_equal(fake.sent, 0);
	fake_restart();
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 1);
	assert_non_null(strstr(buf_str(&fake.message), "new"));
}

static void a_refused_rename_leaves_what_it_was_to_replace(void **state)
{
	(void)state;
	assert_int_equal(fake_write("m", letter), 0);
	assert_int_equal(fake_write(".m", "nothing\n"), 0);
	assert_int_equal(outbox_rename(fake.outbox, fake_id(OUTBOX_QUEUE, ".m"), OUTBOX_QUEUE, "m", true), -EINVAL);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "m"), "queued");
	fake_restart();
	assert_string_equal(fake_state(OUTBOX_QUEUE, "m"), "queued");
	assert_string_equal(fake_state(OUTBOX_FAILED, "m"), "failed");
}

static void a_queued_message_can_be_renamed_taken_back_and_set_aside(void **state)
{
	int64_t id;

	(void)state;
	assert_int_equal(fake_write("a", letter), 0);
	id = fake_id(OUTBOX_QUEUE, "a");
	assert_int_equal(outbox_rename(fake.outbox, id, OUTBOX_QUEUE, "b", false), 0);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "b"), "queued");
	assert_int_equal(outbox_rename(fake.outbox, id, OUTBOX_QUEUE, ".b", false), 0);
	assert_string_equal(fake_state(OUTBOX_QUEUE, ".b"), "scratch");
	assert_int_equal(outbox_rename(fake.outbox, id, OUTBOX_FAILED, "b", false), 0);
	assert_string_equal(fake_state(OUTBOX_FAILED, "b"), "failed");
	fake_restart();
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 0);
	assert_string_equal(fake_state(OUTBOX_FAILED, "b"), "failed");
	assert_int_equal(outbox_rename(fake.outbox, id, OUTBOX_QUEUE, "b", false), 0);
	sender_run_due(fake.outbox);
	assert_int_equal(fake.sent, 1);
}

static void a_queued_message_cannot_be_written(void **state)
{
	int64_t id;
	int fd;

	(void)state;
	assert_int_equal(fake_write("a", letter), 0);
	id = fake_id(OUTBOX_QUEUE, "a");
	assert_int_equal(outbox_open(fake.outbox, id, true, &fd), -EACCES);
	assert_int_equal(outbox_open(fake.outbox, id, false, &fd), 0);
	close(fd);
	assert_int_equal(outbox_open(fake.outbox, 12345, false, &fd), -ENOENT);
}

static void a_failed_one_is_corrected_in_place_and_moved_back(void **state)
{
	int64_t id;
	int fd;

	(void)state;
	assert_int_equal(fake_write("a", "To: \n\nhello\n"), -EINVAL);
	id = fake_id(OUTBOX_FAILED, "a");
	assert_int_equal(outbox_open(fake.outbox, id, true, &fd), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, letter, strlen(letter), 0), strlen(letter));
	close(fd);
	assert_int_equal(fake_commit(id), 0);
	assert_string_equal(fake_state(OUTBOX_FAILED, "a"), "failed");
	assert_int_equal(outbox_rename(fake.outbox, id, OUTBOX_QUEUE, "a", false), 0);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "a"), "queued");
}

static void a_killed_writers_bytes_are_scratch_under_partial(void **state)
{
	int64_t id;

	(void)state;
	assert_int_equal(create(OUTBOX_QUEUE, "a.eml", letter, &id), 0);
	assert_int_equal(outbox_abandon(fake.outbox, id), 0);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "a.eml.partial"), "scratch");
	assert_string_equal(buf_str(&fake.events), "-queue/a.eml +queue/a.eml.partial:scratch ");
	assert_int_equal(fake_commit(id), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
}

static void what_was_being_written_at_a_crash_is_scratch_under_partial(void **state)
{
	int64_t id;

	(void)state;
	assert_int_equal(create(OUTBOX_QUEUE, "a.eml", letter, &id), 0);
	assert_int_equal(create(OUTBOX_QUEUE, "b.eml", "", &id), 0);
	fake_restart();
	assert_string_equal(fake_state(OUTBOX_QUEUE, "a.eml.partial"), "scratch");
	assert_string_equal(fake_state(OUTBOX_QUEUE, "b.eml"), "scratch");
	assert_int_equal(sender_run_due(fake.outbox), -1);
}

static void removal_cancels_and_ids_are_not_used_twice(void **state)
{
	int64_t id, next;

	(void)state;
	assert_int_equal(fake_write("a", letter), 0);
	id = fake_id(OUTBOX_QUEUE, "a");
	assert_int_equal(outbox_unlink(fake.outbox, id), 0);
	assert_int_equal(outbox_unlink(fake.outbox, id), -ENOENT);
	fake_restart();
	assert_int_equal(fake_count(OUTBOX_QUEUE), 0);
	assert_int_equal(create(OUTBOX_QUEUE, "a", letter, &next), 0);
	assert_true(next > id);
}

static void an_open_file_can_be_removed_and_its_close_is_quiet(void **state)
{
	int64_t id;
	int fd;

	(void)state;
	assert_int_equal(outbox_create(fake.outbox, OUTBOX_QUEUE, "a", 0600, &id, &fd), 0);
	assert_int_equal(outbox_unlink(fake.outbox, id), 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_int_equal(fake_commit(id), 0);
}

static void times_mode_and_attributes_are_kept(void **state)
{
	const struct timespec mtime = { .tv_sec = 1234567890 };
	struct outbox_entry e;
	int64_t id;

	(void)state;
	assert_int_equal(create(OUTBOX_QUEUE, ".a", letter, &id), 0);
	assert_int_equal(outbox_set_times(fake.outbox, id, &mtime), 0);
	assert_int_equal(outbox_set_mode(fake.outbox, id, 0400), 0);
	assert_int_equal(outbox_set_attribute(fake.outbox, id, "rcpt", "x%y\n@example.com", 16), 0);
	assert_int_equal(outbox_set_attribute(fake.outbox, id, "flags", "\\Seen", 5), 0);
	assert_int_equal(outbox_set_attribute(fake.outbox, id, "state", "sent", 4), -EPERM);
	fake_restart();
	assert_int_equal(outbox_get(fake.outbox, id, &e), 0);
	assert_int_equal(e.mode, 0400);
	assert_int_equal(e.mtime.tv_sec, 1234567890);
	assert_int_equal(e.size_bytes, strlen(letter));
	assert_string_equal(fake_attribute(OUTBOX_QUEUE, ".a", "rcpt"), "x%y\n@example.com");
	assert_string_equal(fake_attribute(OUTBOX_QUEUE, ".a", "flags"), "");
}

static int set_dsn(int64_t id, const char *value)
{
	return outbox_set_attribute(fake.outbox, id, "dsn", value, strlen(value));
}

static void notices_are_asked_for_in_words_and_no_others(void **state)
{
	static const char *const good[] = { "never",	"success",	  "FAILURE,Delay", "success, failure ,delay,RET=hdrs",
					    "ret=full", "success,success" };
	static const char *const bad[] = {
		"always",	 "success failure", "success,", ",", " ", "never,success", "ret=header", "ret=full,ret=hdrs",
		"success;delay", "success\r\nRSET"
	};
	int64_t id;

	(void)state;
	assert_int_equal(create(OUTBOX_QUEUE, ".a", letter, &id), 0);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(set_dsn(id, good[i]), 0);
		assert_string_equal(fake_attribute(OUTBOX_QUEUE, ".a", "dsn"), good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(set_dsn(id, bad[i]), -EINVAL);
	assert_int_equal(outbox_set_attribute(fake.outbox, id, "dsn", "never\0", 6), -EINVAL);
	assert_string_equal(fake_attribute(OUTBOX_QUEUE, ".a", "dsn"), good[5]);
	assert_int_equal(set_dsn(id, ""), 0);
	assert_string_equal(fake_attribute(OUTBOX_QUEUE, ".a", "dsn"), "");
}

static void send_as(const char *dsn, const char *text, const char *expected)
{
	int64_t id;

	assert_int_equal(create(OUTBOX_QUEUE, "m", text, &id), 0);
	assert_int_equal(set_dsn(id, dsn), 0);
	assert_int_equal(fake_commit(id), 0);
	assert_int_equal(set_dsn(id, "never"), -EBUSY);
	fake_restart();
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_string_equal(buf_str(&fake.notices), expected);
}

static void what_was_asked_for_reaches_the_server_over_a_restart(void **state)
{
	char text[256], long_id[101];

	(void)state;
	send_as("delay, success,ret=hdrs", "To: bob@example.com\nMessage-ID: <1@example.com>\n\nhello\n",
		"SUCCESS,DELAY HDRS 1@example.com");
	send_as("ret=full", "To: bob@example.com\nMessage-ID: <2@example.com>\n\nhello\n", "- FULL 2@example.com");
	send_as("", "To: bob@example.com\nMessage-ID: <3@example.com>\n\nhello\n", "- - -");
	memset(long_id, 'x', 100);
	long_id[100] = '\0';
	snprintf(text, sizeof text, "To: bob@example.com\nMessage-ID: <%s@example.com>\n\nhello\n", long_id);
	send_as("Never", text, "NEVER - -");
}

static void a_failed_one_keeps_what_it_asked_for(void **state)
{
	int64_t id;

	(void)state;
	fake_script({ .outcome = SMTP_REFUSED, .code = 550, .text = "no" }, { .outcome = SMTP_ACCEPTED, .code = 250 });
	send_as("never", "To: bob@example.com\nMessage-ID: <1@example.com>\n\nhello\n", "NEVER - 1@example.com");
	buf_truncate(&fake.notices, 0);
	fake_restart();
	id = fake_id(OUTBOX_FAILED, "m");
	assert_string_equal(fake_attribute(OUTBOX_FAILED, "m", "dsn"), "never");
	assert_int_equal(outbox_rename(fake.outbox, id, OUTBOX_QUEUE, "m", false), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_string_equal(buf_str(&fake.notices), "NEVER - 1@example.com");
}

static int hurry(enum outbox_place place, const char *name)
{
	return outbox_set_attribute(fake.outbox, fake_id(place, name), "retry", "1", 1);
}

static void what_waits_tells_when_it_is_tried_and_can_be_hurried(void **state)
{
	(void)state;
	fake_script({ .outcome = SMTP_REFUSED, .code = 451, .text = "later" }, { .outcome = SMTP_REFUSED, .code = 451 },
		    { .outcome = SMTP_ACCEPTED, .code = 250 });
	assert_int_equal(fake_write("a", letter), 0);
	assert_string_equal(fake_attribute(OUTBOX_QUEUE, "a", "next"), "1000000000");
	assert_int_equal(sender_run_due(fake.outbox), 60);
	assert_string_equal(fake_attribute(OUTBOX_QUEUE, "a", "next"), "1000000060");
	assert_int_equal(hurry(OUTBOX_QUEUE, "a"), 0);
	/* It has failed twice now, and waits as long as that says. */
	assert_int_equal(sender_run_due(fake.outbox), 300);
	assert_int_equal(fake.sent, 2);
	assert_int_equal(hurry(OUTBOX_QUEUE, "a"), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 3);
}

static void hurrying_one_tries_a_server_that_was_out_of_reach(void **state)
{
	(void)state;
	fake.open_error = -ECONNREFUSED;
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), 60);
	assert_string_equal(fake_attribute(OUTBOX_QUEUE, "a", "next"), "1000000060");
	assert_int_equal(hurry(OUTBOX_QUEUE, "a"), 0);
	assert_int_equal(sender_run_due(fake.outbox), 300);
	assert_int_equal(fake.opened, 2);
	fake.open_error = 0;
	assert_int_equal(hurry(OUTBOX_QUEUE, "a"), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 1);
}

static void hurrying_ends_a_hold_and_nothing_that_does_not_wait(void **state)
{
	struct entry *claimed;
	int r;

	(void)state;
	fake.configuration.outbox_hold_s = 100;
	assert_int_equal(fake_write("a", letter), 0);
	assert_int_equal(fake_write("bad", "To: \n\nhello\n"), -EINVAL);
	assert_int_equal(fake_write(".scratch", letter), 0);
	assert_int_equal(sender_run_due(fake.outbox), 100);
	assert_int_equal(hurry(OUTBOX_FAILED, "bad"), -EINVAL);
	assert_int_equal(hurry(OUTBOX_QUEUE, ".scratch"), -EINVAL);
	assert_string_equal(fake_attribute(OUTBOX_FAILED, "bad", "next"), "");
	claimed = queue_claim(fake.outbox, fake_id(OUTBOX_QUEUE, "a"), CLAIM_SEND, &r);
	assert_int_equal(hurry(OUTBOX_QUEUE, "a"), -EBUSY);
	queue_release(fake.outbox, claimed);
	assert_int_equal(hurry(OUTBOX_QUEUE, "a"), 0);
	assert_int_equal(sender_run_due(fake.outbox), -1);
	assert_int_equal(fake.sent, 1);
}

static void two_files_of_one_name_cannot_be(void **state)
{
	int64_t id;

	(void)state;
	assert_int_equal(create(OUTBOX_QUEUE, "a", letter, &id), 0);
	assert_int_equal(create(OUTBOX_QUEUE, "a", letter, &id), -EEXIST);
	assert_int_equal(create(OUTBOX_FAILED, "a", letter, &id), 0);
}

static void a_record_that_cannot_be_read_costs_the_name_and_not_the_bytes(void **state)
{
	char path[512];
	int64_t id;
	int fd;

	(void)state;
	assert_int_equal(fake_write("a", letter), 0);
	id = fake_id(OUTBOX_QUEUE, "a");
	snprintf(path, sizeof path, "%s/outbox/%lld/entry", fake.directory, (long long)id);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	close(fd);
	fake_restart();
	snprintf(path, sizeof path, "recovered-%lld.partial", (long long)id);
	assert_string_equal(fake_state(OUTBOX_QUEUE, path), "scratch");
	assert_int_equal(sender_run_due(fake.outbox), -1);
}

/* No file may grow, so that the record cannot be written: as on a full disk, but for the errno. */
static void a_full_disk_at_close_queues_nothing_and_keeps_the_bytes(void **state)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	struct rlimit before;
	int64_t id;
	int r;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(create(OUTBOX_QUEUE, "a", letter, &id), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	r = fake_commit(id);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(r, -EFBIG);
	assert_string_equal(fake_state(OUTBOX_QUEUE, "a.partial"), "scratch");
	fake_restart();
	assert_string_equal(fake_state(OUTBOX_QUEUE, "a.partial"), "scratch");
	assert_int_equal(sender_run_due(fake.outbox), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		outbox_test(made_names_fit),
		outbox_test(scratch_is_kept_and_never_sent),
		outbox_test(a_rename_from_scratch_to_an_ordinary_name_commits),
		outbox_test(such_a_rename_of_no_message_is_refused_and_kept_in_failed),
		outbox_test(a_rename_over_a_queued_message_sends_the_new_one_alone),
		outbox_test(the_new_one_is_not_sent_before_the_old_one_is_gone),
		outbox_test(a_refused_rename_leaves_what_it_was_to_replace),
		outbox_test(a_queued_message_can_be_renamed_taken_back_and_set_aside),
		outbox_test(a_queued_message_cannot_be_written),
		outbox_test(a_failed_one_is_corrected_in_place_and_moved_back),
		outbox_test(a_killed_writers_bytes_are_scratch_under_partial),
		outbox_test(what_was_being_written_at_a_crash_is_scratch_under_partial),
		outbox_test(removal_cancels_and_ids_are_not_used_twice),
		outbox_test(an_open_file_can_be_removed_and_its_close_is_quiet),
		outbox_test(times_mode_and_attributes_are_kept),
		outbox_test(notices_are_asked_for_in_words_and_no_others),
		outbox_test(what_was_asked_for_reaches_the_server_over_a_restart),
		outbox_test(a_failed_one_keeps_what_it_asked_for),
		outbox_test(what_waits_tells_when_it_is_tried_and_can_be_hurried),
		outbox_test(hurrying_one_tries_a_server_that_was_out_of_reach),
		outbox_test(hurrying_ends_a_hold_and_nothing_that_does_not_wait),
		outbox_test(two_files_of_one_name_cannot_be),
		outbox_test(a_record_that_cannot_be_read_costs_the_name_and_not_the_bytes),
		outbox_test(a_full_disk_at_close_queues_nothing_and_keeps_the_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

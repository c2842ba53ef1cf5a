/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes above a server in memory that takes its time, breaks off, refuses or is away: neither lost nor made twice.
 */
#include "changing_fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"

/* ------------------------------------------------------------ a server that takes its time, or breaks off */

/* Only its answer, and what it does, come later than anybody waits. */
static void an_append_that_was_not_answered_may_arrive_late(void **state)
{
	struct fixture *f = *state;

	mount_fixture(f);
	memory_faults.change_breaks = -ETIMEDOUT;
	assert_int_equal(commit(f, write_file(f, f->archive, "letter.eml", LETTER)), 0);
	memory_faults.change_breaks = 0;
	remount(f, false); /* as before an unmount, so behind it */
	usleep(2500 * 1000);
	assert_int_equal(memory_counts().appends, 1);
	memory_add_message("Archive", LETTER, strlen(LETTER), "", 1776159000);
	assert_int_equal(set_flags(f, row_of(f, f->archive, "letter.eml"), "+\\Flagged"), 0);
	WAIT_FOR(has_flags("Archive", 1, "\\Flagged")); /* which comes behind it */
	assert_int_equal(memory_count_messages("Archive"), 1);
	assert_int_equal(memory_counts().appends, 1);
	assert_int_equal(names(f, f->archive).n, 1);
	assert_int_not_equal(row_of(f, f->archive, "letter.eml"), 0);
}

static void a_move_that_was_not_answered_may_be_done_late(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	deliver("INBOX", "two");
	mount_fixture(f);
	n = names(f, f->inbox);
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "two.eml"), 0);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	n = names(f, f->inbox);
	memory_faults.change_breaks = -ETIMEDOUT;
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "one.eml"), 0);
	WAIT_FOR(memory_counts().moves == 2);
	memory_faults.change_breaks = 0;
	remount(f, true);
	usleep(2500 * 1000);
	assert_int_equal(memory_counts().moves, 2);
	memory_remove_message("INBOX", 1);
	deliver("Archive", "one");
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	WAIT_FOR(has_flags("Archive", 2, "\\Flagged"));
	assert_int_equal(memory_count_messages("Archive"), 2);
	assert_int_equal(names(f, f->archive).n, 2);
	assert_int_equal(row_of(f, f->archive, "one.eml"), n.row);
}

/* The server's word comes: nobody is told something else meanwhile. */
static void one_that_the_server_has_no_room_for_holds_up_nothing(void **state)
{
	struct fixture *f = *state;
	struct names n;

	for (int i = 0; i < 50; i++)
		deliver("INBOX", i == 20 ? "poison" : "other");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.poison = "poison";
	memory_faults.poison_error = -EAGAIN;
	for (int64_t row = n.row - 49; row <= n.row; row++)
		assert_int_equal(set_flags(f, row, "+\\Seen"), 0);
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "last.eml"), 0);
	WAIT_FOR(memory_count_messages("Archive") == 1);
	for (uint32_t uid = 1; uid < 50; uid++)
		assert_true(has_flags("INBOX", uid, uid == 21 ? "" : "\\Seen"));
	assert_true(memory_counts().stores < 60);
	memory_faults.poison = NULL;
	WAIT_FOR(has_flags("INBOX", 21, "\\Seen"));
}

static void one_at_which_the_server_breaks_off_holds_up_nothing_and_is_given_up(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.poison = "new text";
	memory_faults.poison_breaks = -ENOTCONN;
	assert_int_equal(commit(f, write_file(f, f->archive, "letter.eml", LETTER)), 0);
	assert_int_equal(commit(f, write_file(f, f->archive, "other.eml", "Subject: other\r\n\r\nother\r\n")), 0);
	WAIT_FOR(holding("Archive", "other") == 1);
	for (int i = 0; i < 100 && !row_of(f, f->archive, "letter.eml.partial"); i++) { /* each change has the others tried again */
		assert_int_equal(set_flags(f, n.row, i % 2 ? "" : "\\Seen"), 0);
		usleep(100 * 1000);
	}
	assert_int_not_equal(row_of(f, f->archive, "letter.eml.partial"), 0);
	assert_int_equal(memory_count_messages("Archive"), 1);
	assert_true(memory_counts().appends < 20);
}

static void a_given_name_stays(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	deliver("INBOX", "two");
	mount_fixture(f);
	n = names(f, f->inbox);
	assert_int_equal(rename_to(f, f->inbox, n.last, f->inbox, "my name.eml"), 0);
	assert_int_equal(row_of(f, f->inbox, "my name.eml"), n.row);
	assert_int_equal(row_of(f, f->inbox, n.last), 0);
	remount(f, true);
	assert_int_not_equal(row_of(f, f->inbox, "my name.eml"), 0);
	assert_int_equal(names(f, f->inbox).n, 2);
}

/* A reader of a message that is nowhere while its move is not answered. */
struct move_reader {
	struct waiter_sync sync;
	struct body *body;
	int result;
};

static void begin_reading(struct fixture *f, int64_t row, struct move_reader *r)
{
	waiter_sync_init(&r->sync);
	r->body = NULL;
	r->result = mailbox_open(f->mailbox, row, &r->sync.waiter, &r->body);
}

static int end_reading(struct fixture *f, struct move_reader *r)
{
	int result = wait_answer(r->result, &r->sync);

	ssize_t n;

	if (result == 0) {
		waiter_sync_init(&r->sync);
		n = body_read(f->mailbox, r->body, 0, (size_t)body_size(r->body), &r->sync.waiter);
		result = n < 0 ? wait_answer((int)n, &r->sync) : 0;
	}
	if (result == 0)
		assert_true(body_is_whole(f->mailbox, r->body));
	if (r->body)
		mailbox_close(f->mailbox, r->body);
	return result;
}

enum { MOVE_MS = 500, READERS = 30 };

static int64_t move_slowly(struct fixture *f)
{
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.change_answer_ms = MOVE_MS;
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, n.last), 0);
	WAIT_FOR(memory_count_messages("Archive") == 1);
	return n.row;
}

static void a_message_is_read_while_its_move_is_on_the_way(void **state)
{
	struct fixture *f = *state;
	struct move_reader readers[READERS];
	int64_t row = move_slowly(f);

	int before = memory_counts().fetches; /* to know the message again where no UID is told */

	for (int i = 0; i < READERS; i++) {
		begin_reading(f, row, &readers[i]);
		usleep(5000);
	}
	for (int i = 0; i < READERS; i++)
		assert_int_equal(end_reading(f, &readers[i]), 0);
	assert_true(memory_counts().fetches <= before + 2);
}

static void one_that_went_while_it_was_moved_is_told_to_its_readers(void **state)
{
	struct fixture *f = *state;
	struct move_reader readers[READERS], late;
	int64_t row = move_slowly(f), begun_ms;
	int before = memory_counts().fetches;

	for (int i = 0; i < READERS; i++)
		begin_reading(f, row, &readers[i]);
	memory_remove_message("Archive", 1);
	begun_ms = clock_monotonic_ms();
	for (int i = 0; i < READERS; i++)
		assert_int_equal(end_reading(f, &readers[i]), -ENOENT);
	assert_true(clock_monotonic_ms() - begun_ms < 2 * MOVE_MS);
	begin_reading(f, row, &late);
	assert_int_equal(end_reading(f, &late), -ENOENT);
	assert_true(memory_counts().fetches <= before + 3);
}

/* All of it. */
static void read_text(struct fixture *f, int64_t row, char text[512])
{
	struct move_reader reader;
	ssize_t n;

	begin_reading(f, row, &reader);
	assert_int_equal(wait_answer(reader.result, &reader.sync), 0);
	waiter_sync_init(&reader.sync);
	assert_true(wait_answer((int)body_read(f->mailbox, reader.body, 0, 512, &reader.sync.waiter), &reader.sync) >= 0);
	n = pread(body_fd(reader.body), text, 511, 0);
	assert_true(n > 0);
	text[n] = '\0';
	mailbox_close(f->mailbox, reader.body);
}

/* What is shown there already, and has the UID of another there where it still stands. */
static void nothing_is_read_ahead_that_stands_elsewhere(void **state)
{
	struct fixture *f = *state;
	char name[64], text[512];
	int64_t row, first;

	for (int i = 1; i <= 6; i++) {
		snprintf(name, sizeof name, "arc%d", i);
		if (i < 5)
			deliver("Archive", name);
		snprintf(name, sizeof name, "inb%d", i);
		deliver("INBOX", name);
	}
	start(f);
	f->archive = folder_row(f, MAILBOX_ROOT, "Archive");
	f->inbox = folder_row(f, MAILBOX_ROOT, "INBOX");
	assert_int_equal(names(f, f->archive).n, 4);
	assert_int_equal(names(f, f->inbox).n, 6);
	assert_int_equal(deliver("Archive", "arc5"), 5); /* nobody has looked since */
	first = row_of(f, f->archive, "2026-04-14_0930_Alice_arc1.1.eml");
	row = row_of(f, f->inbox, "2026-04-14_0930_Alice_inb5.5.eml");
	assert_true(row > first);
	memory_faults.change_error = -EAGAIN;
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_inb5.5.eml", f->archive, "moved.eml"), 0);
	for (int i = 0; i < 4; i++)
		read_text(f, first + i, text);
	usleep(200000);
	read_text(f, row, text);
	assert_non_null(strstr(text, "inb5"));
	memory_faults.change_error = 0;
	assert_int_equal(settle(f, f->archive), 0);
	read_text(f, row, text);
	assert_non_null(strstr(text, "inb5"));
}

/* Another client is quick: what stands there has the date and the size of what was moved, and is something else. */
static void of_what_is_looked_for_date_and_size_are_not_enough(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	deliver("INBOX", "one");
	deliver("INBOX", "before");
	mount_fixture(f);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_before.2.eml", f->archive, "before.eml"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	row = row_of(f, f->inbox, "2026-04-14_0930_Alice_one.1.eml");
	memory_faults.change_breaks = -ENOTCONN;
	memory_faults.change_was_done = true;
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_one.1.eml", f->archive, "first.eml"), 0);
	WAIT_FOR(memory_count_messages("Archive") == 2);
	memory_remove_message("Archive", 2);
	deliver("Archive", "two");
	assert_int_equal(set_flags(f, row, "+\\Flagged"), 0);
	memset(&memory_faults, 0, sizeof memory_faults);
	WAIT_FOR(!row_of(f, f->archive, "first.eml"));
	assert_true(has_flags("Archive", 3, ""));
	remount(f, false);
	assert_int_not_equal(row_of(f, f->archive, "2026-04-14_0930_Alice_two.3.eml"), 0);
}

/* By its bytes, where its name is the user's. */
static void of_one_that_a_user_named_the_bytes_are_looked_at(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount_fixture(f);
	row = write_file(f, f->inbox, "mine.eml", LETTER);
	assert_int_equal(commit(f, row), 0);
	memory_faults.change_breaks = -ENOTCONN;
	memory_faults.change_was_done = true;
	assert_int_equal(rename_to(f, f->inbox, "mine.eml", f->archive, "first.eml"), 0);
	WAIT_FOR(memory_count_messages("Archive") == 1);
	memset(&memory_faults, 0, sizeof memory_faults);
	assert_int_equal(set_flags(f, row, "+\\Flagged"), 0);
	WAIT_FOR(has_flags("Archive", 1, "\\Flagged"));
	assert_int_equal(row_of(f, f->archive, "first.eml"), row);
	remount(f, false);
	assert_int_equal(names(f, f->archive).n, 1);
	assert_int_not_equal(row_of(f, f->archive, "first.eml"), 0);
}

static void one_that_had_gone_takes_no_other_s_place(void **state)
{
	struct fixture *f = *state;

	deliver("INBOX", "one");
	deliver("INBOX", "before");
	mount_fixture(f);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_before.2.eml", f->archive, "before.eml"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	memory_remove_message("INBOX", 1);
	deliver("Archive", "two"); /* of the same date and size */
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_one.1.eml", f->archive, "first.eml"), 0);
	assert_int_equal(settle(f, f->archive), 0);
	remount(f, false);
	assert_int_equal(names(f, f->archive).n, 2);
	assert_int_equal(row_of(f, f->archive, "first.eml"), 0);
	assert_int_not_equal(row_of(f, f->archive, "2026-04-14_0930_Alice_two.2.eml"), 0);
}

/* From then on it is known that UIDs are told. */
static void move_one_before(struct fixture *f)
{
	struct names n;

	deliver("INBOX", "before");
	mount_fixture(f);
	n = names(f, f->inbox);
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, n.last), 0);
	assert_int_equal(settle(f, f->inbox), 0);
}

static void of_a_copy_in_pieces_what_was_done_is_not_done_again(void **state)
{
	struct fixture *f = *state;
	char name[64];
	int64_t from, to[3];

	memory_faults.tells_no_uids = true;
	deliver("INBOX", "aaa");
	deliver("INBOX", "bbb");
	deliver("INBOX", "ccc");
	mount_fixture(f);
	from = row_of(f, f->inbox, "2026-04-14_0930_Alice_aaa.1.eml");
	to[0] = write_file(f, f->archive, "before.eml", ""); /* from then on it is known that none are told */
	assert_int_equal(mailbox_copy(f->mailbox, from + 2, to[0]), 0);
	assert_int_equal(commit(f, to[0]), 0);
	memory_faults.copies_only = 2;
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "copy %d.eml", i);
		to[i] = write_file(f, f->archive, name, "");
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(mailbox_copy(f->mailbox, from + i, to[i]), 0);
	WAIT_FOR(!memory_faults.copies_only);
	usleep(200000);
	memory_faults.fetch_error = 0;
	WAIT_FOR(holding("Archive", "ccc") == 2);
	assert_int_equal(holding("Archive", "aaa"), 1);
	assert_int_equal(holding("Archive", "bbb"), 1);
}

static void a_move_of_what_another_client_took_is_told_to_have_come_to_nothing(void **state)
{
	struct fixture *f = *state;
	struct names n;

	for (int tells = 0; tells < 2; tells++) {
		deliver("INBOX", "one");
		move_one_before(f);
		n = names(f, f->inbox);
		memory_faults.tells_no_uids = !tells; /* of this folder: what has come there may be it */
		if (tells)
			memory_remove_message("INBOX", 1);
		assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "one.eml"), 0);
		assert_int_equal(settle(f, f->archive), tells ? -ENOENT : 0);
		assert_int_equal(memory_count_messages("Archive"), tells ? 1 : 2);
		teardown(state);
		setup(state);
		f = *state;
	}
	mount_fixture(f);
}

static void a_repeated_move_goes_when_the_server_has_time_again(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	move_one_before(f);
	n = names(f, f->inbox);
	go_offline();
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "one.eml"), 0);
	WAIT_FOR(memory_counts().moves == 2);
	memory_faults.poison = "one";
	memory_faults.poison_error = -EAGAIN;
	go_online();
	WAIT_FOR(memory_counts().moves > 2);
	memory_faults.poison = NULL;
	WAIT_FOR(memory_count_messages("Archive") == 2);
}

static void what_was_stored_and_refused_is_not_stored_again(void **state)
{
	struct fixture *f = *state;

	mount_fixture(f);
	memory_faults.done_error = -EAGAIN;
	assert_int_equal(commit(f, write_file(f, f->archive, ".scratch", LETTER)), 0);
	assert_int_equal(rename_to(f, f->archive, ".scratch", f->archive, "letter.eml"), 0);
	WAIT_FOR(memory_counts().appends);
	memory_faults.done_error = 0;
	WAIT_FOR(settle(f, f->archive) == 0 && names(f, f->archive).n == 1);
	assert_int_equal(memory_count_messages("Archive"), 1);
}

static void of_a_move_with_a_gap_what_was_told_is_confirmed(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	deliver("INBOX", "aaa");
	deliver("INBOX", "bbb");
	deliver("INBOX", "ccc");
	move_one_before(f);
	row = row_of(f, f->inbox, "2026-04-14_0930_Alice_bbb.2.eml");
	memory_remove_message("INBOX", 1);
	memory_faults.moves_only = 2;
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_aaa.1.eml", f->archive, "a.eml"), 0);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_bbb.2.eml", f->archive, "b.eml"), 0);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_ccc.3.eml", f->archive, "c.eml"), 0);
	settle(f, f->archive);
	assert_int_equal(row_of(f, f->archive, "b.eml"), row);
}

static void *let_go(void *poison)
{
	usleep(400000);
	*(const char **)poison = NULL;
	return NULL;
}

/* One may arrive for minutes; another waits for a server that is busy for a moment. */
static void unmounting_sends_what_can_be_sent(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	deliver("INBOX", "one");
	mount_fixture(f);
	memory_faults.change_breaks = -ETIMEDOUT;
	assert_int_equal(commit(f, write_file(f, f->archive, "letter.eml", LETTER)), 0);
	memory_faults.change_breaks = 0;
	memory_faults.poison = "one";
	memory_faults.poison_error = -EAGAIN;
	assert_int_equal(set_flags(f, names(f, f->inbox).row, "+\\Seen"), 0);
	WAIT_FOR(memory_counts().stores);
	assert_int_equal(pthread_create(&thread, NULL, let_go, &memory_faults.poison), 0);
	stop(f);
	pthread_join(thread, NULL);
	assert_true(has_flags("INBOX", 1, "\\Seen"));
	start(f);
}

static void a_move_leaves_its_place_for_no_copy_that_nobody_saw(void **state)
{
	struct fixture *f = *state;

	for (int tells = 0; tells < 2; tells++) {
		memory_faults.lacks = BACKEND_MOVE;
		deliver("INBOX", "one");
		move_one_before(f);
		memory_faults.copies_nothing = true;
		memory_faults.tells_no_uids = !tells;
		assert_int_equal(rename_to(f, f->inbox, names(f, f->inbox).last, f->archive, "one.eml"), 0);
		assert_int_equal(settle(f, f->archive), -EIO);
		assert_int_equal(holding("INBOX", "one"), 1);
		assert_int_equal(names(f, f->inbox).n, 1);
		assert_int_equal(row_of(f, f->archive, "one.eml"), 0);
		memory_faults.copies_nothing = false; /* but here one is made, which it is then found by */
		memory_faults.tells_no_uids = true;
		assert_int_equal(rename_to(f, f->inbox, names(f, f->inbox).last, f->archive, "one.eml"), 0);
		assert_int_equal(settle(f, MAILBOX_ROOT), 0);
		assert_int_equal(holding("INBOX", "one"), 0);
		assert_int_equal(holding("Archive", "one"), 1);
		assert_int_not_equal(row_of(f, f->archive, "one.eml"), 0);
		assert_int_equal(mailbox_unlink(f->mailbox, f->archive, "one.eml"), 0);
		stop(f);
		memset(&memory_faults, 0, sizeof memory_faults);
	}
	mount_fixture(f);
}

static void later_changes_of_what_is_known_by_no_uid_are_refused(void **state)
{
	struct fixture *f = *state;
	struct names n;
	struct waiter_sync w;
	int64_t row;

	f->configuration.delete_mode = DELETE_EXPUNGE;
	deliver("INBOX", "one");
	deliver("INBOX", "two");
	deliver("INBOX", "three");
	move_one_before(f);
	row = names(f, f->inbox).row;
	memory_faults.tells_no_uids = true;
	memory_faults.open_error = -ECONNREFUSED; /* so that one command carries both moves */
	memory_faults.change_breaks = -ENOTCONN;
	assert_int_equal(set_flags(f, row, "+\\Seen"), 0);
	usleep(100000);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_two.2.eml", f->archive, "two.eml"), 0);
	assert_int_equal(mailbox_unlink(f->mailbox, f->archive, "two.eml"), 0);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_three.3.eml", f->archive, "three.eml"), 0);
	assert_int_equal(set_flags(f, row, "+\\Flagged"), 0);
	assert_int_equal(rename_to(f, f->archive, "three.eml", f->inbox, "back.eml"), 0);
	memory_faults.open_error = memory_faults.change_breaks = 0;
	WAIT_FOR(holding("Archive", "three") == 1);
	WAIT_FOR(settle(f, MAILBOX_ROOT) == 0 && names(f, f->inbox).n == 1);
	assert_int_equal(holding("Archive", "two"), 1);
	waiter_sync_init(&w);
	assert_int_equal(wait_answer(mailbox_settle_message(f->mailbox, row, &w.waiter), &w), -ENOENT);
	n = names(f, f->inbox); /* by now it is known that none are told */
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "one.eml"), 0);
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_int_equal(row_of(f, f->archive, "one.eml"), n.row);
	assert_true(has_flags("Archive", 4, "\\Flagged"));
}

static void a_repeated_move_that_is_refused_was_done(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	move_one_before(f);
	n = names(f, f->inbox);
	memory_faults.refuses_absent = true;
	memory_faults.change_breaks = -ENOTCONN;
	memory_faults.change_was_done = true;
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "one.eml"), 0);
	WAIT_FOR(memory_count_messages("INBOX") == 0);
	memory_faults.change_breaks = 0;
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	WAIT_FOR(has_flags("Archive", 2, "\\Flagged"));
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_int_equal(row_of(f, f->archive, "one.eml"), n.row);
	assert_int_equal(names(f, f->inbox).n, 0);
}

static void one_whose_answer_is_lost_takes_no_older_one_s_place(void **state)
{
	struct fixture *f = *state;
	struct mailbox_entry other;
	struct names n;

	memory_add_folder("Other", '/', 0, USE_NONE);
	deliver("Other", "two"); /* of the same date and size; nobody has looked at it */
	deliver("INBOX", "one");
	move_one_before(f);
	assert_int_equal(mailbox_lookup(f->mailbox, MAILBOX_ROOT, "Other", &other), 0);
	n = names(f, f->inbox);
	memory_faults.tells_no_uidnext = true;
	memory_faults.open_error = -ECONNREFUSED;
	memory_faults.change_breaks = -ENOTCONN;
	memory_faults.change_was_done = true;
	assert_int_equal(rename_to(f, f->inbox, n.last, other.folder.row, "first.eml"), 0);
	WAIT_FOR(memory_count_messages("Other") == 2);
	memory_remove_message("Other", 2);
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	memory_faults.open_error = memory_faults.change_breaks = 0;
	remount(f, false);
	settle(f, MAILBOX_ROOT);
	assert_true(has_flags("Other", 1, ""));
	assert_int_equal(names(f, folder_row(f, MAILBOX_ROOT, "Other")).n, 1);
	assert_int_equal(row_of(f, other.folder.row, "first.eml"), 0);
}

static void what_was_moved_before_a_refusal_is_confirmed(void **state)
{
	struct fixture *f = *state;
	int64_t rows[3];

	for (size_t i = 0; i < 3; i++)
		deliver("INBOX", "many"); /* nothing but its UID tells one from another */
	move_one_before(f);
	for (size_t i = 0; i < 3; i++)
		rows[i] = names(f, f->inbox).row - 2 + (int64_t)i;
	memory_faults.moves_only = 1;
	memory_faults.refuses_absent = true;
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_many.1.eml", f->archive, "a.eml"), 0);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_many.2.eml", f->archive, "b.eml"), 0);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_many.3.eml", f->archive, "c.eml"), 0);
	assert_int_equal(settle(f, f->archive), 0);
	assert_int_equal(memory_count_messages("Archive"), 4);
	assert_int_equal(row_of(f, f->archive, "a.eml"), rows[0]);
	assert_int_equal(row_of(f, f->archive, "b.eml"), rows[1]);
	assert_int_equal(row_of(f, f->archive, "c.eml"), rows[2]);
	assert_int_equal(memory_counts().moves, 4); /* the first before, and the last two one by one */
}

/* ------------------------------------------------------------ away and back */

static void changes_made_while_the_server_is_away_are_sent_when_it_is_back(void **state)
{
	struct fixture *f = *state;
	struct names n;

	for (int i = 0; i < 3; i++)
		deliver("INBOX", i == 0 ? "one" : i == 1 ? "two" : "three");
	f->configuration.delete_mode = DELETE_EXPUNGE;
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.open_error = -ECONNREFUSED;
	memory_faults.change_breaks = -ENOTCONN;
	assert_int_equal(set_flags(f, n.row, "+\\Seen"), 0);
	usleep(100000);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, "2026-04-14_0930_Alice_one.1.eml"), 0);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_two.2.eml", f->archive, "two.eml"), 0);
	assert_int_equal(commit(f, write_file(f, f->inbox, "letter.eml", LETTER)), 0);
	stop(f);
	delete_cache(f);
	memset(&memory_faults, 0, sizeof memory_faults);
	mount_fixture(f);
	WAIT_FOR(has_flags("INBOX", 3, "\\Seen") && holding("INBOX", "one") == 0 && holding("Archive", "two") == 1 &&
		 holding("INBOX", "new text") == 1 && holding("INBOX", "two") == 0);
	settle(f, f->inbox);
	assert_int_equal(names(f, f->inbox).n, 2);
	assert_int_not_equal(row_of(f, f->inbox, "letter.eml"), 0);
	assert_int_not_equal(row_of(f, f->archive, "two.eml"), 0);
}

static void mv_into_a_folder_that_is_renamed_before_it_is_sent(void **state)
{
	struct fixture *f = *state;
	int64_t row, folder = 0;

	deliver("INBOX", "one");
	mount_fixture(f);
	row = row_of(f, f->inbox, "2026-04-14_0930_Alice_one.1.eml");
	memory_faults.open_error = -ECONNREFUSED;
	memory_faults.change_breaks = -ENOTCONN;
	assert_int_equal(mailbox_mkdir(f->mailbox, MAILBOX_ROOT, "New", &folder), 0);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_one.1.eml", folder, "one.eml"), 0);
	assert_int_equal(rename_to(f, MAILBOX_ROOT, "New", MAILBOX_ROOT, "Newer"), 0);
	assert_int_equal(rename_to(f, folder, "one.eml", folder, "1.eml"), 0);
	stop(f);
	start(f);
	assert_int_equal(row_of(f, folder, "1.eml"), row);
	assert_int_equal(row_of(f, f->inbox, "2026-04-14_0930_Alice_one.1.eml"), 0);
	assert_int_equal(set_flags(f, row, "+\\Seen"), 0);
	memset(&memory_faults, 0, sizeof memory_faults);
	WAIT_FOR(has_flags("Newer", 1, "\\Seen"));
	assert_int_equal(settle(f, folder), 0);
	assert_int_equal(row_of(f, folder, "1.eml"), row);
	stop(f);
	delete_cache(f);
	mount_fixture(f);
	folder = folder_row(f, MAILBOX_ROOT, "Newer");
	assert_int_not_equal(row_of(f, folder, "1.eml"), 0);
	assert_int_equal(names(f, folder).n, 1);
}

static int try_mount(struct fixture *f)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct mailbox_options options = {
		.configuration = &f->configuration, .backend = &memory_backend, .mountpoint = "/nowhere", .userdata = f
	};
	int r = mailbox_new(&options, &f->mailbox, &why);
	if (r < 0) {
		f->mailbox = NULL;
		return r;
	}
	mailbox_connect(f->mailbox, false, &why);
	return 0;
}

static void rm_of_an_upload_that_is_refused(void **state)
{
	struct fixture *f = *state;
	int64_t row, r2;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	r2 = n.row;
	go_offline();
	assert_int_equal(set_flags(f, r2, "+kw"), 0);
	usleep(100000);
	row = write_file(f, f->archive, "letter.eml", LETTER);
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(mailbox_unlink(f->mailbox, f->archive, "letter.eml"), 0);
	memory_faults.permits = "\\Seen \\Deleted \\Flagged kw";
	memory_faults.change_error = 0;
	/* only the append is refused: over the limit */
	memory_faults.append_limit = 5;
	go_online();
	for (int i = 0; i < 6000 && !has_flags("INBOX", 1, "kw"); i++)
		usleep(1000);
	assert_true(has_flags("INBOX", 1, "kw"));
	assert_int_equal(set_flags(f, r2, "+\\Flagged"), 0);
	for (int i = 0; i < 8000 && !has_flags("INBOX", 1, "\\Flagged kw"); i++)
		usleep(1000);
	assert_true(has_flags("INBOX", 1, "\\Flagged kw"));
}

static void scratch_in_a_folder_that_goes(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount_fixture(f);
	row = write_file(f, f->archive, ".letter.tmp", LETTER);
	assert_int_equal(commit(f, row), 0);
	stop(f);
	memory_remove_folder("Archive");
	assert_int_equal(try_mount(f), 0);
	usleep(300000);
	stop(f);
	assert_int_equal(try_mount(f), 0);
}

static void upload_pending_in_a_folder_that_goes(void **state)
{
	struct fixture *f = *state;
	int64_t row;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	go_offline();
	set_flags(f, n.row, "+kw");
	usleep(100000);
	row = write_file(f, f->archive, "letter.eml", LETTER);
	assert_int_equal(commit(f, row), 0);
	stop(f);
	memory_remove_folder("Archive");
	go_online();
	assert_int_equal(try_mount(f), 0);
	sleep(1);
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	for (int i = 0; i < 6000 && !has_flags("INBOX", 1, "\\Flagged kw"); i++)
		usleep(1000);
	stop(f);
	assert_int_equal(try_mount(f), 0);
	usleep(200000);
	assert_true(row_of(f, MAILBOX_ROOT, "letter.eml.partial") || row_of(f, MAILBOX_ROOT, "letter.eml"));
}

static void upload_into_a_new_folder_of_the_old_name(void **state)
{
	struct fixture *f = *state;
	int64_t row, made = 0;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	go_offline();
	set_flags(f, n.row, "+kw");
	usleep(100000);
	assert_int_equal(rename_to(f, MAILBOX_ROOT, "Archive", MAILBOX_ROOT, "Old"), 0);
	assert_int_equal(mailbox_mkdir(f->mailbox, MAILBOX_ROOT, "Archive", &made), 0);
	row = write_file(f, made, "letter.eml", LETTER);
	assert_int_equal(commit(f, row), 0);
	go_online();
	WAIT_FOR(memory_has_folder("Old") &&
		 (holding("Old", "new text") || (memory_has_folder("Archive") && holding("Archive", "new text"))));
	assert_int_equal(holding("Old", "new text"), 0);
}

static void refused_rename_of_a_folder_whose_name_is_taken(void **state)
{
	struct fixture *f = *state;
	int64_t made = 0;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	go_offline();
	set_flags(f, n.row, "+kw");
	usleep(100000);
	assert_int_equal(rename_to(f, MAILBOX_ROOT, "Archive", MAILBOX_ROOT, "Old"), 0);
	assert_int_equal(mailbox_mkdir(f->mailbox, MAILBOX_ROOT, "Archive", &made), 0);
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	memory_add_folder("Old", '/', 0, USE_NONE); /* another client was quicker */
	go_online();
	for (int i = 0; i < 8000 && !has_flags("INBOX", 1, "\\Flagged kw"); i++)
		usleep(1000);
	assert_true(has_flags("INBOX", 1, "\\Flagged kw"));
}

static void mv_and_rmdir_without_move(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t sub;

	memory_faults.lacks = BACKEND_MOVE;
	memory_add_folder("Sub", '/', 0, USE_NONE);
	deliver("Sub", "one");
	mount_fixture(f);
	sub = folder_row(f, MAILBOX_ROOT, "Sub");
	n = names(f, sub);
	assert_int_equal(rename_to(f, sub, n.last, f->archive, n.last), 0);
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "Sub"), 0);
	WAIT_FOR(holding("Archive", "one") == 1);
	WAIT_FOR(!memory_has_folder("Sub"));
	assert_int_equal(row_of(f, MAILBOX_ROOT, "Sub"), 0);
	assert_int_equal(memory_count_messages("Archive"), 1);
}

/* A move whose answer is still to come when the message goes on, and the folder is removed. */
static void mv_on_and_rmdir_before_the_answer(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t sub;

	memory_add_folder("Sub", '/', 0, USE_NONE);
	deliver("INBOX", "one");
	mount_fixture(f);
	sub = folder_row(f, MAILBOX_ROOT, "Sub");
	names(f, sub);
	n = names(f, f->inbox);
	memory_faults.change_answer_ms = 300;
	assert_int_equal(rename_to(f, f->inbox, n.last, sub, "given.eml"), 0);
	WAIT_FOR(holding("Sub", "one") == 1);
	assert_int_equal(rename_to(f, sub, "given.eml", f->archive, "given.eml"), 0);
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "Sub"), 0);
	WAIT_FOR(holding("Archive", "one") == 1);
	WAIT_FOR(!memory_has_folder("Sub"));
	assert_int_equal(settle(f, f->archive), 0);
	assert_int_equal(row_of(f, f->archive, "given.eml"), n.row);
	assert_int_equal(memory_count_messages("INBOX"), 0);
}

/* What was to be in the folder before is not in the one that has its name now. */
static void a_folder_is_removed_and_made_again(void **state)
{
	struct fixture *f = *state;
	int64_t row, made;

	mount_fixture(f);
	go_offline();
	assert_int_equal(mailbox_mkdir(f->mailbox, MAILBOX_ROOT, "Sub", &made), 0);
	row = write_file(f, made, "first.eml", LETTER);
	commit(f, row);
	assert_int_equal(mailbox_unlink(f->mailbox, made, "first.eml"), 0);
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "Sub"), 0);
	assert_int_equal(mailbox_mkdir(f->mailbox, MAILBOX_ROOT, "Sub", &made), 0);
	commit(f, write_file(f, made, "given.eml", LETTER "second\r\n"));
	go_online();
	WAIT_FOR(memory_has_folder("Sub") && holding("Sub", "second") == 1);
	assert_int_equal(settle(f, made), 0);
	remount(f, false);
	made = folder_row(f, MAILBOX_ROOT, "Sub");
	assert_int_equal(names(f, made).n, 1);
	assert_int_not_equal(row_of(f, made, "given.eml"), 0);
}

/* A file is moved away out of the server's reach, and another gets its name. */
static void give_name_anew(struct fixture *f)
{
	mount_fixture(f);
	assert_int_equal(commit(f, write_file(f, f->inbox, "letter.eml", LETTER)), 0);
	go_offline();
	assert_int_equal(rename_to(f, f->inbox, "letter.eml", f->archive, "letter.eml"), 0);
	usleep(100000);
	assert_int_equal(commit(f, write_file(f, f->inbox, "letter.eml", LETTER "second\r\n")), 0);
}

static void a_name_that_was_given_anew_at_a_mount(void **state)
{
	struct fixture *f = *state;

	give_name_anew(f);
	stop(f);
	assert_int_equal(try_mount(f), 0);
}

static void a_name_that_was_given_anew_and_the_move_refused(void **state)
{
	struct fixture *f = *state;

	give_name_anew(f);
	memory_remove_folder("Archive");
	go_online();
	WAIT_FOR(holding("INBOX", "second") == 1);
}

static void a_draft_of_a_given_name_is_replaced(void **state)
{
	struct fixture *f = *state;
	int64_t row, drafts;

	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	mount_fixture(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	row = write_file(f, drafts, "letter.eml", LETTER);
	assert_int_equal(commit(f, row), 0);
	row = write_file(f, drafts, ".letter.tmp", LETTER "second\r\n");
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(rename_to(f, drafts, ".letter.tmp", drafts, "letter.eml"), 0);
	assert_int_equal(settle(f, drafts), 0);
	WAIT_FOR(memory_count_messages("Drafts") == 1);
}

static void a_draft_that_goes_while_it_is_written(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t drafts;
	int fd = -1;

	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	deliver("Drafts", "one");
	mount_fixture(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	n = names(f, drafts);
	fd = open_to_write(f, n.row, true);
	assert_int_equal(write(fd, LETTER, strlen(LETTER)), (ssize_t)strlen(LETTER));
	memory_remove_message("Drafts", 1);
	usleep(10100000); /* the next look syncs */
	folder_row(f, MAILBOX_ROOT, "Drafts");
	usleep(300000);
	close(fd);
	assert_int_equal(commit(f, n.row), 0);
	assert_true(names(f, drafts).n > 0 || holding("Drafts", "new text"));
}

static void two_copies_of_one_message(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t a, b;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	go_offline();
	set_flags(f, n.row, "+kw");
	usleep(100000);
	a = write_file(f, f->archive, "a.eml", "");
	assert_int_equal(mailbox_copy(f->mailbox, n.row, a), 0);
	assert_int_equal(commit(f, a), 0);
	b = write_file(f, f->archive, "b.eml", "");
	assert_int_equal(mailbox_copy(f->mailbox, n.row, b), 0);
	assert_int_equal(commit(f, b), 0);
	go_online();
	WAIT_FOR(holding("Archive", "one") > 0);
	usleep(500000);
	assert_int_equal(holding("Archive", "one"), 2);
	assert_int_equal(names(f, f->archive).n, 2);
}

static void a_mark_that_was_taken_away_stays_away(void **state)
{
	struct fixture *f = *state;

	f->configuration.delete_mode = DELETE_EXPUNGE;
	memory_faults.lacks = BACKEND_EXPUNGE_UID;
	deliver("INBOX", "one");
	mount_fixture(f);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, names(f, f->inbox).last), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(names(f, f->inbox).n, 0);
	memory_set_flags("INBOX", 1, "");
	remount(f, false);
	assert_int_equal(names(f, f->inbox).n, 1);
	remount(f, true);
	assert_int_equal(names(f, f->inbox).n, 1);
}

static void a_draft_whose_replacement_is_refused_keeps_its_flags(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t drafts;

	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	deliver("Drafts", "one");
	memory_set_flags("Drafts", 1, "\\Seen \\Draft");
	mount_fixture(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	n = names(f, drafts);
	write_and_close(open_to_write(f, n.row, true), LETTER);
	memory_faults.change_error = -EDQUOT;
	assert_int_equal(commit(f, n.row), -EDQUOT);
	memory_faults.change_error = 0;
	remount(f, false);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	assert_true(shows_flags(f, row_of(f, drafts, n.last), "\\Seen \\Draft"));
}

static void cp_rm_cp_offline(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	go_offline();
	set_flags(f, n.row, "+kw");
	usleep(100000);
	assert_int_equal(commit(f, write_file(f, f->archive, "letter.eml", LETTER)), 0);
	assert_int_equal(mailbox_unlink(f->mailbox, f->archive, "letter.eml"), 0);
	assert_int_equal(commit(f, write_file(f, f->archive, "letter.eml", LETTER "second\r\n")), 0);
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	go_online();
	for (int i = 0; i < 8000 && holding("Archive", "second") == 0; i++)
		usleep(1000);
	usleep(500000);
	assert_true(has_flags("INBOX", 1, "\\Flagged kw"));
	assert_int_equal(holding("Archive", "second"), 1);
	assert_int_equal(memory_count_messages("Archive"), 1);
}

static void moved_on_and_the_name_given_anew(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t other;

	memory_add_folder("Other", '/', 0, USE_NONE);
	deliver("INBOX", "one");
	mount_fixture(f);
	other = folder_row(f, MAILBOX_ROOT, "Other");
	n = names(f, f->inbox);
	go_offline();
	set_flags(f, n.row, "+kw");
	usleep(100000);
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "x.eml"), 0);
	assert_int_equal(rename_to(f, f->archive, "x.eml", other, "x.eml"), 0);
	assert_int_equal(commit(f, write_file(f, f->archive, "x.eml", LETTER)), 0);
	go_online();
	for (int i = 0; i < 8000 && holding("Archive", "new text") == 0; i++)
		usleep(1000);
	usleep(500000);
	assert_int_equal(holding("Other", "one"), 1);
	assert_int_equal(holding("Archive", "new text"), 1);
}

static void copied_twice_on_where_no_uid_is_told(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t other;

	memory_faults.lacks = BACKEND_MOVE;
	memory_faults.tells_no_uids = true; /* UIDPLUS, and no COPYUID: UIDNOTSTICKY */
	memory_add_folder("Other", '/', 0, USE_NONE);
	deliver("INBOX", "one");
	mount_fixture(f);
	other = folder_row(f, MAILBOX_ROOT, "Other");
	n = names(f, f->inbox);
	go_offline();
	set_flags(f, n.row, "+kw");
	usleep(100000);
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "x.eml"), 0);
	assert_int_equal(rename_to(f, f->archive, "x.eml", other, "x.eml"), 0);
	go_online();
	for (int i = 0; i < 8000 && holding("INBOX", "one") == 1; i++)
		usleep(1000);
	usleep(500000);
	assert_int_equal(holding("INBOX", "one") + holding("Archive", "one") + holding("Other", "one"), 1);
}

static void counts_where_a_folder_is_begun_anew(void **state)
{
	struct fixture *f = *state;
	struct mailbox_folder before, after;
	struct names n;

	deliver("INBOX", "one");
	deliver("INBOX", "two");
	mount_fixture(f);
	n = names(f, f->inbox);
	go_offline();
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "x.eml"), 0);
	usleep(100000);
	stop(f);
	memory_faults.open_error = 0;
	memory_set_uidvalidity("INBOX", 4711);
	mount_fixture(f);
	usleep(300000);
	assert_int_equal(mailbox_folder(f->mailbox, f->archive, &before), 0);
	memory_faults.change_breaks = 0;
	sleep(3);
	assert_int_equal(mailbox_folder(f->mailbox, f->archive, &after), 0);
	assert_int_equal(after.messages, names(f, f->archive).n);
}

static void sql(const char *db, const char *db2, const char *text)
{
	sqlite3 *h;
	char *why = NULL, attach[256];
	assert_int_equal(sqlite3_open(db, &h), 0);
	snprintf(attach, sizeof attach, "ATTACH '%s' AS journal", db2);
	assert_int_equal(sqlite3_exec(h, attach, NULL, NULL, NULL), 0);
	if (sqlite3_exec(h, text, NULL, NULL, &why)) {
		fail();
	}
	sqlite3_close(h);
}

/* A copy that was made, and its answer lost; of what was then committed one of the two databases has kept some. */
static void killed_between_the_two_halves_of_a_copy(void **state)
{
	struct fixture *f = *state;
	struct names n;
	char db[160], db2[160];

	memory_faults.lacks = BACKEND_MOVE;
	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.change_breaks = -ENOTCONN;
	memory_faults.change_was_done = true;
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, n.last), 0);
	for (int i = 0; i < 3000 && !holding("Archive", "one"); i++)
		usleep(1000);
	memory_faults.open_error = -ECONNREFUSED;
	stop(f);
	assert_int_equal(holding("Archive", "one"), 1);
	snprintf(db, sizeof db, "%s/index.db", f->cache);
	snprintf(db2, sizeof db2, "%s/journal.db", f->state);
	sql(db, db2,
	    "CREATE TEMP TABLE r AS SELECT row, server_folder AS sf, server_uid AS su FROM message WHERE server_folder IS NOT NULL;"
	    "UPDATE message SET server_folder = NULL, server_uid = NULL WHERE row = (SELECT row FROM r);"
	    "INSERT INTO message (folder, uid, size, size_proven, internaldate_s, ctime_ns, flags, name, given, local, marked, "
	    "server_folder, server_uid, arrived_s)"
	    " SELECT -1000, NULL, 0, 0, 0, 1, '', 'old', 0, 0, 0, sf, su, 0 FROM r;"
	    "UPDATE message SET folder = -row WHERE folder = -1000;"
	    "INSERT INTO journal.place SELECT (SELECT max(row) FROM message), wire, uidvalidity, uid, name, given FROM "
	    "journal.place WHERE row = (SELECT row FROM r);"
	    "INSERT INTO journal.change (kind, row, source, folder, detail, depends) SELECT 3, max(row), 0, '', '', 0 FROM "
	    "message;");
	memset(&memory_faults, 0, sizeof memory_faults);
	memory_faults.lacks = BACKEND_MOVE;
	mount_fixture(f);
	for (int i = 0; i < 5000 && memory_count_messages("INBOX"); i++)
		usleep(1000);
	assert_int_equal(memory_count_messages("INBOX"), 0);
	assert_int_equal(memory_count_messages("Archive"), 1);
}

/* Of the same date and size as what was moved: it is another client's. */
static void what_the_server_said_no_to_is_not_looked_for(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t row;

	deliver("INBOX", "one");
	deliver("Archive", "old");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.change_error = -EAGAIN;
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "moved.eml"), 0);
	WAIT_FOR(memory_counts().moves);
	memory_remove_message("INBOX", 1);
	deliver("Archive", "two");
	memory_faults.change_error = 0;
	settle(f, f->archive);
	assert_int_equal(row_of(f, f->archive, "moved.eml"), 0);
	assert_int_equal(holding("Archive", "two"), 1);

	n = names(f, f->archive);
	assert_int_equal(n.n, 1);
	memory_faults.change_error = -EAGAIN;
	row = write_file(f, f->inbox, "copy.eml", "");
	assert_int_equal(mailbox_copy(f->mailbox, n.row, row), 0);
	WAIT_FOR(memory_counts().copies);
	deliver("INBOX", "old"); /* and so did another client */
	memory_faults.change_error = 0;
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(holding("INBOX", "old"), 2);
}

/* Noted by a clock that was set back since: a little, it may arrive yet; a day, it goes. */
static void a_clock_that_is_set_back_neither_stores_twice_nor_holds_up(void **state)
{
	struct fixture *f = *state;
	char db[160], db2[160];

	mount_fixture(f);
	memory_faults.change_breaks = -ETIMEDOUT;
	assert_int_equal(commit(f, write_file(f, f->archive, "letter.eml", LETTER)), 0);
	stop(f);
	snprintf(db, sizeof db, "%s/index.db", f->cache);
	snprintf(db2, sizeof db2, "%s/journal.db", f->state);
	sql(db, db2, "UPDATE journal.change SET unanswered = unanswered + 60");
	memory_faults.change_breaks = 0;
	start(f);
	usleep(2500 * 1000);
	assert_int_equal(memory_counts().appends, 1);
	stop(f);
	sql(db, db2, "UPDATE journal.change SET unanswered = unanswered + 86400");
	start(f);
	WAIT_FOR(memory_count_messages("Archive") == 1);
	assert_int_equal(memory_counts().appends, 2);
}

static void programs_are_told_that_a_folder_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct waiter_sync s;
	struct names n;

	deliver("INBOX", "one");
	deliver("Archive", "two");
	mount_fixture(f);
	n = names(f, f->archive);
	memory_faults.is_read_only = true;
	assert_int_equal(set_flags(f, n.row, "+\\Seen"), 0);
	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_settle_message(f->mailbox, n.row, &s.waiter), &s), -EROFS);
	memory_faults.is_read_only = false;
	memory_remove_folder("Archive");
	assert_int_equal(commit(f, write_file(f, f->archive, "letter.eml", LETTER)), -ENOENT);
	assert_int_equal(set_flags(f, n.row, "+\\Seen"), 0);
	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_settle_message(f->mailbox, n.row, &s.waiter), &s), -ENOENT);
	n = names(f, f->inbox);
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, n.last), 0);
	assert_int_equal(settle(f, MAILBOX_ROOT), -ENOENT);
	assert_int_equal(row_of(f, f->inbox, n.last), n.row);
	memory_set_uidvalidity("INBOX", 4711);
	assert_int_equal(set_flags(f, n.row, "+\\Seen"), 0);
	assert_int_equal(settle(f, f->inbox), -ENOENT);
}

static int64_t count_kept(struct fixture *f)
{
	sqlite3 *h;
	sqlite3_stmt *statement;
	char db[160];
	int64_t n;

	snprintf(db, sizeof db, "%s/journal.db", f->state);
	assert_int_equal(sqlite3_open(db, &h), 0);
	assert_int_equal(sqlite3_prepare_v2(h, "SELECT count(*) FROM kept", -1, &statement, NULL), 0);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	n = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(h);
	return n;
}

static void what_is_remembered_of_a_message_goes_with_it(void **state)
{
	struct fixture *f = *state;

	deliver("INBOX", "one");
	deliver("Archive", "two");
	mount_fixture(f);
	assert_int_equal(mailbox_set_mode(f->mailbox, names(f, f->inbox).row, 0640), 0);
	assert_int_equal(mailbox_set_mode(f->mailbox, names(f, f->archive).row, 0640), 0);
	assert_int_equal(count_kept(f), 2);
	stop(f);
	memory_remove_message("INBOX", 1);
	memory_remove_message("Archive", 1);
	memory_set_uidvalidity("Archive", 4711);
	mount_fixture(f);
	assert_int_equal(count_kept(f), 0);
}

/* A folder gave its name to another one, and nothing of that is on the server yet when the cache goes. */
static void what_is_in_a_folder_goes_with_it_when_another_takes_its_name(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX + 1];
	int64_t made = 0, below = 0, old;
	struct names n;

	memory_add_folder("Archive/2025", '/', 0, USE_NONE);
	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	strcpy(name, n.last);
	below = folder_row(f, f->archive, "2025");
	assert_int_equal(commit(f, write_file(f, f->archive, ".old.tmp", LETTER)), 0);
	assert_int_equal(commit(f, write_file(f, below, ".below.tmp", LETTER)), 0);
	go_offline();
	assert_int_equal(set_flags(f, n.row, "+\\Seen"), 0);
	usleep(100000);
	assert_int_equal(rename_to(f, MAILBOX_ROOT, "Archive", MAILBOX_ROOT, "Old"), 0);
	assert_int_equal(mailbox_mkdir(f->mailbox, MAILBOX_ROOT, "Archive", &made), 0);
	assert_int_equal(commit(f, write_file(f, made, ".new.tmp", LETTER)), 0);
	assert_int_equal(commit(f, write_file(f, made, "letter.eml", LETTER)), 0);
	assert_int_equal(rename_to(f, f->inbox, name, f->archive, "one.eml"), 0);
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	stop(f);
	delete_cache(f);
	go_online();
	mount_fixture(f);
	old = folder_row(f, MAILBOX_ROOT, "Old");
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_int_equal(holding("Archive", "new text"), 1);
	assert_int_equal(holding("Old", "one"), 1);
	assert_true(has_flags("Old", 1, "\\Seen \\Flagged"));
	assert_int_equal(memory_count_messages("INBOX"), 0);
	assert_int_not_equal(row_of(f, old, ".old.tmp"), 0);
	assert_int_not_equal(row_of(f, old, "one.eml"), 0);
	assert_int_equal(names(f, old).n, 2);
	assert_int_not_equal(row_of(f, folder_row(f, old, "2025"), ".below.tmp"), 0);
	assert_int_not_equal(row_of(f, f->archive, ".new.tmp"), 0);
	assert_int_not_equal(row_of(f, f->archive, "letter.eml"), 0);
	assert_int_equal(names(f, f->archive).n, 2);
}

static void what_was_in_a_folder_stays_when_its_new_name_is_refused(void **state)
{
	struct fixture *f = *state;

	mount_fixture(f);
	assert_int_equal(commit(f, write_file(f, f->archive, ".old.tmp", LETTER)), 0);
	memory_faults.change_error = -EACCES;
	assert_int_equal(rename_to(f, MAILBOX_ROOT, "Archive", MAILBOX_ROOT, "Old"), 0);
	WAIT_FOR(row_of(f, MAILBOX_ROOT, "Archive") == f->archive);
	memory_faults.change_error = 0;
	remount(f, true);
	assert_int_not_equal(row_of(f, f->archive, ".old.tmp"), 0);
}

/* What was done in the folder since it was renamed here: it stays its own. `on`: it was renamed once more. */
static void check_refused_rename(struct fixture *f, bool on)
{
	int64_t made = 0;
	struct names n;

	deliver("INBOX", "one");
	deliver("Archive", "mine");
	deliver("Archive", "other");
	memory_add_folder("Archive/below", '/', 0, USE_NONE);
	deliver("Archive/below", "deep");
	memory_add_folder("Trash", '/', 0, USE_TRASH);
	memory_set_uidvalidity("Archive", 7);
	mount_fixture(f);
	n = names(f, folder_row(f, f->archive, "below"));
	go_offline();
	assert_int_equal(set_flags(f, names(f, f->inbox).row, "+kw"), 0);
	usleep(100000);
	assert_int_equal(rename_to(f, MAILBOX_ROOT, "Archive", MAILBOX_ROOT, "B"), 0);
	assert_int_equal(set_flags(f, n.row, "+\\Seen"), 0);
	n = names(f, f->archive);
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	assert_int_equal(mailbox_unlink(f->mailbox, f->archive, "2026-04-14_0930_Alice_mine.1.eml"), 0);
	assert_int_equal(commit(f, write_file(f, f->archive, "new.eml", LETTER)), 0);
	assert_int_equal(mailbox_mkdir(f->mailbox, f->archive, "made", &made), 0);
	if (on)
		assert_int_equal(rename_to(f, MAILBOX_ROOT, "B", MAILBOX_ROOT, "C"), 0);
	assert_int_equal(rename_to(f, f->inbox, names(f, f->inbox).last, made, "one.eml"), 0);
	memory_add_folder("B", '/', 0, USE_NONE); /* another client was quicker */
	memory_set_uidvalidity("B", 7);
	deliver("B", "theirs");
	deliver("B", "theirs");
	go_online();
	WAIT_FOR(memory_count_messages(on ? "C/made" : "Archive/made") == 1);
	settle(f, MAILBOX_ROOT);
}

static void what_follows_a_refused_rename_stays_in_the_folder(void **state)
{
	struct fixture *f = *state;

	check_refused_rename(f, false);
	assert_true(has_flags("B", 1, "") && has_flags("B", 2, ""));
	assert_int_equal(memory_count_messages("B"), 2);
	assert_int_equal(holding("Trash", "mine"), 1);
	assert_int_equal(holding("Archive", "new text"), 1);
	assert_true(has_flags("Archive", 2, "\\Flagged"));
	assert_true(has_flags("Archive/below", 1, "\\Seen"));
	assert_int_equal(folder_row(f, MAILBOX_ROOT, "Archive"), f->archive);
	assert_int_not_equal(row_of(f, f->archive, "new.eml"), 0);
	assert_int_equal(names(f, f->archive).n, 2);
	remount(f, false);
	assert_int_equal(names(f, f->archive).n, 2);
}

static void what_follows_a_refused_rename_goes_with_the_next(void **state)
{
	struct fixture *f = *state;

	check_refused_rename(f, true);
	assert_int_equal(memory_count_messages("B"), 2);
	assert_false(memory_has_folder("Archive"));
	assert_int_equal(holding("Trash", "mine"), 1);
	assert_int_equal(holding("C", "new text"), 1);
	assert_true(has_flags("C", 2, "\\Flagged"));
	assert_true(has_flags("C/below", 1, "\\Seen"));
	assert_int_equal(folder_row(f, MAILBOX_ROOT, "C"), f->archive);
	assert_int_equal(names(f, f->archive).n, 2);
}

static void a_refused_rename_below_one_that_is_done(void **state)
{
	struct fixture *f = *state;
	int64_t above, below;
	struct names n;

	deliver("INBOX", "one");
	memory_add_folder("P", '/', 0, USE_NONE);
	memory_add_folder("P/A", '/', 0, USE_NONE);
	memory_set_uidvalidity("P/A", 7);
	deliver("P/A", "mine");
	mount_fixture(f);
	above = folder_row(f, MAILBOX_ROOT, "P");
	below = folder_row(f, above, "A");
	n = names(f, below);
	go_offline();
	assert_int_equal(set_flags(f, names(f, f->inbox).row, "+kw"), 0);
	usleep(100000);
	assert_int_equal(rename_to(f, above, "A", above, "B"), 0);
	assert_int_equal(set_flags(f, n.row, "+\\Seen"), 0);
	assert_int_equal(rename_to(f, MAILBOX_ROOT, "P", MAILBOX_ROOT, "Q"), 0);
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	assert_int_equal(commit(f, write_file(f, below, "new.eml", LETTER)), 0);
	memory_add_folder("P/B", '/', 0, USE_NONE);
	memory_set_uidvalidity("P/B", 7);
	deliver("P/B", "theirs");
	go_online();
	WAIT_FOR(memory_has_folder("Q/A") && memory_count_messages("Q/A") == 2);
	settle(f, MAILBOX_ROOT);
	assert_true(has_flags("Q/A", 1, "\\Seen \\Flagged"));
	assert_true(has_flags("Q/B", 1, ""));
	assert_int_equal(folder_row(f, above, "A"), below);
	assert_int_equal(names(f, below).n, 2);
}

/* The index takes no UID for a message that had none: whatever makes it impossible to show what the server did. */
static void forbid_uids(struct fixture *f)
{
	char db[160], db2[160];

	stop(f);
	snprintf(db, sizeof db, "%s/index.db", f->cache);
	snprintf(db2, sizeof db2, "%s/journal.db", f->state);
	sql(db, db2,
	    "CREATE TRIGGER forbid BEFORE UPDATE ON message WHEN old.uid IS NULL AND new.uid IS NOT NULL"
	    " BEGIN SELECT RAISE(ABORT, 'forbidden'); END");
	mount_fixture(f);
}

static void what_was_done_and_cannot_be_shown_stops_nothing(void **state)
{
	struct fixture *f = *state;
	struct names n;

	memory_faults.lacks = BACKEND_MOVE;
	deliver("INBOX", "one");
	deliver("INBOX", "two");
	mount_fixture(f);
	n = names(f, f->inbox);
	forbid_uids(f);
	assert_int_equal(commit(f, write_file(f, f->archive, "letter.eml", LETTER)), 0);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_one.1.eml", f->archive, "one.eml"), 0);
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_true(has_flags("INBOX", 2, "\\Flagged"));
	assert_int_equal(memory_count_messages("INBOX"), 1);
	assert_int_equal(memory_count_messages("Archive"), 2);
	remount(f, false);
	assert_int_equal(names(f, f->inbox).n, 1);
	assert_int_equal(names(f, f->archive).n, 2);
	assert_int_equal(memory_counts().copies, 1);
}

/* ------------------------------------------------------------ what waits while others go */

static void what_is_put_into_a_folder_waits_for_it(void **state)
{
	struct fixture *f = *state;
	int64_t made;

	deliver("INBOX", "one");
	mount_fixture(f);
	memory_faults.folder_error = -EAGAIN;
	assert_int_equal(mailbox_mkdir(f->mailbox, MAILBOX_ROOT, "New", &made), 0);
	assert_int_equal(rename_to(f, f->inbox, names(f, f->inbox).last, made, "moved.eml"), 0);
	WAIT_FOR(memory_counts().folder_changes > 0);
	usleep(50000);
	memory_faults.folder_error = 0;
	assert_int_equal(commit(f, write_file(f, made, "a.eml", LETTER)), 0);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_int_equal(memory_count_messages("New"), 2);
	assert_int_equal(names(f, made).n, 2);
}

static void who_waits_for_another_change_is_told_the_truth(void **state)
{
	struct fixture *f = *state;
	int64_t gone;

	deliver("INBOX", "one");
	memory_add_folder("Gone", '/', 0, USE_NONE);
	mount_fixture(f);
	gone = folder_row(f, MAILBOX_ROOT, "Gone");
	memory_remove_folder("Gone");
	memory_faults.poison = "one";
	memory_faults.poison_error = -EAGAIN;
	assert_int_equal(rename_to(f, f->inbox, names(f, f->inbox).last, f->archive, "x.eml"), 0);
	usleep(200000);
	assert_int_equal(commit(f, write_file(f, gone, "a.eml", LETTER)), -ENOENT);
	assert_int_equal(commit(f, write_file(f, f->inbox, "c.eml", LETTER)), 0);
	assert_int_equal(memory_count_messages("INBOX"), 2);
	memory_faults.poison = NULL;
	WAIT_FOR(memory_count_messages("Archive") == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_put_into_a_folder_waits_for_it),
		TEST(who_waits_for_another_change_is_told_the_truth),
		TEST(counts_where_a_folder_is_begun_anew),
		TEST(killed_between_the_two_halves_of_a_copy),
		TEST(what_the_server_said_no_to_is_not_looked_for),
		TEST(of_a_copy_in_pieces_what_was_done_is_not_done_again),
		TEST(a_move_of_what_another_client_took_is_told_to_have_come_to_nothing),
		TEST(a_repeated_move_goes_when_the_server_has_time_again),
		TEST(what_was_stored_and_refused_is_not_stored_again),
		TEST(of_a_move_with_a_gap_what_was_told_is_confirmed),
		TEST(unmounting_sends_what_can_be_sent),
		TEST(a_clock_that_is_set_back_neither_stores_twice_nor_holds_up),
		TEST(programs_are_told_that_a_folder_is_not_there),
		TEST(what_is_remembered_of_a_message_goes_with_it),
		TEST(what_is_in_a_folder_goes_with_it_when_another_takes_its_name),
		TEST(what_was_in_a_folder_stays_when_its_new_name_is_refused),
		TEST(what_follows_a_refused_rename_stays_in_the_folder),
		TEST(what_follows_a_refused_rename_goes_with_the_next),
		TEST(a_refused_rename_below_one_that_is_done),
		TEST(what_was_done_and_cannot_be_shown_stops_nothing),
		TEST(two_copies_of_one_message),
		TEST(a_mark_that_was_taken_away_stays_away),
		TEST(a_draft_whose_replacement_is_refused_keeps_its_flags),
		TEST(cp_rm_cp_offline),
		TEST(moved_on_and_the_name_given_anew),
		TEST(copied_twice_on_where_no_uid_is_told),
		TEST(rm_of_an_upload_that_is_refused),
		TEST(scratch_in_a_folder_that_goes),
		TEST(upload_pending_in_a_folder_that_goes),
		TEST(upload_into_a_new_folder_of_the_old_name),
		TEST(refused_rename_of_a_folder_whose_name_is_taken),
		TEST(mv_and_rmdir_without_move),
		TEST(mv_on_and_rmdir_before_the_answer),
		TEST(a_folder_is_removed_and_made_again),
		TEST(a_name_that_was_given_anew_at_a_mount),
		TEST(a_name_that_was_given_anew_and_the_move_refused),
		TEST(a_draft_of_a_given_name_is_replaced),
		TEST(a_draft_that_goes_while_it_is_written),
		TEST(a_message_is_read_while_its_move_is_on_the_way),
		TEST(one_that_went_while_it_was_moved_is_told_to_its_readers),
		TEST(nothing_is_read_ahead_that_stands_elsewhere),
		TEST(of_what_is_looked_for_date_and_size_are_not_enough),
		TEST(of_one_that_a_user_named_the_bytes_are_looked_at),
		TEST(one_that_had_gone_takes_no_other_s_place),
		TEST(mv_into_a_folder_that_is_renamed_before_it_is_sent),
		TEST(an_append_that_was_not_answered_may_arrive_late),
		TEST(a_move_that_was_not_answered_may_be_done_late),
		TEST(one_that_the_server_has_no_room_for_holds_up_nothing),
		TEST(one_at_which_the_server_breaks_off_holds_up_nothing_and_is_given_up),
		TEST(a_given_name_stays),
		TEST(a_move_leaves_its_place_for_no_copy_that_nobody_saw),
		TEST(later_changes_of_what_is_known_by_no_uid_are_refused),
		TEST(a_repeated_move_that_is_refused_was_done),
		TEST(what_was_moved_before_a_refusal_is_confirmed),
		TEST(one_whose_answer_is_lost_takes_no_older_one_s_place),
		TEST(changes_made_while_the_server_is_away_are_sent_when_it_is_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

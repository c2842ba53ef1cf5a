/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes above a server in memory: shown at once, on the server soon, taken back when refused.
 */
#include "changing_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"

/* ------------------------------------------------------------ flags */

static void flags_show_at_once_and_reach_the_server(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	memory_set_flags("INBOX", 1, "\\Answered");
	mount_fixture(f);
	n = names(f, f->inbox);
	assert_int_equal(set_flags(f, n.row, "+\\Seen keyword"), 0);
	assert_true(shows_flags(f, n.row, "\\Seen \\Answered keyword"));
	assert_int_equal(settle(f, f->inbox), 0);
	assert_true(has_flags("INBOX", 1, "\\Seen \\Answered keyword"));
	assert_int_equal(set_flags(f, n.row, "\\Flagged"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_true(has_flags("INBOX", 1, "\\Flagged"));
	assert_int_equal(set_flags(f, n.row, "+\\Nonsense"), -EINVAL);
	assert_true(shows_flags(f, n.row, "\\Flagged"));
}

static void many_flags_go_in_few_commands(void **state)
{
	struct fixture *f = *state;
	struct names n;

	for (int i = 0; i < 100; i++)
		deliver("INBOX", "many");
	mount_fixture(f);
	n = names(f, f->inbox);
	for (int64_t row = n.row - 99; row <= n.row; row++)
		assert_int_equal(set_flags(f, row, "+\\Seen"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	for (uint32_t uid = 1; uid <= 100; uid++)
		assert_true(has_flags("INBOX", uid, "\\Seen"));
	assert_true(memory_counts().stores < 10);
}

static void refused_flags_are_taken_back(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.change_error = -EACCES;
	assert_int_equal(set_flags(f, n.row, "+\\Seen"), 0);
	assert_int_equal(settle(f, f->inbox), -EACCES);
	assert_true(shows_flags(f, n.row, ""));
	assert_true(has_flags("INBOX", 1, ""));
}

static void all_that_waits_still_shows_when_the_first_is_confirmed(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.changes_before = 1;
	memory_faults.change_breaks = -ENOTCONN;
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	assert_int_equal(set_flags(f, n.row, "+\\Answered"), 0);
	assert_int_equal(set_flags(f, n.row, "-\\Flagged"), 0);
	WAIT_FOR(memory_counts().stores >= 2);
	assert_true(has_flags("INBOX", 1, "\\Flagged"));
	assert_true(shows_flags(f, n.row, "\\Answered"));
	memory_faults.change_breaks = 0;
	WAIT_FOR(has_flags("INBOX", 1, "\\Answered"));
	assert_true(shows_flags(f, n.row, "\\Answered"));
}

static void flags_that_were_confirmed_stay(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(set_flags(f, n.row, "+\\Seen"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_true(shows_flags(f, n.row, "\\Seen \\Flagged"));
}

static void flags_that_others_changed_of_what_was_put_there_show(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t row;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_set_flags("INBOX", 1, "\\Answered"); /* nobody has looked since */
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "moved.eml"), 0);
	assert_int_equal(settle(f, f->archive), 0);
	row = write_file(f, f->archive, "new.eml", LETTER);
	assert_int_equal(commit(f, row), 0);
	memory_set_flags("Archive", 2, "\\Flagged");
	remount(f, false);
	assert_true(shows_flags(f, n.row, "\\Answered"));
	assert_true(shows_flags(f, row, "\\Flagged"));
}

static void one_that_is_refused_takes_no_other_with_it(void **state)
{
	struct fixture *f = *state;
	struct names n;

	for (int i = 0; i < 20; i++)
		deliver("INBOX", "many");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.permits = "\\Seen";
	for (int64_t row = n.row - 19; row <= n.row; row++)
		assert_int_equal(set_flags(f, row, row == n.row - 5 ? "+keyword" : "+\\Seen"), 0);
	assert_int_equal(settle(f, f->inbox), -ENOTSUP);
	for (uint32_t uid = 1; uid <= 20; uid++)
		assert_true(has_flags("INBOX", uid, uid == 15 ? "" : "\\Seen"));
}

/* A sync whose answer takes its time; it has asked by now. */
static void begin_sync(struct fixture *f, struct waiter_sync *s)
{
	int syncs = memory_counts().syncs;

	memory_faults.sync_answer_ms = 500;
	waiter_sync_init(s);
	assert_int_equal(mailbox_look(f->mailbox, f->inbox, &s->waiter), -EINPROGRESS);
	WAIT_FOR(memory_counts().syncs > syncs);
}

static void a_sync_that_asked_before_does_not_show_old_flags(void **state)
{
	struct fixture *f = *state;
	struct waiter_sync s;
	int64_t row;

	deliver("INBOX", "one");
	mount_fixture(f);
	row = names(f, f->inbox).row;
	stop(f);
	memory_set_flags("INBOX", 1, "\\Answered");
	start(f);
	begin_sync(f, &s);
	assert_int_equal(set_flags(f, row, "+\\Flagged"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(wait_answer(-EINPROGRESS, &s), 0);
	assert_true(shows_flags(f, row, "\\Flagged"));
	remount(f, false);
	assert_true(shows_flags(f, row, "\\Answered \\Flagged"));
}

static void what_a_sync_left_as_it_was_is_told_by_the_next(void **state)
{
	struct fixture *f = *state;
	struct waiter_sync s;
	int64_t row;

	deliver("INBOX", "one");
	mount_fixture(f);
	row = names(f, f->inbox).row;
	stop(f);
	start(f);
	memory_faults.change_answer_ms = 300;
	assert_int_equal(set_flags(f, row, "+\\Flagged"), 0);
	WAIT_FOR(has_flags("INBOX", 1, "\\Flagged"));
	memory_set_flags("INBOX", 1, "\\Answered \\Flagged"); /* another client, before the sync */
	begin_sync(f, &s);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(wait_answer(-EINPROGRESS, &s), 0);
	memory_faults.change_answer_ms = memory_faults.sync_answer_ms = 0;
	remount(f, false);
	assert_true(shows_flags(f, row, "\\Answered \\Flagged"));
}

/* ------------------------------------------------------------ removal */

static void rm_moves_to_the_trash(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX + 1];
	struct names n;
	int64_t trash;

	memory_add_folder("Bin", '/', 0, USE_TRASH);
	deliver("INBOX", "one");
	deliver("INBOX", "two");
	mount_fixture(f);
	trash = folder_row(f, MAILBOX_ROOT, "Bin");
	n = names(f, f->inbox);
	strcpy(name, n.last);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, name), 0);
	assert_int_equal(row_of(f, f->inbox, name), 0);
	assert_int_equal(row_of(f, trash, name), n.row);
	assert_int_equal(settle(f, trash), 0);
	assert_int_equal(holding("INBOX", "two"), 0);
	assert_int_equal(holding("INBOX", "one"), 1);
	assert_int_equal(holding("Bin", "two"), 1);
	assert_int_equal(row_of(f, trash, name), n.row);
	assert_int_equal(mailbox_unlink(f->mailbox, trash, name), -EPERM);
	f->configuration.trash_keep_s = 0;
	assert_int_equal(mailbox_unlink(f->mailbox, trash, name), 0);
	assert_int_equal(settle(f, trash), 0);
	assert_int_equal(memory_count_messages("Bin"), 0);
	assert_int_equal(memory_count_messages("INBOX"), 1);
}

/* As a message that the server has: whoever wrote it was told that it is safe. */
static void rm_of_what_is_on_its_way_moves_to_the_trash(void **state)
{
	struct fixture *f = *state;
	int64_t trash, row;

	memory_add_folder("Bin", '/', 0, USE_TRASH);
	mount_fixture(f);
	trash = folder_row(f, MAILBOX_ROOT, "Bin");
	names(f, trash);
	go_offline();
	row = write_file(f, f->inbox, "letter.eml", LETTER);
	commit(f, row);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, "letter.eml"), 0);
	assert_int_equal(row_of(f, f->inbox, "letter.eml"), 0);
	assert_int_equal(row_of(f, trash, "letter.eml"), row);
	go_online();
	WAIT_FOR(holding("Bin", "new text") == 1);
	assert_int_equal(settle(f, trash), 0);
	assert_int_equal(row_of(f, trash, "letter.eml"), row);
	assert_int_equal(memory_count_messages("INBOX"), 0);
}

/* It stays hidden, whatever comes between. */
static void rm_of_what_is_on_its_way_marks(void **state)
{
	struct fixture *f = *state;

	f->configuration.delete_mode = DELETE_MARK;
	mount_fixture(f);
	go_offline();
	commit(f, write_file(f, f->inbox, "letter.eml", LETTER));
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, "letter.eml"), 0);
	remount(f, false);
	assert_int_equal(row_of(f, f->inbox, "letter.eml"), 0);
	go_online();
	WAIT_FOR(has_flags("INBOX", 1, "\\Deleted"));
	assert_int_equal(holding("INBOX", "new text"), 1);
	assert_int_equal(names(f, f->inbox).n, 0);
}

/* Its bytes are on this disk alone. */
static void the_same_bytes_go_over_what_is_on_its_way(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount_fixture(f);
	go_offline();
	row = write_file(f, f->inbox, "letter.eml", LETTER);
	commit(f, row);
	assert_int_equal(commit(f, write_file(f, f->inbox, ".same", LETTER)), 0);
	assert_int_equal(rename_to(f, f->inbox, ".same", f->inbox, "letter.eml"), 0);
	assert_int_equal(row_of(f, f->inbox, "letter.eml"), row);
	assert_int_equal(commit(f, write_file(f, f->inbox, ".other", LETTER "more\r\n")), 0);
	assert_int_equal(rename_to(f, f->inbox, ".other", f->inbox, "letter.eml"), -EEXIST);
	go_online();
	assert_int_equal(settle(f, f->inbox), 0);
	WAIT_FOR(holding("INBOX", "new text") == 1);
}

/* What is placed by it before the first look at the trash is answered stays as it is. */
static void rm_goes_on_while_somebody_looks_at_the_trash_for_the_first_time(void **state)
{
	struct fixture *f = *state;
	struct mailbox_entry trash;
	struct waiter_sync s;
	struct names n;

	memory_add_folder("Bin", '/', 0, USE_TRASH);
	memory_add_message("Bin", LETTER, strlen(LETTER), "", 1776159000);
	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	assert_int_equal(mailbox_lookup(f->mailbox, MAILBOX_ROOT, "Bin", &trash), 0);
	memory_faults.sync_begin_ms = 500;
	waiter_sync_init(&s);
	assert_int_equal(mailbox_look(f->mailbox, trash.folder.row, &s.waiter), -EINPROGRESS);
	usleep(100 * 1000);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, n.last), 0);
	WAIT_FOR(holding("Bin", "one") == 1);
	assert_int_equal(wait_answer(-EINPROGRESS, &s), 0);
	assert_int_equal(names(f, trash.folder.row).n, 2);
	assert_int_equal(row_of(f, trash.folder.row, n.last), n.row);
	assert_int_equal(set_flags(f, n.row, "+\\Flagged"), 0);
	assert_int_equal(settle(f, trash.folder.row), 0);
	assert_true(has_flags("Bin", 2, "\\Flagged"));
}

static void a_trash_is_made_where_there_is_none(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, n.last), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	WAIT_FOR(memory_has_folder("Trash") && holding("Trash", "one") == 1);
	assert_int_equal(names(f, folder_row(f, MAILBOX_ROOT, "Trash")).n, 1);
}

static void of_names_that_are_usual_for_a_trash_the_best_is_it(void **state)
{
	struct fixture *f = *state;

	memory_add_folder("Bin", '/', 0, USE_NONE);
	memory_add_folder("TRASH", '/', 0, USE_NONE);
	deliver("INBOX", "one");
	mount_fixture(f);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, names(f, f->inbox).last), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(holding("TRASH", "one"), 1);
}

static void a_trash_that_is_being_deleted_is_none(void **state)
{
	struct fixture *f = *state;

	memory_add_folder("Bin", '/', 0, USE_TRASH);
	deliver("INBOX", "one");
	mount_fixture(f);
	names(f, folder_row(f, MAILBOX_ROOT, "Bin"));
	go_offline();
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "Bin"), 0);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, names(f, f->inbox).last), 0);
	assert_int_equal(names(f, folder_row(f, MAILBOX_ROOT, "Trash")).n, 1);
	go_online();
	WAIT_FOR(memory_has_folder("Trash") && holding("Trash", "one") == 1);
	assert_false(memory_has_folder("Bin"));
	assert_int_equal(memory_count_messages("INBOX"), 0);
}

static void without_uidplus_it_stays_marked_and_hidden(void **state)
{
	struct fixture *f = *state;
	struct names n;

	f->configuration.delete_mode = DELETE_EXPUNGE;
	memory_faults.lacks = BACKEND_EXPUNGE_UID;
	deliver("INBOX", "one");
	deliver("INBOX", "two");
	memory_set_flags("INBOX", 2, "\\Deleted");
	mount_fixture(f);
	n = names(f, f->inbox);
	assert_int_equal(n.n, 2);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, "2026-04-14_0930_Alice_one.1.eml"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_true(has_flags("INBOX", 1, "\\Deleted"));
	assert_int_equal(names(f, f->inbox).n, 1);
	remount(f, false);
	assert_string_equal(names(f, f->inbox).last, n.last);
	assert_int_equal(names(f, f->inbox).n, 1);
	remount(f, true);
	assert_int_equal(names(f, f->inbox).n, 1);
	assert_string_equal(names(f, f->inbox).last, n.last);
	assert_int_equal(memory_count_messages("INBOX"), 2);
}

static void expunge_takes_this_one_only(void **state)
{
	struct fixture *f = *state;

	f->configuration.delete_mode = DELETE_EXPUNGE;
	deliver("INBOX", "one");
	deliver("INBOX", "two");
	memory_set_flags("INBOX", 2, "\\Deleted");
	mount_fixture(f);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, "2026-04-14_0930_Alice_one.1.eml"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(holding("INBOX", "one"), 0);
	assert_int_equal(holding("INBOX", "two"), 1);
}

/* ------------------------------------------------------------ moving */

static void check_moved(struct fixture *f, const char *name, int64_t row, bool keeps_row)
{
	assert_int_equal(names(f, f->inbox).n, 0);
	assert_int_equal(names(f, f->archive).n, 1);
	assert_string_equal(names(f, f->archive).last, name);
	if (keeps_row)
		assert_int_equal(names(f, f->archive).row, row);
	assert_int_equal(memory_count_messages("INBOX"), 0);
	assert_int_equal(memory_count_messages("Archive"), 1);
	assert_int_equal(holding("Archive", "one"), 1);
}

static void move_and_check(struct fixture *f)
{
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, n.last), 0);
	assert_int_equal(names(f, f->inbox).n, 0);
	assert_int_equal(row_of(f, f->archive, n.last), n.row);
	assert_int_equal(settle(f, f->archive), 0);
	WAIT_FOR(memory_count_messages("INBOX") == 0);
	check_moved(f, n.last, n.row, true);
	remount(f, false);
	check_moved(f, n.last, n.row, true);
	remount(f, true);
	check_moved(f, n.last, n.row, false);
}

static void mv_keeps_name_and_row(void **state)
{
	move_and_check(*state);
	assert_int_equal(memory_counts().moves, 1);
}

static void mv_works_without_move(void **state)
{
	memory_faults.lacks = BACKEND_MOVE;
	move_and_check(*state);
	assert_int_equal(memory_counts().copies, 1);
}

static void mv_finds_its_message_where_no_uid_is_told(void **state)
{
	memory_faults.lacks = BACKEND_EXPUNGE_UID;
	memory_faults.tells_no_uids = true;
	move_and_check(*state);
}

static void a_move_whose_answer_is_lost_is_made_once(void **state)
{
	struct fixture *f = *state;
	struct names n;

	for (int has_move = 0; has_move < 2; has_move++) {
		memory_faults.lacks = has_move ? 0 : BACKEND_MOVE;
		deliver("INBOX", has_move ? "moved" : "copied");
		mount_fixture(f);
		n = names(f, f->inbox);
		memory_faults.change_breaks = -ENOTCONN;
		memory_faults.change_was_done = true;
		assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, n.last), 0);
		usleep(100000);
		memset(&memory_faults, 0, sizeof memory_faults);
		memory_faults.lacks = has_move ? 0 : BACKEND_MOVE;
		WAIT_FOR(memory_count_messages("INBOX") == 0);
		remount(f, false);
		assert_int_equal(holding("Archive", has_move ? "moved" : "copied"), 1);
		assert_int_equal(memory_count_messages("Archive"), (size_t)has_move + 1);
		stop(f);
	}
	mount_fixture(f);
	assert_int_equal(names(f, f->archive).n, 2);
}

/* Two that a listing cannot tell apart, and one that comes meanwhile. */
static void moves_whose_answer_is_lost_keep_name_and_row(void **state)
{
	struct fixture *f = *state;
	int64_t one, two;

	deliver("INBOX", "one");
	deliver("INBOX", "two");
	deliver("INBOX", "before");
	mount_fixture(f);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_before.3.eml", f->archive, "before.eml"), 0);
	assert_int_equal(settle(f, f->inbox), 0); /* from now on it is known that UIDs are told */
	one = row_of(f, f->inbox, "2026-04-14_0930_Alice_one.1.eml");
	two = row_of(f, f->inbox, "2026-04-14_0930_Alice_two.2.eml");
	memory_faults.change_breaks = -ENOTCONN;
	memory_faults.change_was_done = true;
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_one.1.eml", f->archive, "first.eml"), 0);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_two.2.eml", f->archive, "second.eml"), 0);
	WAIT_FOR(memory_count_messages("Archive") == 3);
	deliver("Archive", "another");
	assert_int_equal(set_flags(f, two, "+\\Flagged"), 0);
	memset(&memory_faults, 0, sizeof memory_faults);
	WAIT_FOR(has_flags("Archive", 3, "\\Flagged"));
	assert_int_equal(row_of(f, f->archive, "first.eml"), one);
	assert_int_equal(row_of(f, f->archive, "second.eml"), two);
	remount(f, true);
	assert_int_not_equal(row_of(f, f->archive, "first.eml"), 0);
	assert_int_not_equal(row_of(f, f->archive, "second.eml"), 0);
	assert_int_equal(names(f, f->archive).n, 4);
	assert_int_equal(names(f, f->inbox).n, 0);
}

static void a_refused_move_is_taken_back(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.change_error = -EDQUOT;
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "other.eml"), 0);
	assert_int_equal(settle(f, f->archive), -EDQUOT);
	assert_int_equal(names(f, f->archive).n, 0);
	assert_int_equal(row_of(f, f->inbox, n.last), n.row);
}

static void *refuse_later(void *unused)
{
	(void)unused;
	usleep(300 * 1000);
	memory_faults.change_error = -EDQUOT;
	return NULL;
}

static void who_waits_goes_on_waiting_while_the_server_says_later(void **state)
{
	struct fixture *f = *state;

	pthread_t thread;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.change_error = -EAGAIN;
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "other.eml"), 0);
	assert_int_equal(pthread_create(&thread, NULL, refuse_later, NULL), 0);
	assert_int_equal(settle(f, f->archive), -EDQUOT);
	pthread_join(thread, NULL);
}

static void a_removal_of_which_half_is_refused_is_told_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct names n;

	f->configuration.delete_mode = DELETE_EXPUNGE;
	deliver("INBOX", "one");
	deliver("INBOX", "two");
	memory_set_flags("INBOX", 2, "\\Seen \\Deleted");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_faults.expunge_error = -EACCES;
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, n.last), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(memory_count_messages("INBOX"), 1);
	n = names(f, f->inbox);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, n.last), 0);
	assert_int_equal(settle(f, f->inbox), -EACCES);
	assert_true(has_flags("INBOX", 1, ""));
	assert_int_equal(names(f, f->inbox).n, 1);
}

static void mount_with_trash_first(struct fixture *f)
{
	f->configuration.delete_mode = DELETE_EXPUNGE;
	memory_faults.keeps_expunged = true;
	memory_add_folder("All", '/', 0, USE_ALL);
	memory_add_folder("Papierkorb", '/', 0, USE_TRASH);
	deliver("Papierkorb", "trashed");
	for (int i = 0; i < 3; i++)
		deliver("INBOX", "one");
	mount_fixture(f);
}

static void what_is_removed_is_nowhere_where_only_the_trash_forgets(void **state)
{
	struct fixture *f = *state;
	struct names n;

	mount_with_trash_first(f);
	for (int i = 0; i < 2; i++) {
		n = names(f, f->inbox);
		assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, n.last), 0);
	}
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(memory_count_messages("INBOX"), 1);
	assert_int_equal(memory_count_messages("All"), 0);
	assert_int_equal(memory_count_messages("Papierkorb"), 1);
	n = names(f, folder_row(f, MAILBOX_ROOT, "Papierkorb"));
	assert_int_equal(n.n, 1);
	assert_int_equal(mailbox_unlink(f->mailbox, folder_row(f, MAILBOX_ROOT, "Papierkorb"), n.last), 0);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_int_equal(memory_count_messages("Papierkorb"), 0);
	assert_int_equal(memory_count_messages("All"), 0);
	assert_int_equal(memory_counts().moves, 1);
}

static void a_removal_that_is_cut_in_the_trash_goes_on_there(void **state)
{
	struct fixture *f = *state;

	mount_with_trash_first(f);
	memory_faults.changes_before = 1;
	memory_faults.change_breaks = -ETIMEDOUT;
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, names(f, f->inbox).last), 0);
	WAIT_FOR(memory_counts().expunges > 0);
	assert_int_equal(memory_count_messages("Papierkorb"), 2);
	stop(f);
	memory_faults.change_breaks = 0;
	mount_fixture(f);
	WAIT_FOR(memory_count_messages("Papierkorb") == 1);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_int_equal(memory_count_messages("INBOX"), 2);
	assert_int_equal(memory_count_messages("All"), 0);
	assert_int_equal(names(f, f->inbox).n, 2);
	assert_int_equal(holding("Papierkorb", "trashed"), 1);
}

static void a_folder_that_is_a_mere_name_is_deleted_on_the_server(void **state)
{
	struct fixture *f = *state;

	memory_add_folder("Name", '/', FOLDER_NOSELECT, USE_NONE);
	mount_fixture(f);
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "Name"), 0);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_false(memory_has_folder("Name"));
}

/* ------------------------------------------------------------ new messages */

static void what_was_stored_is_not_refused_for_what_cannot_be_read(void **state)
{
	struct fixture *f = *state;

	mount_fixture(f);
	memory_faults.tells_no_uids = true;
	memory_faults.unreadable = "new text";
	assert_int_equal(commit(f, write_file(f, f->archive, "unread.eml", LETTER)), 0);
	assert_int_equal(memory_counts().appends, 1);
	memory_faults.unreadable = "another";
	memory_faults.open_error = -ECONNREFUSED;
	memory_faults.change_breaks = -ENOTCONN;
	memory_faults.change_was_done = true;
	assert_int_equal(commit(f, write_file(f, f->archive, "found.eml", LETTER "found\r\n")), 0);
	deliver("Archive", "another");
	memory_faults.open_error = memory_faults.change_breaks = 0;
	remount(f, false);
	assert_int_equal(settle(f, f->archive), 0);
	assert_int_not_equal(row_of(f, f->archive, "found.eml"), 0);
	assert_int_equal(names(f, f->archive).n, 3);
	assert_int_equal(memory_counts().appends, 2);
}

/* Sent with one command, they are looked for together, and late ones waited for once. */
static void many_whose_answer_is_lost_are_looked_for_together(void **state)
{
	enum { MANY = 20 };
	struct fixture *f = *state;
	int64_t began_ms;
	int appends, fetches;

	deliver("INBOX", "one");
	mount_fixture(f);
	for (int done = 0; done < 2; done++) {
		memory_faults.open_error = -ECONNREFUSED;
		memory_faults.change_breaks = -ENOTCONN;
		assert_int_equal(set_flags(f, names(f, f->inbox).row, done ? "-kw" : "+kw"), 0);
		usleep(100000);
		for (int i = 0; i < MANY; i++) {
			CLEANUP(buf) struct buf text = BUF_INIT, name = BUF_INIT;

			buf_printf(&text, "From: a@example.com\r\nSubject: %d of %d\r\n\r\ntext\r\n", i, done);
			buf_printf(&name, "%d-%d.eml", done, i);
			assert_int_equal(commit(f, write_file(f, f->archive, buf_str(&name), buf_str(&text))), 0);
		}
		appends = memory_counts().appends;
		fetches = memory_counts().fetches;
		memory_faults.changes_before = 1;
		memory_faults.change_was_done = done;
		memory_faults.open_error = 0;
		WAIT_FOR(memory_counts().appends > appends);
		began_ms = clock_monotonic_ms();
		memory_faults.change_breaks = 0;
		WAIT_FOR(settle(f, f->archive) == 0 && memory_count_messages("Archive") == (size_t)(MANY * (done + 1)));
		remount(f, false);
		assert_int_equal(settle(f, f->archive), 0);
		assert_true(clock_monotonic_ms() - began_ms < 5000);
		assert_int_equal(memory_counts().appends - appends, done ? 1 : 2);
		assert_true(memory_counts().fetches - fetches < 2 * MANY);
		assert_int_equal(names(f, f->archive).n, MANY * (done + 1));
	}
}

static void what_follows_a_refused_upload_is_refused_with_it(void **state)
{
	struct fixture *f = *state;
	struct waiter_sync s;
	struct names n;
	int64_t other, row;

	memory_add_folder("Other", '/', 0, USE_NONE);
	deliver("INBOX", "one");
	mount_fixture(f);
	other = folder_row(f, MAILBOX_ROOT, "Other");
	n = names(f, f->inbox);
	memory_faults.open_error = -ECONNREFUSED;
	memory_faults.change_breaks = -ENOTCONN;
	assert_int_equal(set_flags(f, n.row, "+kw"), 0);
	usleep(100000);
	row = write_file(f, f->archive, "a.eml", LETTER);
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(set_flags(f, row, "+\\Flagged"), 0);
	assert_int_equal(rename_to(f, f->archive, "a.eml", other, "b.eml"), 0);
	assert_int_equal(set_flags(f, row, "+\\Seen"), 0);
	memory_faults.append_limit = 5;
	memory_faults.open_error = memory_faults.change_breaks = 0;
	WAIT_FOR(row_of(f, other, "b.eml.partial") == row);
	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_settle_message(f->mailbox, row, &s.waiter), &s), -EFBIG);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(row_of(f, other, "b.eml.partial"), row);
		assert_int_equal(names(f, other).n, 1);
		assert_int_equal(names(f, f->archive).n, 0);
		remount(f, false);
	}
}

static void a_file_becomes_a_message_at_its_last_close(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount_fixture(f);
	row = write_file(f, f->inbox, "letter.eml", "From: a@example.com\nSubject: new\n\nnew text\n");
	assert_int_equal(memory_count_messages("INBOX"), 0);
	assert_int_equal(set_flags(f, row, "\\Flagged"), 0);
	assert_int_equal(mailbox_set_mtime(f->mailbox, row, &(struct timespec){ .tv_sec = 1000000000, .tv_nsec = 5 }), 0);
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(holding("INBOX", "Subject: new\r\n\r\nnew text\r\n"), 1);
	assert_true(has_flags("INBOX", 1, "\\Flagged"));
	assert_int_equal(row_of(f, f->inbox, "letter.eml"), row);
	remount(f, false);
	assert_int_equal(row_of(f, f->inbox, "letter.eml"), row);
	remount(f, true);
	assert_int_equal(names(f, f->inbox).n, 1);
	assert_string_equal(names(f, f->inbox).last, "letter.eml");
	assert_int_equal(memory_count_messages("INBOX"), 1);
}

static void a_message_whose_answer_is_lost_is_stored_once(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	for (int done = 0; done < 2; done++) {
		mount_fixture(f);
		row = write_file(f, f->inbox, done ? "done.eml" : "undone.eml", LETTER);
		memory_faults.change_breaks = -ENOTCONN;
		memory_faults.change_was_done = done;
		assert_int_equal(commit(f, row), 0);
		memset(&memory_faults, 0, sizeof memory_faults);
		remount(f, done);
		WAIT_FOR(memory_count_messages("INBOX") == (size_t)done + 1);
		settle(f, f->inbox);
		assert_int_equal(names(f, f->inbox).n, done + 1);
		assert_int_not_equal(row_of(f, f->inbox, done ? "done.eml" : "undone.eml"), 0);
		stop(f);
	}
	mount_fixture(f);
	assert_int_equal(memory_count_messages("INBOX"), 2);
}

static void a_message_is_found_again_in_a_folder_that_was_begun_anew(void **state)
{
	struct fixture *f = *state;

	for (uint32_t uid = 1; uid <= 5; uid++) {
		deliver("Archive", "old");
		memory_remove_message("Archive", uid);
	}
	mount_fixture(f);
	memory_faults.change_breaks = -ENOTCONN;
	memory_faults.change_was_done = true;
	assert_int_equal(commit(f, write_file(f, f->archive, "letter.eml", LETTER)), 0);
	memory_faults.open_error = -ECONNREFUSED;
	stop(f);
	memory_begin_anew("Archive", 4711);
	memset(&memory_faults, 0, sizeof memory_faults);
	mount_fixture(f);
	assert_int_equal(settle(f, f->archive), 0);
	assert_int_equal(memory_count_messages("Archive"), 1);
	assert_int_equal(names(f, f->archive).n, 1);
}

static void what_is_no_message_stays_as_scratch(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount_fixture(f);
	row = write_file(f, f->inbox, "notes.txt", "just some words\n");
	assert_int_equal(commit(f, row), -EINVAL);
	assert_int_equal(row_of(f, f->inbox, "notes.txt.partial"), row);
	memory_faults.change_error = -EDQUOT;
	row = write_file(f, f->inbox, "letter.eml", LETTER);
	assert_int_equal(commit(f, row), -EDQUOT);
	assert_int_equal(row_of(f, f->inbox, "letter.eml.partial"), row);
	memory_faults.change_error = 0;
	remount(f, true);
	assert_int_equal(names(f, f->inbox).n, 2);
	assert_int_equal(rename_to(f, f->inbox, "letter.eml.partial", f->inbox, "letter.eml"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(memory_count_messages("INBOX"), 1);
}

static void scratch_is_uploaded_once_it_has_a_name(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount_fixture(f);
	row = write_file(f, f->inbox, ".letter.eml.Xy12Z9", LETTER);
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(memory_count_messages("INBOX"), 0);
	assert_int_equal(rename_to(f, f->inbox, ".letter.eml.Xy12Z9", f->inbox, "letter.eml"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(memory_count_messages("INBOX"), 1);
	assert_int_equal(row_of(f, f->inbox, "letter.eml"), row);
}

static void an_abandoned_file_is_never_uploaded(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount_fixture(f);
	row = write_file(f, f->inbox, "letter.eml", LETTER);
	mailbox_abandon(f->mailbox, row);
	assert_int_equal(row_of(f, f->inbox, "letter.eml.partial"), row);
	row = write_file(f, f->inbox, "other.eml", LETTER);
	remount(f, false);
	assert_int_equal(row_of(f, f->inbox, "other.eml.partial"), row);
	assert_int_equal(memory_count_messages("INBOX"), 0);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, "other.eml.partial"), 0);
	remount(f, true);
	assert_int_equal(names(f, f->inbox).n, 1);
}

static void rename_over_the_same_bytes_stores_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t row, again;

	mount_fixture(f);
	row = write_file(f, f->inbox, "letter.eml", LETTER);
	assert_int_equal(commit(f, row), 0);
	again = write_file(f, f->inbox, ".letter.tmp", LETTER);
	assert_int_equal(commit(f, again), 0);
	assert_int_equal(rename_to(f, f->inbox, ".letter.tmp", f->inbox, "letter.eml"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(memory_count_messages("INBOX"), 1);
	assert_int_equal(names(f, f->inbox).n, 1);
	again = write_file(f, f->inbox, ".letter.tmp", LETTER "and more\r\n");
	assert_int_equal(commit(f, again), 0);
	assert_int_equal(rename_to(f, f->inbox, ".letter.tmp", f->inbox, "letter.eml"), -EEXIST);
	assert_int_equal(names(f, f->inbox).n, 2);
	assert_int_equal(row_of(f, f->inbox, "letter.eml"), row);
}

static void many_new_messages_go_in_few_commands(void **state)
{
	struct fixture *f = *state;
	char name[32], scratch[32];

	mount_fixture(f);
	for (int i = 0; i < 50; i++) {
		snprintf(scratch, sizeof scratch, ".%d.tmp", i);
		snprintf(name, sizeof name, "%d.eml", i);
		assert_int_equal(commit(f, write_file(f, f->inbox, scratch, LETTER)), 0);
		assert_int_equal(rename_to(f, f->inbox, scratch, f->inbox, name), 0);
	}
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(memory_count_messages("INBOX"), 50);
	assert_int_equal(names(f, f->inbox).n, 50);
	assert_true(memory_counts().appends < 25);
}

static void a_copy_is_made_by_the_server(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t row;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	row = write_file(f, f->archive, "copy.eml", "");
	assert_int_equal(mailbox_copy(f->mailbox, n.row, row), 0);
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(holding("Archive", "one"), 1);
	assert_int_equal(memory_counts().copies, 1);
	assert_int_equal(memory_counts().appends, 0);
	assert_int_equal(row_of(f, f->archive, "copy.eml"), row);
	remount(f, true);
	assert_int_not_equal(row_of(f, f->archive, "copy.eml"), 0);
	assert_int_equal(names(f, f->archive).n, 1);
}

static void a_copy_of_what_has_gone_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t row;

	deliver("INBOX", "one");
	deliver("INBOX", "two");
	mount_fixture(f);
	n = names(f, f->inbox);
	memory_remove_message("INBOX", 2); /* nobody has looked since */
	row = write_file(f, f->archive, "copy.eml", "");
	assert_int_equal(mailbox_copy(f->mailbox, n.row, row), 0);
	assert_int_equal(commit(f, row), -ENOENT);
	assert_int_equal(row_of(f, f->archive, "copy.eml"), 0);
	row = write_file(f, f->archive, "copy.eml", "");
	assert_int_equal(mailbox_copy(f->mailbox, n.row, row), 0);
	WAIT_FOR(!row_of(f, f->archive, "copy.eml")); /* before its close */
	assert_int_equal(commit(f, row), -ENOENT);
	row = write_file(f, f->archive, "copy.eml", "");
	assert_int_equal(mailbox_copy(f->mailbox, n.row - 1, row), 0);
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(holding("Archive", "one"), 1);
}

static void a_copy_has_the_flags_of_its_source_or_those_that_were_said(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t row;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	assert_int_equal(set_flags(f, n.row, "\\Seen \\Flagged"), 0);
	row = write_file(f, f->archive, "copy.eml", "");
	assert_int_equal(mailbox_copy(f->mailbox, n.row, row), 0);
	assert_true(shows_flags(f, row, "\\Seen \\Flagged"));
	assert_int_equal(commit(f, row), 0);
	assert_true(shows_flags(f, row, "\\Seen \\Flagged"));
	assert_true(has_flags("Archive", 1, "\\Seen \\Flagged"));
	assert_int_equal(set_flags(f, row, "-\\Seen"), 0);
	assert_int_equal(settle(f, f->archive), 0);
	assert_true(has_flags("Archive", 1, "\\Flagged"));
	row = write_file(f, f->archive, "second.eml", "");
	assert_int_equal(set_flags(f, row, "\\Answered"), 0);
	assert_int_equal(mailbox_copy(f->mailbox, n.row, row), 0);
	assert_int_equal(commit(f, row), 0);
	assert_true(shows_flags(f, row, "\\Answered"));
	assert_true(has_flags("Archive", 2, "\\Answered"));
}

static void a_copy_that_was_removed_offline_stays_so_over_a_remount(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t row;

	f->configuration.delete_mode = DELETE_EXPUNGE;
	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	go_offline();
	for (int i = 0; i < 2; i++) {
		row = write_file(f, f->archive, i ? "moved.eml" : "removed.eml", "");
		assert_int_equal(mailbox_copy(f->mailbox, n.row, row), 0);
		assert_int_equal(commit(f, row), 0);
	}
	assert_int_equal(mailbox_unlink(f->mailbox, f->archive, "removed.eml"), 0);
	assert_int_equal(rename_to(f, f->archive, "moved.eml", f->inbox, "there.eml"), 0);
	remount(f, false);
	assert_int_equal(names(f, f->archive).n, 0);
	assert_int_not_equal(row_of(f, f->inbox, "there.eml"), 0);
	go_online();
	WAIT_FOR(memory_counts().expunges);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_int_equal(memory_count_messages("Archive"), 0);
	assert_int_equal(holding("INBOX", "one"), 2);
	assert_int_not_equal(row_of(f, f->inbox, "there.eml"), 0);
}

static void of_two_names_on_the_way_the_later_stays(void **state)
{
	struct fixture *f = *state;

	for (int offline = 0; offline < 2; offline++) {
		deliver("INBOX", "stored");
		mount_fixture(f);
		if (offline)
			go_offline();
		assert_int_equal(commit(f, write_file(f, f->inbox, ".scratch", LETTER)), 0);
		assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_stored.1.eml", f->archive, "s1"), 0);
		assert_int_equal(rename_to(f, f->archive, "s1", f->archive, "s2"), 0);
		assert_int_equal(rename_to(f, f->inbox, ".scratch", f->inbox, "n0"), 0);
		assert_int_equal(rename_to(f, f->inbox, "n0", f->archive, "n1"), 0);
		assert_int_equal(rename_to(f, f->archive, "n1", f->archive, "n2"), 0);
		go_online();
		WAIT_FOR(memory_count_messages("Archive") == 2);
		assert_int_equal(settle(f, MAILBOX_ROOT), 0);
		assert_int_not_equal(row_of(f, f->archive, "s2"), 0);
		assert_int_not_equal(row_of(f, f->archive, "n2"), 0);
		if (!offline) {
			teardown(state);
			setup(state);
			f = *state;
		}
	}
}

static void what_was_refused_before_an_fsync_is_told_by_the_next_one(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t row;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	for (int i = 0; i < 3; i++) {
		memory_faults.change_error = -EACCES;
		assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "moved.eml"), 0);
		WAIT_FOR(row_of(f, f->inbox, n.last));
		assert_int_equal(settle(f, (int64_t[]){ f->inbox, f->archive, MAILBOX_ROOT }[i]), -EACCES);
		assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	}
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "moved.eml"), 0);
	WAIT_FOR(row_of(f, f->inbox, n.last));
	memory_faults.change_error = 0;
	assert_int_equal(commit(f, write_file(f, f->archive, "new.eml", LETTER)), 0);
	assert_int_equal(settle(f, f->inbox), -EACCES);
	memory_faults.change_error = -EDQUOT;
	row = write_file(f, f->archive, "full.eml", LETTER);
	assert_int_equal(commit(f, row), -EDQUOT); /* which has told it */
	assert_int_equal(settle(f, f->archive), 0);
}

static void a_copy_that_cannot_be_made_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount_fixture(f);
	row = write_file(f, f->archive, "copy.eml", "");
	mailbox_abandon_copy(f->mailbox, row);
	assert_int_equal(names(f, f->archive).n, 0);
	mailbox_abandon_copy(f->mailbox, row); /* removed meanwhile */
	remount(f, false);
	assert_int_equal(names(f, f->archive).n, 0);
}

static void what_has_gone_does_not_make_moves_slow(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX + 1];

	for (int i = 0; i < 50; i++)
		deliver("INBOX", "many");
	mount_fixture(f);
	names(f, f->inbox);
	memory_remove_message("INBOX", 1);
	memory_remove_message("INBOX", 2);
	for (int i = 1; i <= 50; i++) {
		snprintf(name, sizeof name, "2026-04-14_0930_Alice_many.%d.eml", i);
		assert_int_equal(rename_to(f, f->inbox, name, f->archive, name), 0);
	}
	assert_int_equal(settle(f, f->archive), -ENOENT);
	assert_int_equal(memory_count_messages("Archive"), 48);
	assert_int_equal(names(f, f->archive).n, 48);
	assert_true(memory_counts().fetches < 10);
}

static void a_draft_is_replaced_once_the_new_one_is_there(void **state)
{
	struct fixture *f = *state;
	struct names n;
	int64_t drafts;

	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	deliver("Drafts", "one");
	mount_fixture(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	n = names(f, drafts);
	write_and_close(open_to_write(f, n.row, true), LETTER);
	memory_faults.change_error = -EDQUOT;
	assert_int_equal(commit(f, n.row), -EDQUOT);
	assert_int_equal(holding("Drafts", "one"), 1);
	assert_int_equal(names(f, drafts).n, 2); /* the old one, and what was written */
	memory_faults.change_error = 0;
	assert_int_equal(rename_to(f, drafts, names(f, drafts).last, drafts, n.last), 0);
	assert_int_equal(settle(f, drafts), 0);
	WAIT_FOR(holding("Drafts", "one") == 0);
	assert_int_equal(holding("Drafts", "new text"), 1);
	assert_int_equal(names(f, drafts).n, 1);
	assert_string_equal(names(f, drafts).last, n.last);
}

/* Opened, written over and closed. */
static int rewrite(struct fixture *f, int64_t row, const char *text)
{
	int fd = -1;

	fd = open_to_write(f, row, true);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return commit(f, row);
}

static void a_draft_stays_where_the_server_stores_no_message_twice(void **state)
{
	struct fixture *f = *state;
	int64_t drafts;

	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	memory_add_message("Drafts", LETTER, strlen(LETTER), "", 1776159000);
	mount_fixture(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	memory_faults.stores_once = true;
	for (int told = 1; told >= 0; told--) {
		memory_faults.tells_no_uids = !told;
		assert_int_equal(rewrite(f, names(f, drafts).row, LETTER), 0);
		assert_int_equal(settle(f, drafts), 0);
		assert_int_equal(memory_count_messages("Drafts"), 1);
		assert_true(has_flags("Drafts", 1, ""));
		assert_int_equal(names(f, drafts).n, 1);
	}
	remount(f, true);
	assert_int_equal(names(f, folder_row(f, MAILBOX_ROOT, "Drafts")).n, 1);
}

static void rm_spares_what_was_stored_as_the_same_message(void **state)
{
	struct fixture *f = *state;
	struct names n;

	memory_add_message("Archive", LETTER, strlen(LETTER), "", 1776159000);
	f->configuration.delete_mode = DELETE_EXPUNGE;
	mount_fixture(f);
	n = names(f, f->archive);
	memory_faults.stores_once = true;
	memory_faults.open_error = -ECONNREFUSED;
	memory_faults.change_breaks = -ENOTCONN;
	assert_int_equal(set_flags(f, n.row, "+\\Seen"), 0);
	usleep(100000);
	assert_int_equal(commit(f, write_file(f, f->archive, "copy.eml", LETTER)), 0);
	assert_int_equal(mailbox_unlink(f->mailbox, f->archive, n.last), 0);
	memory_faults.open_error = memory_faults.change_breaks = 0;
	WAIT_FOR(memory_counts().appends == 1);
	remount(f, false);
	assert_int_equal(settle(f, f->archive), 0);
	assert_int_equal(memory_count_messages("Archive"), 1);
	assert_int_not_equal(row_of(f, f->archive, "copy.eml"), 0);
	assert_int_equal(names(f, f->archive).n, 1);
}

/* Another version, of which nobody knows whether it arrived: that the old one is there says nothing. */
static void a_draft_is_never_taken_for_its_next_version(void **state)
{
	static const char *const next[] = {
		"From: a@example.com\r\nSubject: new\r\nTo: boss@example.com\r\nMessage-ID: <new@example.com>\r\n\r\nnew text\r\n",
		"From: a@example.com\r\nSubject: other\r\nMessage-ID: <new@example.com>\r\n\r\nnew text\r\n",
		LETTER "and more\r\n",
	};
	struct fixture *f = *state;
	int64_t drafts;

	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	for (size_t i = 0; i < 2 * sizeof next / sizeof *next; i++) {
		const char *text = next[i / 2];
		bool begins_anew = i % 2;

		for (uint32_t uid = 1; uid < 100; uid++)
			if (memory_get_message("Drafts", uid, NULL, NULL))
				memory_remove_message("Drafts", uid);
		memory_add_message("Drafts", LETTER, strlen(LETTER), "", 1776159000);
		mount_fixture(f);
		drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
		memory_faults.tells_no_uidnext = !begins_anew;
		memory_faults.change_breaks = -ENOTCONN;
		assert_int_equal(rewrite(f, names(f, drafts).row, text), 0);
		memory_faults.open_error = -ECONNREFUSED;
		stop(f);
		if (begins_anew)
			memory_begin_anew("Drafts", 4711 + (uint32_t)i);
		memory_faults.open_error = memory_faults.change_breaks = 0;
		mount_fixture(f);
		WAIT_FOR(holding("Drafts", text) == 1);
		settle(f, folder_row(f, MAILBOX_ROOT, "Drafts"));
		assert_int_equal(memory_count_messages("Drafts"), begins_anew ? 2 : 1);
		stop(f);
		memset(&memory_faults, 0, sizeof memory_faults);
	}
	mount_fixture(f);
}

/* ------------------------------------------------------------ folders */

static void folders_are_made_renamed_and_deleted(void **state)
{
	struct fixture *f = *state;
	int64_t row = 0, below = 0;

	mount_fixture(f);
	assert_int_equal(mailbox_mkdir(f->mailbox, MAILBOX_ROOT, "Projekte ä", &row), 0);
	assert_int_equal(mailbox_mkdir(f->mailbox, row, "2026", &below), 0);
	assert_int_equal(mailbox_mkdir(f->mailbox, row, "2026", &below), -EEXIST);
	assert_int_equal(settle(f, row), 0);
	WAIT_FOR(memory_has_folder("Projekte ä/2026"));
	assert_int_equal(commit(f, write_file(f, below, "letter.eml", LETTER)), 0);
	assert_int_equal(rename_to(f, MAILBOX_ROOT, "Projekte ä", MAILBOX_ROOT, "Projects"), 0);
	assert_int_equal(settle(f, row), 0);
	WAIT_FOR(memory_has_folder("Projects/2026") && !memory_has_folder("Projekte ä"));
	assert_int_not_equal(row_of(f, below, "letter.eml"), 0);
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "Projects"), -ENOTEMPTY);
	assert_int_equal(mailbox_rmdir(f->mailbox, row, "2026"), -ENOTEMPTY);
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "INBOX"), -EBUSY);
	f->configuration.delete_mode = DELETE_EXPUNGE;
	assert_int_equal(mailbox_unlink(f->mailbox, below, "letter.eml"), 0);
	assert_int_equal(mailbox_rmdir(f->mailbox, row, "2026"), 0);
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "Projects"), 0);
	WAIT_FOR(!memory_has_folder("Projects/2026") && !memory_has_folder("Projects"));
}

static void a_folder_that_is_not_empty_there_comes_back(void **state)
{
	struct fixture *f = *state;

	mount_fixture(f);
	deliver("Archive", "late");
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "Archive"), 0);
	WAIT_FOR(row_of(f, MAILBOX_ROOT, "Archive") == f->archive);
	assert_int_equal(memory_count_messages("Archive"), 1);
}

static void a_refused_folder_goes_again(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount_fixture(f);
	memory_faults.change_error = -EACCES;
	assert_int_equal(mailbox_mkdir(f->mailbox, MAILBOX_ROOT, "New", &row), 0);
	WAIT_FOR(row_of(f, MAILBOX_ROOT, "New") == 0);
	assert_int_equal(rename_to(f, MAILBOX_ROOT, "Archive", MAILBOX_ROOT, "Other"), 0);
	WAIT_FOR(row_of(f, MAILBOX_ROOT, "Archive") == f->archive);
	assert_int_equal(row_of(f, MAILBOX_ROOT, "Other"), 0);
}

static void scratch_directories_are_on_no_server(void **state)
{
	struct fixture *f = *state;
	int64_t row, file;

	mount_fixture(f);
	assert_int_equal(mailbox_mkdir(f->mailbox, f->inbox, ".rsync-partial", &row), 0);
	file = write_file(f, row, "letter.eml", LETTER);
	assert_int_equal(commit(f, file), 0);
	remount(f, true);
	row = folder_row(f, f->inbox, ".rsync-partial");
	assert_int_equal(row_of(f, row, "letter.eml"), file);
	assert_int_equal(memory_counts().folder_changes, 0);
	assert_int_equal(rename_to(f, row, "letter.eml", f->inbox, "letter.eml"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(memory_count_messages("INBOX"), 1);
	assert_int_equal(mailbox_rmdir(f->mailbox, f->inbox, ".rsync-partial"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flags_show_at_once_and_reach_the_server),
		TEST(many_flags_go_in_few_commands),
		TEST(refused_flags_are_taken_back),
		TEST(all_that_waits_still_shows_when_the_first_is_confirmed),
		TEST(flags_that_were_confirmed_stay),
		TEST(flags_that_others_changed_of_what_was_put_there_show),
		TEST(one_that_is_refused_takes_no_other_with_it),
		TEST(a_sync_that_asked_before_does_not_show_old_flags),
		TEST(what_a_sync_left_as_it_was_is_told_by_the_next),
		TEST(rm_moves_to_the_trash),
		TEST(rm_of_what_is_on_its_way_moves_to_the_trash),
		TEST(rm_of_what_is_on_its_way_marks),
		TEST(the_same_bytes_go_over_what_is_on_its_way),
		TEST(rm_goes_on_while_somebody_looks_at_the_trash_for_the_first_time),
		TEST(a_trash_is_made_where_there_is_none),
		TEST(of_names_that_are_usual_for_a_trash_the_best_is_it),
		TEST(a_trash_that_is_being_deleted_is_none),
		TEST(without_uidplus_it_stays_marked_and_hidden),
		TEST(expunge_takes_this_one_only),
		TEST(mv_keeps_name_and_row),
		TEST(mv_works_without_move),
		TEST(mv_finds_its_message_where_no_uid_is_told),
		TEST(a_move_whose_answer_is_lost_is_made_once),
		TEST(moves_whose_answer_is_lost_keep_name_and_row),
		TEST(a_refused_move_is_taken_back),
		TEST(who_waits_goes_on_waiting_while_the_server_says_later),
		TEST(a_removal_of_which_half_is_refused_is_told_as_it_is),
		TEST(what_is_removed_is_nowhere_where_only_the_trash_forgets),
		TEST(a_removal_that_is_cut_in_the_trash_goes_on_there),
		TEST(a_folder_that_is_a_mere_name_is_deleted_on_the_server),
		TEST(a_file_becomes_a_message_at_its_last_close),
		TEST(a_message_whose_answer_is_lost_is_stored_once),
		TEST(a_message_is_found_again_in_a_folder_that_was_begun_anew),
		TEST(what_is_no_message_stays_as_scratch),
		TEST(scratch_is_uploaded_once_it_has_a_name),
		TEST(an_abandoned_file_is_never_uploaded),
		TEST(rename_over_the_same_bytes_stores_nothing),
		TEST(many_new_messages_go_in_few_commands),
		TEST(a_copy_is_made_by_the_server),
		TEST(a_copy_of_what_has_gone_is_an_error),
		TEST(a_copy_has_the_flags_of_its_source_or_those_that_were_said),
		TEST(a_copy_that_was_removed_offline_stays_so_over_a_remount),
		TEST(of_two_names_on_the_way_the_later_stays),
		TEST(what_was_refused_before_an_fsync_is_told_by_the_next_one),
		TEST(a_copy_that_cannot_be_made_leaves_nothing),
		TEST(what_has_gone_does_not_make_moves_slow),
		TEST(a_draft_is_replaced_once_the_new_one_is_there),
		TEST(a_draft_stays_where_the_server_stores_no_message_twice),
		TEST(rm_spares_what_was_stored_as_the_same_message),
		TEST(a_draft_is_never_taken_for_its_next_version),
		TEST(what_was_stored_is_not_refused_for_what_cannot_be_read),
		TEST(what_follows_a_refused_upload_is_refused_with_it),
		TEST(many_whose_answer_is_lost_are_looked_for_together),
		TEST(folders_are_made_renamed_and_deleted),
		TEST(a_folder_that_is_not_empty_there_comes_back),
		TEST(a_refused_folder_goes_again),
		TEST(scratch_directories_are_on_no_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

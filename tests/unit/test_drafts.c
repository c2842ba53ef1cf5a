/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that are written above a server in memory, drafts above all: what replaces what, what becomes a message, and what stays when something goes wrong.
 */
#include "changing_fixture.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* ------------------------------------------------------------ fsync(2) */

static atomic_int syncs;

/* In place of the C library's. */
int fdatasync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

static void fsync_puts_what_only_this_machine_has_on_its_disk(void **state)
{
	struct fixture *f = *state;
	struct waiter_sync s;
	int64_t row;
	int before;

	mount_fixture(f);
	row = write_file(f, f->inbox, "x.swp", "half a");
	assert_int_equal(commit(f, row), 0);
	before = syncs;
	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_settle_message(f->mailbox, row, &s.waiter), &s), 0);
	assert_true(syncs > before);
	assert_int_equal(rename_to(f, f->inbox, "x.swp", f->inbox, "y.swp"), 0);
	before = syncs;
	assert_int_equal(settle(f, f->inbox), 0);
	assert_true(syncs > before);
}

/* ------------------------------------------------------------ drafts that are edited */

/* A mount with drafts, one of them by this name and with this text. */
static int64_t mount_draft(struct fixture *f, const char *name)
{
	int64_t drafts;

	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	mount_fixture(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	assert_int_equal(commit(f, write_file(f, drafts, name, LETTER)), 0);
	return drafts;
}

static void a_draft_that_is_written_is_not_moved(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml"), row = row_of(f, drafts, "draft.eml");
	int fd = open_to_write(f, row, true);

	assert_int_equal(rename_to(f, drafts, "draft.eml", f->archive, "x.eml"), -EBUSY);
	assert_int_equal(set_flags(f, row, "+\\Flagged"), -EBUSY);
	assert_int_equal(deliver("Archive", "another client's"), 1); /* as the draft's UID is */
	write_and_close(fd, LETTER "second\r\n");
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_int_equal(memory_count_messages("Archive"), 1);
	WAIT_FOR(memory_count_messages("Drafts") == 1);
	assert_int_equal(holding("Drafts", "second"), 1);
}

static void a_draft_that_is_written_can_be_removed(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml"), row = row_of(f, drafts, "draft.eml");
	int fd = open_to_write(f, row, true);

	f->configuration.delete_mode = DELETE_EXPUNGE;
	assert_int_equal(mailbox_unlink(f->mailbox, drafts, "draft.eml"), 0);
	write_and_close(fd, LETTER "second\r\n");
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(settle(f, drafts), 0);
	assert_int_equal(memory_count_messages("Drafts"), 0);
	assert_int_equal(names(f, drafts).n, 0);
}

static void an_emptied_draft_makes_way_for_another(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml"), row = row_of(f, drafts, "draft.eml");

	close(open_to_write(f, row, true));
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(commit(f, write_file(f, drafts, "x.tmp", LETTER "second\r\n")), 0);
	assert_int_equal(rename_to(f, drafts, "x.tmp", drafts, "draft.eml"), 0);
	assert_int_equal(settle(f, drafts), 0);
	assert_int_equal(memory_count_messages("Drafts"), 1);
	assert_int_equal(holding("Drafts", "second"), 1);
	assert_int_equal(names(f, drafts).n, 1);
}

static void a_copy_that_cannot_be_made_leaves_the_draft_as_it_was(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml"), row = row_of(f, drafts, "draft.eml");

	write_and_close(open_to_write(f, row, true), "part of what was to be copied");
	mailbox_abandon_copy(f->mailbox, row);
	assert_int_equal(row_of(f, drafts, "draft.eml"), row);
	assert_int_equal(names(f, drafts).n, 1);
	assert_true(shows_flags(f, row, ""));
	assert_int_equal(rename_to(f, drafts, "draft.eml", f->archive, "x.eml"), 0);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_int_equal(holding("Archive", "new text"), 1);
}

static void nothing_takes_the_place_of_a_draft_but_a_message(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml");

	assert_int_equal(commit(f, write_file(f, drafts, "x.tmp", "")), 0);
	assert_int_equal(rename_to(f, drafts, "x.tmp", drafts, "draft.eml"), -EEXIST);
	assert_int_not_equal(row_of(f, drafts, "draft.eml"), 0);
	assert_int_equal(names(f, drafts).n, 2);
}

static void a_stored_draft_takes_the_place_of_another(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml");

	assert_int_equal(commit(f, write_file(f, drafts, "tmpXq3a9Z", LETTER "second\r\n")), 0);
	assert_int_equal(memory_count_messages("Drafts"), 2);
	assert_int_equal(rename_to(f, drafts, "tmpXq3a9Z", drafts, "draft.eml"), 0);
	assert_int_equal(names(f, drafts).n, 1);
	assert_int_equal(settle(f, drafts), 0);
	assert_int_equal(memory_count_messages("Drafts"), 1);
	assert_int_equal(holding("Drafts", "second"), 1);
	remount(f, true);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	assert_string_equal(names(f, drafts).last, "draft.eml");
}

/* The new one is on its way still, and refused: the old one stays. */
static void a_draft_takes_the_place_of_another_once_it_is_there(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml"), row = row_of(f, drafts, "draft.eml");

	go_offline();
	set_flags(f, row, "+kw");
	usleep(100000);
	assert_int_equal(commit(f, write_file(f, drafts, "tmpXq3a9Z", LETTER "second\r\n")), 0);
	assert_int_equal(rename_to(f, drafts, "tmpXq3a9Z", drafts, "draft.eml"), 0);
	memory_faults.append_limit = 10;
	go_online();
	WAIT_FOR(row_of(f, drafts, "draft.eml") == row);
	assert_int_equal(settle(f, MAILBOX_ROOT), -EFBIG);
	assert_int_equal(memory_count_messages("Drafts"), 1);
	assert_int_not_equal(row_of(f, drafts, "draft.eml.partial"), 0);
}

/* As Emacs and vim save: the old one is given another name, and a new one written. */
static void a_draft_that_was_renamed_to_a_backup_is_replaced(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml"), backup;
	struct body *body;
	struct waiter_sync s;
	struct mailbox_entry e;

	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_open(f->mailbox, row_of(f, drafts, "draft.eml"), &s.waiter, &body), &s), 0);
	mailbox_close(f->mailbox, body);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rename_to(f, drafts, "draft.eml", drafts, "draft.eml~"), 0);
		assert_int_equal(commit(f, write_file(f, drafts, "draft.eml", i ? LETTER "third\r\n" : LETTER "second\r\n")), 0);
		assert_int_equal(settle(f, drafts), 0);
		assert_int_equal(memory_count_messages("Drafts"), 1);
		assert_int_equal(holding("Drafts", i ? "third" : "second"), 1);
		assert_int_equal(mailbox_lookup(f->mailbox, drafts, "draft.eml~", &e), 0);
		assert_true(e.message.is_local);
		assert_int_equal(e.message.size_bytes, (int64_t)strlen(i ? LETTER "second\r\n" : LETTER));
	}
	backup = row_of(f, drafts, "draft.eml~");
	remount(f, false);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	assert_int_equal(row_of(f, drafts, "draft.eml~"), backup);
	assert_int_equal(names(f, drafts).n, 2);
}

/* A stored draft with \Seen, and no way to the server. */
static int64_t mount_draft_and_go_offline(struct fixture *f)
{
	int64_t drafts = mount_draft(f, "draft.eml");

	assert_int_equal(set_flags(f, row_of(f, drafts, "draft.eml"), "\\Seen"), 0);
	assert_int_equal(settle(f, drafts), 0);
	go_offline();
	assert_int_equal(set_flags(f, row_of(f, drafts, "draft.eml"), "+kw"), 0);
	usleep(100000);
	return drafts;
}

static void save_with_backup(struct fixture *f, int64_t drafts, const char *text)
{
	assert_int_equal(rename_to(f, drafts, "draft.eml", drafts, "draft.eml~"), 0);
	assert_int_equal(commit(f, write_file(f, drafts, "draft.eml", text)), 0);
}

/* A scratch file of this size. */
static void assert_backup(struct fixture *f, int64_t drafts, size_t size_bytes)
{
	struct mailbox_entry e;

	assert_int_equal(mailbox_lookup(f->mailbox, drafts, "draft.eml~", &e), 0);
	assert_true(e.message.is_local);
	assert_int_equal(e.message.size_bytes, (int64_t)size_bytes);
	assert_int_equal(names(f, drafts).n, 2);
}

/* Saved three times offline; `then` happens before the server is back. */
static void check_saved_on_its_way(struct fixture *f, void (*then)(struct fixture *f))
{
	int64_t drafts = mount_draft_and_go_offline(f);

	for (int i = 0; i < 3; i++)
		save_with_backup(f, drafts, i == 2 ? LETTER "third\r\n" : i ? LETTER "2nd\r\n" : LETTER "first\r\n");
	then(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	assert_backup(f, drafts, strlen(LETTER "2nd\r\n"));
	go_online();
	WAIT_FOR(holding("Drafts", "third") == 1 && memory_count_messages("Drafts") == 1);
	assert_int_equal(settle(f, drafts), 0);
	assert_backup(f, drafts, strlen(LETTER "2nd\r\n"));
	assert_true(shows_flags(f, row_of(f, drafts, "draft.eml"), "\\Seen kw"));
}

static void nothing(struct fixture *f)
{
	(void)f;
}

static void remount_with_cache(struct fixture *f)
{
	remount(f, false);
}

static void a_backup_that_is_on_its_way_is_replaced(void **state)
{
	check_saved_on_its_way(*state, nothing);
}

static void a_backup_that_is_on_its_way_is_replaced_after_a_remount(void **state)
{
	check_saved_on_its_way(*state, remount_with_cache);
}

static void a_backup_that_is_on_its_way_is_replaced_without_the_cache(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft_and_go_offline(f);

	save_with_backup(f, drafts, LETTER "first\r\n");
	save_with_backup(f, drafts, LETTER "second\r\n");
	stop(f);
	delete_cache(f);
	go_online();
	mount_fixture(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	WAIT_FOR(holding("Drafts", "second") == 1 && memory_count_messages("Drafts") == 1);
	assert_int_equal(settle(f, drafts), 0);
	WAIT_FOR(row_of(f, drafts, "draft.eml"));
	assert_backup(f, drafts, strlen(LETTER "first\r\n"));
}

/* The first save is there by then, and neither the newest nor what it was to replace is lost. */
static void a_backup_that_is_on_its_way_stays_when_the_new_one_is_refused(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft_and_go_offline(f);

	save_with_backup(f, drafts, LETTER "first\r\n");
	save_with_backup(f, drafts, LETTER "poison\r\n");
	memory_faults.poison = "poison";
	memory_faults.poison_error = -EDQUOT;
	go_online();
	WAIT_FOR(row_of(f, drafts, "draft.eml.partial"));
	settle(f, drafts);
	WAIT_FOR(holding("Drafts", "first") == 1 && memory_count_messages("Drafts") == 1);
	assert_int_equal(settle(f, drafts), 0);
	assert_int_equal(names(f, drafts).n, 3); /* the draft under another name, its backup, and what was refused */
}

/* Its bytes are not here, so it is no scratch file: what was saved since takes its place by a rename. */
static void a_draft_on_its_way_takes_the_place_of_one_called_as_a_backup(void **state)
{
	struct fixture *f = *state;
	int64_t drafts;

	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	deliver("Drafts", "old");
	mount_fixture(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	assert_int_equal(rename_to(f, drafts, names(f, drafts).last, drafts, "draft.eml"), 0);
	go_offline();
	assert_int_equal(set_flags(f, names(f, drafts).row, "+kw"), 0);
	usleep(100000);
	save_with_backup(f, drafts, LETTER "first\r\n");
	save_with_backup(f, drafts, LETTER "second\r\n");
	assert_backup(f, drafts, strlen(LETTER "first\r\n"));
	go_online();
	WAIT_FOR(holding("Drafts", "second") == 1 && memory_count_messages("Drafts") == 1);
}

static void a_refused_edit_leaves_the_draft_under_its_name(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml"), row = row_of(f, drafts, "draft.eml");
	struct mailbox_entry e;

	write_and_close(open_to_write(f, row, true), LETTER "second, and longer\r\n");
	memory_faults.change_error = -EDQUOT;
	assert_int_equal(commit(f, row), -EDQUOT);
	memory_faults.change_error = 0;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(mailbox_lookup(f->mailbox, drafts, "draft.eml", &e), 0);
		assert_int_equal(e.message.size_bytes, (int64_t)strlen(LETTER));
		assert_int_not_equal(row_of(f, drafts, "draft.eml.partial"), 0);
		remount(f, i == 0);
		drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	}
	assert_int_equal(mailbox_unlink(f->mailbox, drafts, "draft.eml"), 0);
	assert_int_equal(settle(f, drafts), 0);
	assert_int_equal(memory_count_messages("Drafts"), 0);
}

/* As a power cut leaves them: the index is not synced. */
static void an_edit_that_an_older_index_does_not_know_is_sent(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml");
	char command[400];

	stop(f);
	snprintf(command, sizeof command, "cp -r %s %s.old", f->cache, f->cache);
	assert_int_equal(system(command), 0);
	deliver("INBOX", "one");
	mount_fixture(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	go_offline();
	set_flags(f, names(f, f->inbox).row, "+kw");
	usleep(100000);
	write_and_close(open_to_write(f, row_of(f, drafts, "draft.eml"), true), LETTER "second\r\n");
	assert_int_equal(commit(f, row_of(f, drafts, "draft.eml")), 0);
	stop(f);
	snprintf(command, sizeof command, "rm -rf %s; mv %s.old %s", f->cache, f->cache, f->cache);
	assert_int_equal(system(command), 0);
	go_online();
	mount_fixture(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	WAIT_FOR(holding("Drafts", "second") == 1 && memory_count_messages("Drafts") == 1);
	assert_int_equal(settle(f, drafts), 0);
	assert_int_equal(names(f, drafts).n, 1);
	assert_string_equal(names(f, drafts).last, "draft.eml");
}

/* A change of the old text waits in the journal: that is not the new one on its way. */
static void a_draft_with_changes_that_wait_is_saved(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml"), row = row_of(f, drafts, "draft.eml"), copy;

	go_offline();
	assert_int_equal(set_flags(f, row, "+\\Flagged"), 0);
	copy = write_file(f, f->archive, "copy.eml", "");
	assert_int_equal(mailbox_copy(f->mailbox, row, copy), 0);
	assert_int_equal(commit(f, copy), 0);
	write_and_close(open_to_write(f, row, true), LETTER "second\r\n");
	assert_int_equal(commit(f, row), 0);
	remount(f, false);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	assert_string_equal(names(f, drafts).last, "draft.eml");
	go_online();
	WAIT_FOR(holding("Drafts", "second") == 1 && memory_count_messages("Drafts") == 1);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_int_equal(holding("Archive", "new text"), 1);
	assert_int_equal(holding("Archive", "second"), 0);
	assert_true(shows_flags(f, row_of(f, drafts, "draft.eml"), "\\Flagged"));
}

static void an_edit_that_is_not_ended_is_set_aside_whatever_waits(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml"), row = row_of(f, drafts, "draft.eml");

	go_offline();
	assert_int_equal(set_flags(f, row, "+\\Flagged"), 0);
	write_and_close(open_to_write(f, row, true), LETTER "second\r\n");
	remount(f, false); /* and no last close */
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	assert_int_not_equal(row_of(f, drafts, "draft.eml"), 0);
	assert_int_not_equal(row_of(f, drafts, "draft.eml.partial"), 0);
	go_online();
	WAIT_FOR(has_flags("Drafts", 1, "\\Flagged"));
}

static void an_edit_that_is_not_ended_is_set_aside_without_the_cache_too(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml"), row = row_of(f, drafts, "draft.eml");
	struct mailbox_entry e;

	go_offline();
	assert_int_equal(set_flags(f, row, "+\\Flagged"), 0);
	write_and_close(open_to_write(f, row, true), LETTER "second\r\n");
	stop(f);
	delete_cache(f);
	go_online();
	mount_fixture(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	assert_int_equal(settle(f, drafts), 0);
	WAIT_FOR(row_of(f, drafts, "draft.eml.partial"));
	write_and_close(open_to_write(f, row_of(f, drafts, "draft.eml"), true), LETTER "third\r\n");
	assert_int_equal(commit(f, row_of(f, drafts, "draft.eml")), 0);
	assert_int_equal(mailbox_lookup(f->mailbox, drafts, "draft.eml.partial", &e), 0);
	assert_int_equal(e.message.size_bytes, (int64_t)strlen(LETTER "second\r\n"));
}

/* ------------------------------------------------------------ messages that come to be drafts */

/* As open(2) with O_APPEND does. */
static int open_again_and_again(struct fixture *f, int64_t row)
{
	struct waiter_sync s;
	int fd = -1, r;

	do {
		waiter_sync_init(&s);
		r = mailbox_edit(f->mailbox, row, true, false, &s.waiter, &fd);
		assert_int_equal(wait_answer(r, &s), 0);
	} while (r == -EINPROGRESS);
	assert_int_equal(lseek(fd, 0, SEEK_END) > 0, 1);
	return fd;
}

static int open_at_once(struct fixture *f, int64_t row, bool write)
{
	struct waiter_sync s;
	int fd = -1, r;

	waiter_sync_init(&s);
	r = mailbox_edit(f->mailbox, row, write, false, &s.waiter, &fd);
	assert_true(r < 0);
	wait_answer(r, &s);
	return r;
}

/* A letter in INBOX, and a server that takes its time to say that it has done something. */
static int64_t mount_slow(struct fixture *f)
{
	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	deliver("INBOX", "one");
	mount_fixture(f);
	memory_faults.change_answer_ms = 300;
	return folder_row(f, MAILBOX_ROOT, "Drafts");
}

static void check_written_after_it_has_arrived(struct fixture *f, int64_t drafts)
{
	int64_t row = row_of(f, drafts, "draft.eml");

	assert_int_equal(open_at_once(f, row, false), -EACCES); /* nobody waits to read what is stored */
	write_and_close(open_again_and_again(f, row), "more\r\n");
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(settle(f, drafts), 0);
	assert_int_equal(memory_count_messages("Drafts"), 1);
	assert_int_equal(holding("Drafts", "one\r\nmore\r\n"), 1);
	assert_int_equal(row_of(f, drafts, "draft.eml"), row);
	assert_int_equal(names(f, drafts).n, 1);
}

static void who_writes_into_what_is_moved_to_the_drafts_waits(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_slow(f);

	assert_int_equal(rename_to(f, f->inbox, names(f, f->inbox).last, drafts, "draft.eml"), 0);
	assert_int_equal(open_at_once(f, row_of(f, drafts, "draft.eml"), true), -EINPROGRESS);
	assert_int_equal(rename_to(f, drafts, "draft.eml", f->inbox, "back.eml"), 0);
	assert_int_equal(rename_to(f, f->inbox, "back.eml", drafts, "draft.eml"), 0);
	check_written_after_it_has_arrived(f, drafts);
	assert_int_equal(memory_count_messages("INBOX"), 0);
}

static void who_writes_into_what_is_copied_to_the_drafts_waits(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_slow(f), copy = write_file(f, drafts, "draft.eml", "");

	assert_int_equal(mailbox_copy(f->mailbox, names(f, f->inbox).row, copy), 0);
	check_written_after_it_has_arrived(f, drafts);
	assert_int_equal(memory_count_messages("INBOX"), 1);
}

static void nobody_waits_offline_to_write_into_what_is_moved_to_the_drafts(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_slow(f);

	memory_faults.change_answer_ms = 0;
	go_offline();
	assert_int_equal(rename_to(f, f->inbox, names(f, f->inbox).last, drafts, "draft.eml"), 0);
	usleep(100000);
	assert_int_equal(open_at_once(f, row_of(f, drafts, "draft.eml"), true), -EACCES);
	go_online();
	WAIT_FOR(holding("Drafts", "one") == 1);
}

/* What is moved elsewhere is no draft. */
static void nobody_waits_to_write_into_what_is_moved_out_of_the_drafts(void **state)
{
	struct fixture *f = *state;
	int64_t drafts = mount_draft(f, "draft.eml"), row = row_of(f, drafts, "draft.eml");

	memory_faults.change_answer_ms = 300;
	assert_int_equal(rename_to(f, drafts, "draft.eml", f->archive, "x.eml"), 0);
	assert_int_equal(open_at_once(f, row, true), -EACCES);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_int_equal(holding("Archive", "new text"), 1);
}

/* ------------------------------------------------------------ files that are still written, and their folders */

static void what_is_written_is_not_compared_with_what_it_is_renamed_to(void **state)
{
	static const char first[] = "Subject: long\n\nfirst part\n", second[] = "second part\n";
	struct fixture *f = *state;
	int64_t row;
	int fd;

	mount_fixture(f);
	assert_int_equal(commit(f, write_file(f, f->inbox, "target.eml", LETTER)), 0);
	assert_int_equal(mailbox_create(f->mailbox, f->inbox, "x.eml", 0600, &row, &fd), 0);
	assert_int_equal(write(fd, first, strlen(first)), (ssize_t)strlen(first));
	assert_int_equal(rename_to(f, f->inbox, "x.eml", f->inbox, "target.eml"), -EEXIST);
	write_and_close(fd, second);
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(holding("INBOX", "first part\r\nsecond part\r\n"), 1);
}

static void a_rename_over_the_same_bytes_that_must_be_fetched_is_done_the_second_time(void **state)
{
	static const char one[] = "From: Alice <a@example.com>\r\nMessage-ID: <one@example.com>\r\nSubject: one\r\n\r\none\r\n";
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	mount_fixture(f);
	n = names(f, f->inbox);
	assert_int_equal(commit(f, write_file(f, f->inbox, "x.tmp", one)), 0);
	assert_int_equal(commit(f, write_file(f, f->inbox, "y.tmp", LETTER)), 0);
	assert_int_equal(rename_to(f, f->inbox, "y.tmp", f->inbox, n.last), -EEXIST);
	assert_int_equal(memory_counts().fetches, 0);				/* another size: none of it is needed */
	assert_int_equal(rename_to(f, f->inbox, "x.tmp", f->inbox, n.last), 0); /* what w was answered with */
	assert_int_equal(rename_to(f, f->inbox, "x.tmp", f->inbox, n.last), 0);
	assert_int_equal(row_of(f, f->inbox, n.last), n.row);
	assert_int_equal(row_of(f, f->inbox, "x.tmp"), 0);
	assert_int_equal(memory_counts().appends, 0);
}

static void bytes_that_were_refused_are_as_they_were_written(void **state)
{
	static const char bare[] = "Subject: bare\n\nline\nline\n";
	struct fixture *f = *state;
	struct mailbox_entry e;

	memory_faults.append_limit = 10;
	mount_fixture(f);
	assert_int_equal(commit(f, write_file(f, f->inbox, "target.eml", "A: b\r\n\r\n")), 0);
	assert_int_equal(commit(f, write_file(f, f->inbox, "x.tmp", bare)), 0);
	assert_int_equal(rename_to(f, f->inbox, "x.tmp", f->inbox, "target.eml"), -EEXIST);
	assert_int_equal(rename_to(f, f->inbox, "x.tmp", f->inbox, "large.eml"), -EFBIG);
	assert_int_equal(mailbox_lookup(f->mailbox, f->inbox, "x.tmp", &e), 0);
	assert_int_equal(e.message.size_bytes, (int64_t)strlen(bare));
}

static void a_file_that_is_renamed_as_it_is_closed_is_sent_once(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount_fixture(f);
	row = write_file(f, f->inbox, "x.tmp", LETTER);
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(rename_to(f, f->inbox, "x.tmp", f->inbox, "x.eml"), 0);
	assert_int_equal(commit(f, row), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	assert_int_equal(memory_counts().appends, 1);
	assert_int_equal(memory_count_messages("INBOX"), 1);
}

static void what_was_put_into_a_refused_folder_stays(void **state)
{
	struct fixture *f = *state;
	int64_t made = 0;

	deliver("INBOX", "one");
	mount_fixture(f);
	go_offline();
	set_flags(f, names(f, f->inbox).row, "+kw");
	usleep(100000);
	assert_int_equal(mailbox_mkdir(f->mailbox, MAILBOX_ROOT, "New", &made), 0);
	assert_int_equal(commit(f, write_file(f, made, "letter.eml", LETTER)), 0);
	memory_faults.change_error = -EACCES;
	go_online();
	WAIT_FOR(row_of(f, MAILBOX_ROOT, "letter.eml.partial"));
	memory_faults.change_error = 0;
	remount(f, true);
	assert_int_not_equal(row_of(f, MAILBOX_ROOT, "letter.eml.partial"), 0);
}

static void what_is_written_into_a_refused_folder_stays(void **state)
{
	struct fixture *f = *state;
	int64_t made = 0, row;

	mount_fixture(f);
	memory_faults.change_error = -EACCES;
	assert_int_equal(mailbox_mkdir(f->mailbox, MAILBOX_ROOT, "New", &made), 0);
	row = write_file(f, made, "letter.eml", LETTER);
	assert_int_equal(settle(f, MAILBOX_ROOT), -EACCES);
	memory_faults.change_error = 0;
	assert_int_equal(commit(f, row), -ENOENT);
	assert_int_not_equal(row_of(f, MAILBOX_ROOT, "letter.eml.partial"), 0);
	assert_int_equal(memory_counts().appends, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fsync_puts_what_only_this_machine_has_on_its_disk),
		TEST(a_stored_draft_takes_the_place_of_another),
		TEST(a_draft_takes_the_place_of_another_once_it_is_there),
		TEST(a_draft_that_was_renamed_to_a_backup_is_replaced),
		TEST(a_backup_that_is_on_its_way_is_replaced),
		TEST(a_backup_that_is_on_its_way_is_replaced_after_a_remount),
		TEST(a_backup_that_is_on_its_way_is_replaced_without_the_cache),
		TEST(a_backup_that_is_on_its_way_stays_when_the_new_one_is_refused),
		TEST(a_draft_on_its_way_takes_the_place_of_one_called_as_a_backup),
		TEST(a_draft_with_changes_that_wait_is_saved),
		TEST(an_edit_that_is_not_ended_is_set_aside_whatever_waits),
		TEST(an_edit_that_is_not_ended_is_set_aside_without_the_cache_too),
		TEST(a_draft_that_is_written_is_not_moved),
		TEST(a_draft_that_is_written_can_be_removed),
		TEST(an_emptied_draft_makes_way_for_another),
		TEST(a_copy_that_cannot_be_made_leaves_the_draft_as_it_was),
		TEST(nothing_takes_the_place_of_a_draft_but_a_message),
		TEST(a_refused_edit_leaves_the_draft_under_its_name),
		TEST(an_edit_that_an_older_index_does_not_know_is_sent),
		TEST(who_writes_into_what_is_moved_to_the_drafts_waits),
		TEST(who_writes_into_what_is_copied_to_the_drafts_waits),
		TEST(nobody_waits_offline_to_write_into_what_is_moved_to_the_drafts),
		TEST(nobody_waits_to_write_into_what_is_moved_out_of_the_drafts),
		TEST(what_is_written_is_not_compared_with_what_it_is_renamed_to),
		TEST(a_rename_over_the_same_bytes_that_must_be_fetched_is_done_the_second_time),
		TEST(bytes_that_were_refused_are_as_they_were_written),
		TEST(a_file_that_is_renamed_as_it_is_closed_is_sent_once),
		TEST(what_was_put_into_a_refused_folder_stays),
		TEST(what_is_written_into_a_refused_folder_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

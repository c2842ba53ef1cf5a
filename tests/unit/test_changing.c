/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes above a server in memory: shown at once, on the server soon, taken back when refused, and neither lost nor made twice whatever breaks meanwhile.
 */
#include "unit.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "mailbox/changing.h"
#include "mailbox/mailbox.h"
#include "memory_backend.h"

enum { PATIENCE_MS = 10000 };

struct fixture {
	char directory[64], cache[96], state[96];
	struct configuration configuration;
	struct mailbox *mailbox;
	int64_t inbox, archive;
};

static void start(struct fixture *f)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct mailbox_options options = {
		.configuration = &f->configuration,
		.backend = &memory_backend,
		.mountpoint = "/nowhere",
		.userdata = f,
	};

	assert_int_equal(mailbox_new(&options, &f->mailbox, &why), 0);
	assert_int_equal(mailbox_connect(f->mailbox, false, &why), 0);
}

static void stop(struct fixture *f)
{
	mailbox_free(f->mailbox);
	f->mailbox = NULL;
}

static void delete_cache(struct fixture *f)
{
	char command[256];

	snprintf(command, sizeof command, "rm -rf %s && mkdir %s", f->cache, f->cache);
	assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	memory_reset();
	snprintf(f->directory, sizeof f->directory, "/tmp/mailfs-test-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->cache, sizeof f->cache, "%s/cache", f->directory);
	snprintf(f->state, sizeof f->state, "%s/state", f->directory);
	assert_int_equal(mkdir(f->cache, 0700), 0);
	assert_int_equal(mkdir(f->state, 0700), 0);
	f->configuration = (struct configuration){
		.account = (char *)"test",
		.imap = { .host = (char *)"memory", .user = (char *)"alice" },
		.auth = (char *)"auto",
		.zone = (char *)"UTC",
		.folders = (char *)"*",
		.sent = (char *)"auto",
		.trash_keep_s = 3600,
		.cache_dir = f->cache,
		.state_dir = f->state,
		.cache_size_bytes = 1 << 30,
		.timeout_s = 5,
		.connections = 4,
		.read_ahead_bytes = 8 << 20,
	};
	memory_add_folder("INBOX", '/', 0, USE_NONE);
	memory_add_folder("Archive", '/', 0, USE_NONE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[96];

	memset(&memory_faults, 0, sizeof memory_faults);
	stop(f);
	snprintf(command, sizeof command, "rm -rf %s", f->directory);
	assert_int_equal(system(command), 0);
	free(f);
	memory_reset();
	return 0;
}

/* ------------------------------------------------------------ the server */

static uint32_t deliver(const char *folder, const char *subject)
{
	char message[256];
	int n = snprintf(message, sizeof message,
			 "From: Alice <a@example.com>\r\nMessage-ID: <%s@example.com>\r\nSubject: %s\r\n\r\n%s\r\n", subject,
			 subject, subject);

	return memory_add_message(folder, message, (size_t)n, "", 1776159000);
}

/* How many messages of a folder hold this text. */
static int holding(const char *folder, const char *text)
{
	int n = 0;

	for (uint32_t uid = 1; uid < 200; uid++) {
		CLEANUP(buf) struct buf body = BUF_INIT;

		if (memory_get_message(folder, uid, &body, NULL))
			n += strstr(buf_str(&body), text) != NULL;
	}
	return n;
}

static bool has_flags(const char *folder, uint32_t uid, const char *flags)
{
	CLEANUP(buf) struct buf now = BUF_INIT;

	return memory_get_message(folder, uid, NULL, &now) && strcmp(buf_str(&now), flags) == 0;
}

#define WAIT_FOR(condition)                                              \
	do {                                                             \
		for (int i_ = 0; i_ < PATIENCE_MS && !(condition); i_++) \
			usleep(1000);                                    \
		assert_true(condition);                                  \
	} while (0)

/* ------------------------------------------------------------ the tree */

static int wait_answer(int r, struct waiter_sync *s)
{
	if (r == -EINPROGRESS)
		r = waiter_sync_wait(s);
	waiter_sync_release(s);
	return r;
}

static int64_t folder_row(struct fixture *f, int64_t parent, const char *name)
{
	struct mailbox_entry e;
	struct waiter_sync s;

	assert_int_equal(mailbox_lookup(f->mailbox, parent, name, &e), 0);
	assert_true(e.is_folder);
	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_look(f->mailbox, e.folder.row, &s.waiter), &s), 0);
	return e.folder.row;
}

static void mount(struct fixture *f)
{
	start(f);
	f->inbox = folder_row(f, MAILBOX_ROOT, "INBOX");
	f->archive = folder_row(f, MAILBOX_ROOT, "Archive");
}

struct names {
	char text[4096];
	int n;
	int64_t row; /* the last one's */
	char last[NAME_MAX + 1];
};

static int note_name(void *userdata, const struct mailbox_entry *e)
{
	struct names *n = userdata;

	if (e->is_folder)
		return 0;
	snprintf(n->text + strlen(n->text), sizeof n->text - strlen(n->text), "%s\n", e->message.name);
	snprintf(n->last, sizeof n->last, "%s", e->message.name);
	n->row = e->message.row;
	n->n++;
	return 0;
}

static struct names names(struct fixture *f, int64_t folder)
{
	struct names n = { .n = 0 };

	assert_int_equal(mailbox_list(f->mailbox, folder, 0, note_name, &n), 0);
	return n;
}

static int64_t row_of(struct fixture *f, int64_t folder, const char *name)
{
	struct mailbox_entry e;

	return mailbox_lookup(f->mailbox, folder, name, &e) == 0 ? e.message.row : 0;
}

static bool shows_flags(struct fixture *f, int64_t row, const char *flags)
{
	CLEANUP(buf) struct buf now = BUF_INIT;

	assert_int_equal(mailbox_message_attribute(f->mailbox, row, "flags", &now), 0);
	return strcmp(buf_str(&now), flags) == 0;
}

static int set_flags(struct fixture *f, int64_t row, const char *value)
{
	int r = mailbox_set_flags(f->mailbox, row, value, strlen(value));

	return r < 0 ? r : 0;
}

static int settle(struct fixture *f, int64_t folder)
{
	struct waiter_sync s;

	waiter_sync_init(&s);
	return wait_answer(mailbox_settle_folder(f->mailbox, folder, &s.waiter), &s);
}

static int commit(struct fixture *f, int64_t row)
{
	struct waiter_sync s;

	waiter_sync_init(&s);
	return wait_answer(mailbox_commit(f->mailbox, row, &s.waiter), &s);
}

static int64_t write_file(struct fixture *f, int64_t folder, const char *name, const char *text)
{
	int64_t row = 0;
	int fd = -1;

	assert_int_equal(mailbox_create(f->mailbox, folder, name, 0600, &row, &fd), 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return row;
}

static int rename_to(struct fixture *f, int64_t from, const char *name, int64_t to, const char *to_name)
{
	struct waiter_sync s;

	waiter_sync_init(&s);
	return wait_answer(mailbox_rename(f->mailbox, from, name, to, to_name, false, &s.waiter), &s);
}

static void remount(struct fixture *f, bool without_cache)
{
	stop(f);
	if (without_cache)
		delete_cache(f);
	mount(f);
}

#define LETTER "From: a@example.com\r\nSubject: new\r\nMessage-ID: <new@example.com>\r\n\r\nnew text\r\n"

/* ------------------------------------------------------------ flags */

static void flags_show_at_once_and_reach_the_server(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	memory_set_flags("INBOX", 1, "\\Answered");
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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

static void a_trash_is_made_where_there_is_none(void **state)
{
	struct fixture *f = *state;
	struct names n;

	deliver("INBOX", "one");
	mount(f);
	n = names(f, f->inbox);
	assert_int_equal(mailbox_unlink(f->mailbox, f->inbox, n.last), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	WAIT_FOR(memory_has_folder("Trash") && holding("Trash", "one") == 1);
	assert_int_equal(names(f, folder_row(f, MAILBOX_ROOT, "Trash")).n, 1);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
		mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "Name"), 0);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	assert_false(memory_has_folder("Name"));
}

/* ------------------------------------------------------------ a server that takes its time, or breaks off */

/* Only its answer, and what it does, come later than anybody waits. */
static void an_append_that_was_not_answered_may_arrive_late(void **state)
{
	struct fixture *f = *state;

	mount(f);
	memory_faults.change_breaks = -ETIMEDOUT;
	assert_int_equal(commit(f, write_file(f, f->archive, "letter.eml", LETTER)), 0);
	memory_faults.change_breaks = 0;
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
	mount(f);
	n = names(f, f->inbox);
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "two.eml"), 0);
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
	n = names(f, f->inbox);
	memory_faults.change_breaks = -ETIMEDOUT;
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "one.eml"), 0);
	WAIT_FOR(memory_counts().moves == 2);
	memory_faults.change_breaks = 0;
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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

/* Another client is quick: what stands there has the date and the size of what was moved, and other bytes. */
static void what_is_known_again_by_date_and_size_alone_is_read_anew(void **state)
{
	struct fixture *f = *state;
	struct move_reader reader;
	char byte[4096] = "";
	int64_t row;

	deliver("INBOX", "one");
	deliver("INBOX", "before");
	mount(f);
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_before.2.eml", f->archive, "before.eml"), 0);
	assert_int_equal(settle(f, f->inbox), 0);
	row = row_of(f, f->inbox, "2026-04-14_0930_Alice_one.1.eml");
	begin_reading(f, row, &reader);
	assert_int_equal(end_reading(f, &reader), 0);
	memory_faults.change_breaks = -ENOTCONN;
	memory_faults.change_was_done = true;
	assert_int_equal(rename_to(f, f->inbox, "2026-04-14_0930_Alice_one.1.eml", f->archive, "first.eml"), 0);
	WAIT_FOR(memory_count_messages("Archive") == 2);
	memory_remove_message("Archive", 2);
	deliver("Archive", "two");
	assert_int_equal(set_flags(f, row, "+\\Flagged"), 0);
	memset(&memory_faults, 0, sizeof memory_faults);
	WAIT_FOR(has_flags("Archive", 3, "\\Flagged"));
	assert_int_equal(row_of(f, f->archive, "first.eml"), row);
	begin_reading(f, row, &reader);
	assert_int_equal(wait_answer(reader.result, &reader.sync), 0);
	waiter_sync_init(&reader.sync);
	assert_int_equal(
		wait_answer((int)body_read(f->mailbox, reader.body, 0, sizeof byte, &reader.sync.waiter), &reader.sync) < 0, 0);
	assert_true(pread(body_fd(reader.body), byte, sizeof byte - 1, 0) > 0);
	assert_non_null(strstr(byte, "two"));
	mailbox_close(f->mailbox, reader.body);
}

static void one_that_had_gone_takes_no_other_s_place(void **state)
{
	struct fixture *f = *state;

	deliver("INBOX", "one");
	deliver("INBOX", "before");
	mount(f);
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
	mount(f);
	n = names(f, f->inbox);
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, n.last), 0);
	assert_int_equal(settle(f, f->inbox), 0);
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
	mount(f);
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

/* ------------------------------------------------------------ new messages */

static void what_was_stored_is_not_refused_for_what_cannot_be_read(void **state)
{
	struct fixture *f = *state;

	mount(f);
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
	mount(f);
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
	mount(f);
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

	mount(f);
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
		mount(f);
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
	mount(f);
	assert_int_equal(memory_count_messages("INBOX"), 2);
}

static void a_message_is_found_again_in_a_folder_that_was_begun_anew(void **state)
{
	struct fixture *f = *state;

	for (uint32_t uid = 1; uid <= 5; uid++) {
		deliver("Archive", "old");
		memory_remove_message("Archive", uid);
	}
	mount(f);
	memory_faults.change_breaks = -ENOTCONN;
	memory_faults.change_was_done = true;
	assert_int_equal(commit(f, write_file(f, f->archive, "letter.eml", LETTER)), 0);
	memory_faults.open_error = -ECONNREFUSED;
	stop(f);
	memory_begin_anew("Archive", 4711);
	memset(&memory_faults, 0, sizeof memory_faults);
	mount(f);
	assert_int_equal(settle(f, f->archive), 0);
	assert_int_equal(memory_count_messages("Archive"), 1);
	assert_int_equal(names(f, f->archive).n, 1);
}

static void what_is_no_message_stays_as_scratch(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount(f);
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

	mount(f);
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

	mount(f);
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

	mount(f);
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

	mount(f);
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
	mount(f);
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
	mount(f);
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

static void what_has_gone_does_not_make_moves_slow(void **state)
{
	struct fixture *f = *state;
	char name[NAME_MAX + 1];

	for (int i = 0; i < 50; i++)
		deliver("INBOX", "many");
	mount(f);
	names(f, f->inbox);
	memory_remove_message("INBOX", 1);
	memory_remove_message("INBOX", 2);
	for (int i = 1; i <= 50; i++) {
		snprintf(name, sizeof name, "2026-04-14_0930_Alice_many.%d.eml", i);
		assert_int_equal(rename_to(f, f->inbox, name, f->archive, name), 0);
	}
	assert_int_equal(settle(f, f->archive), 0);
	assert_int_equal(memory_count_messages("Archive"), 48);
	assert_int_equal(names(f, f->archive).n, 48);
	assert_true(memory_counts().fetches < 10);
}

static void a_draft_is_replaced_once_the_new_one_is_there(void **state)
{
	struct fixture *f = *state;
	struct waiter_sync s;
	struct names n;
	int64_t drafts;
	int fd = -1;

	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	deliver("Drafts", "one");
	mount(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	n = names(f, drafts);
	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_edit(f->mailbox, n.row, true, true, &s.waiter, &fd), &s), 0);
	assert_int_equal(write(fd, LETTER, strlen(LETTER)), (ssize_t)strlen(LETTER));
	close(fd);
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
	struct waiter_sync s;
	int fd = -1;

	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_edit(f->mailbox, row, true, true, &s.waiter, &fd), &s), 0);
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
	mount(f);
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
	mount(f);
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
		mount(f);
		drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
		memory_faults.tells_no_uidnext = !begins_anew;
		memory_faults.change_breaks = -ENOTCONN;
		assert_int_equal(rewrite(f, names(f, drafts).row, text), 0);
		memory_faults.open_error = -ECONNREFUSED;
		stop(f);
		if (begins_anew)
			memory_begin_anew("Drafts", 4711 + (uint32_t)i);
		memory_faults.open_error = memory_faults.change_breaks = 0;
		mount(f);
		WAIT_FOR(holding("Drafts", text) == 1);
		settle(f, folder_row(f, MAILBOX_ROOT, "Drafts"));
		assert_int_equal(memory_count_messages("Drafts"), begins_anew ? 2 : 1);
		stop(f);
		memset(&memory_faults, 0, sizeof memory_faults);
	}
	mount(f);
}

/* ------------------------------------------------------------ folders */

static void folders_are_made_renamed_and_deleted(void **state)
{
	struct fixture *f = *state;
	int64_t row = 0, below = 0;

	mount(f);
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

	mount(f);
	deliver("Archive", "late");
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "Archive"), 0);
	WAIT_FOR(row_of(f, MAILBOX_ROOT, "Archive") == f->archive);
	assert_int_equal(memory_count_messages("Archive"), 1);
}

static void a_refused_folder_goes_again(void **state)
{
	struct fixture *f = *state;
	int64_t row;

	mount(f);
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

	mount(f);
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

/* ------------------------------------------------------------ away and back */

static void changes_made_while_the_server_is_away_are_sent_when_it_is_back(void **state)
{
	struct fixture *f = *state;
	struct names n;

	for (int i = 0; i < 3; i++)
		deliver("INBOX", i == 0 ? "one" : i == 1 ? "two" : "three");
	f->configuration.delete_mode = DELETE_EXPUNGE;
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
	folder = folder_row(f, MAILBOX_ROOT, "Newer");
	assert_int_not_equal(row_of(f, folder, "1.eml"), 0);
	assert_int_equal(names(f, folder).n, 1);
}

/* ============================================================ attacks */
static void go_offline(void)
{
	memory_faults.open_error = -ECONNREFUSED;
	memory_faults.change_breaks = -ENOTCONN;
}
static void go_online(void)
{
	memory_faults.open_error = 0;
	memory_faults.change_breaks = 0;
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
	sub = folder_row(f, MAILBOX_ROOT, "Sub");
	n = names(f, sub);
	assert_int_equal(rename_to(f, sub, n.last, f->archive, n.last), 0);
	assert_int_equal(mailbox_rmdir(f->mailbox, MAILBOX_ROOT, "Sub"), 0);
	WAIT_FOR(holding("Archive", "one") == 1);
	WAIT_FOR(!memory_has_folder("Sub"));
	assert_int_equal(row_of(f, MAILBOX_ROOT, "Sub"), 0);
	assert_int_equal(memory_count_messages("Archive"), 1);
}

static void a_name_that_was_given_anew_at_a_mount(void **state)
{
	struct fixture *f = *state;
	int64_t row;
	mount(f);
	row = write_file(f, f->inbox, "letter.eml", LETTER);
	assert_int_equal(commit(f, row), 0);
	go_offline();
	assert_int_equal(rename_to(f, f->inbox, "letter.eml", f->archive, "letter.eml"), 0);
	usleep(100000);
	row = write_file(f, f->inbox, "letter.eml", LETTER "second\r\n");
	assert_int_equal(commit(f, row), 0);
	stop(f);
	assert_int_equal(try_mount(f), 0);
}

static void a_name_that_was_given_anew_and_the_move_refused(void **state)
{
	struct fixture *f = *state;
	int64_t row;
	mount(f);
	row = write_file(f, f->inbox, "letter.eml", LETTER);
	assert_int_equal(commit(f, row), 0);
	go_offline();
	assert_int_equal(rename_to(f, f->inbox, "letter.eml", f->archive, "letter.eml"), 0);
	usleep(100000);
	row = write_file(f, f->inbox, "letter.eml", LETTER "second\r\n");
	assert_int_equal(commit(f, row), 0);
	memory_remove_folder("Archive");
	go_online();
	for (int i = 0; i < 8000 && holding("INBOX", "second") == 0; i++)
		usleep(1000);
	assert_int_equal(holding("INBOX", "second"), 1);
}

static void a_draft_of_a_given_name_is_replaced(void **state)
{
	struct fixture *f = *state;
	int64_t row, drafts;
	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	mount(f);
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
	struct waiter_sync s;
	struct names n;
	int64_t drafts;
	int fd = -1;
	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	deliver("Drafts", "one");
	mount(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	n = names(f, drafts);
	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_edit(f->mailbox, n.row, true, true, &s.waiter, &fd), &s), 0);
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
	mount(f);
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
	mount(f);
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
	struct waiter_sync s;
	struct names n;
	int64_t drafts;
	int fd = -1;
	memory_add_folder("Drafts", '/', 0, USE_DRAFTS);
	deliver("Drafts", "one");
	memory_set_flags("Drafts", 1, "\\Seen \\Draft");
	mount(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	n = names(f, drafts);
	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_edit(f->mailbox, n.row, true, true, &s.waiter, &fd), &s), 0);
	assert_int_equal(write(fd, LETTER, strlen(LETTER)), (ssize_t)strlen(LETTER));
	close(fd);
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
	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
	n = names(f, f->inbox);
	go_offline();
	assert_int_equal(rename_to(f, f->inbox, n.last, f->archive, "x.eml"), 0);
	usleep(100000);
	stop(f);
	memory_faults.open_error = 0;
	memory_set_uidvalidity("INBOX", 4711);
	mount(f);
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
	mount(f);
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
	mount(f);
	for (int i = 0; i < 5000 && memory_count_messages("INBOX"); i++)
		usleep(1000);
	assert_int_equal(memory_count_messages("INBOX"), 0);
	assert_int_equal(memory_count_messages("Archive"), 1);
}

static void programs_are_told_that_a_folder_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct waiter_sync s;
	struct names n;

	deliver("INBOX", "one");
	deliver("Archive", "two");
	mount(f);
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
	mount(f);
	assert_int_equal(mailbox_set_mode(f->mailbox, names(f, f->inbox).row, 0640), 0);
	assert_int_equal(mailbox_set_mode(f->mailbox, names(f, f->archive).row, 0640), 0);
	assert_int_equal(count_kept(f), 2);
	stop(f);
	memory_remove_message("INBOX", 1);
	memory_remove_message("Archive", 1);
	memory_set_uidvalidity("Archive", 4711);
	mount(f);
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
	mount(f);
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
	mount(f);
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

	mount(f);
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
	mount(f);
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
	mount(f);
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
	mount(f);
}

static void what_was_done_and_cannot_be_shown_stops_nothing(void **state)
{
	struct fixture *f = *state;
	struct names n;

	memory_faults.lacks = BACKEND_MOVE;
	deliver("INBOX", "one");
	deliver("INBOX", "two");
	mount(f);
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

	mount(f);
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
	mount(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	assert_int_equal(commit(f, write_file(f, drafts, name, LETTER)), 0);
	return drafts;
}

static int open_to_write(struct fixture *f, int64_t row, bool truncate)
{
	struct waiter_sync s;
	int fd = -1;

	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_edit(f->mailbox, row, true, truncate, &s.waiter, &fd), &s), 0);
	return fd;
}

static void write_and_close(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
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
	assert_int_equal(settle(f, MAILBOX_ROOT), 0);
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
	mount(f);
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
	mount(f);
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
	mount(f);
	drafts = folder_row(f, MAILBOX_ROOT, "Drafts");
	assert_int_equal(settle(f, drafts), 0);
	WAIT_FOR(row_of(f, drafts, "draft.eml.partial"));
	write_and_close(open_to_write(f, row_of(f, drafts, "draft.eml"), true), LETTER "third\r\n");
	assert_int_equal(commit(f, row_of(f, drafts, "draft.eml")), 0);
	assert_int_equal(mailbox_lookup(f->mailbox, drafts, "draft.eml.partial", &e), 0);
	assert_int_equal(e.message.size_bytes, (int64_t)strlen(LETTER "second\r\n"));
}

/* ------------------------------------------------------------ what waits while others go */

static void what_is_put_into_a_folder_waits_for_it(void **state)
{
	struct fixture *f = *state;
	int64_t made;

	deliver("INBOX", "one");
	mount(f);
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
	mount(f);
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

/* ------------------------------------------------------------ files that are still written, and their folders */

static void what_is_written_is_not_compared_with_what_it_is_renamed_to(void **state)
{
	static const char first[] = "Subject: long\n\nfirst part\n", second[] = "second part\n";
	struct fixture *f = *state;
	int64_t row;
	int fd;

	mount(f);
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
	mount(f);
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
	mount(f);
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

	mount(f);
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
	mount(f);
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

	mount(f);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(fsync_puts_what_only_this_machine_has_on_its_disk),
		TEST(a_stored_draft_takes_the_place_of_another),
		TEST(a_draft_takes_the_place_of_another_once_it_is_there),
		TEST(a_draft_that_was_renamed_to_a_backup_is_replaced),
		TEST(a_draft_with_changes_that_wait_is_saved),
		TEST(an_edit_that_is_not_ended_is_set_aside_whatever_waits),
		TEST(an_edit_that_is_not_ended_is_set_aside_without_the_cache_too),
		TEST(what_is_put_into_a_folder_waits_for_it),
		TEST(who_waits_for_another_change_is_told_the_truth),
		TEST(a_draft_that_is_written_is_not_moved),
		TEST(a_draft_that_is_written_can_be_removed),
		TEST(an_emptied_draft_makes_way_for_another),
		TEST(nothing_takes_the_place_of_a_draft_but_a_message),
		TEST(a_refused_edit_leaves_the_draft_under_its_name),
		TEST(an_edit_that_an_older_index_does_not_know_is_sent),
		TEST(what_is_written_is_not_compared_with_what_it_is_renamed_to),
		TEST(a_rename_over_the_same_bytes_that_must_be_fetched_is_done_the_second_time),
		TEST(bytes_that_were_refused_are_as_they_were_written),
		TEST(a_file_that_is_renamed_as_it_is_closed_is_sent_once),
		TEST(what_was_put_into_a_refused_folder_stays),
		TEST(what_is_written_into_a_refused_folder_stays),
		TEST(counts_where_a_folder_is_begun_anew),
		TEST(killed_between_the_two_halves_of_a_copy),
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
		TEST(a_name_that_was_given_anew_at_a_mount),
		TEST(a_name_that_was_given_anew_and_the_move_refused),
		TEST(a_draft_of_a_given_name_is_replaced),
		TEST(a_draft_that_goes_while_it_is_written),
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
		TEST(a_trash_is_made_where_there_is_none),
		TEST(without_uidplus_it_stays_marked_and_hidden),
		TEST(expunge_takes_this_one_only),
		TEST(mv_keeps_name_and_row),
		TEST(mv_works_without_move),
		TEST(mv_finds_its_message_where_no_uid_is_told),
		TEST(a_move_whose_answer_is_lost_is_made_once),
		TEST(a_message_is_read_while_its_move_is_on_the_way),
		TEST(one_that_went_while_it_was_moved_is_told_to_its_readers),
		TEST(moves_whose_answer_is_lost_keep_name_and_row),
		TEST(what_is_known_again_by_date_and_size_alone_is_read_anew),
		TEST(one_that_had_gone_takes_no_other_s_place),
		TEST(mv_into_a_folder_that_is_renamed_before_it_is_sent),
		TEST(a_refused_move_is_taken_back),
		TEST(who_waits_goes_on_waiting_while_the_server_says_later),
		TEST(a_removal_of_which_half_is_refused_is_told_as_it_is),
		TEST(what_is_removed_is_nowhere_where_only_the_trash_forgets),
		TEST(a_removal_that_is_cut_in_the_trash_goes_on_there),
		TEST(a_folder_that_is_a_mere_name_is_deleted_on_the_server),
		TEST(an_append_that_was_not_answered_may_arrive_late),
		TEST(a_move_that_was_not_answered_may_be_done_late),
		TEST(one_that_the_server_has_no_room_for_holds_up_nothing),
		TEST(one_at_which_the_server_breaks_off_holds_up_nothing_and_is_given_up),
		TEST(a_given_name_stays),
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
		TEST(what_has_gone_does_not_make_moves_slow),
		TEST(a_draft_is_replaced_once_the_new_one_is_there),
		TEST(a_draft_stays_where_the_server_stores_no_message_twice),
		TEST(rm_spares_what_was_stored_as_the_same_message),
		TEST(a_draft_is_never_taken_for_its_next_version),
		TEST(a_move_leaves_its_place_for_no_copy_that_nobody_saw),
		TEST(later_changes_of_what_is_known_by_no_uid_are_refused),
		TEST(a_repeated_move_that_is_refused_was_done),
		TEST(what_was_moved_before_a_refusal_is_confirmed),
		TEST(what_was_stored_is_not_refused_for_what_cannot_be_read),
		TEST(what_follows_a_refused_upload_is_refused_with_it),
		TEST(many_whose_answer_is_lost_are_looked_for_together),
		TEST(one_whose_answer_is_lost_takes_no_older_one_s_place),
		TEST(folders_are_made_renamed_and_deleted),
		TEST(a_folder_that_is_not_empty_there_comes_back),
		TEST(a_refused_folder_goes_again),
		TEST(scratch_directories_are_on_no_server),
		TEST(changes_made_while_the_server_is_away_are_sent_when_it_is_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

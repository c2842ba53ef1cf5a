/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "scratch.h"
#include "store/index.h"
#include "store/journal.h"

static struct index *open_index(void **state)
{
	struct index *ix = NULL;

	assert_int_equal(index_open(*state, &ix), 0);
	return ix;
}

static int64_t put_folder(struct index *ix, int64_t parent, const char *name, const char *wire)
{
	struct index_folder f = { .parent = parent, .wire = (char *)wire, .delimiter = '/' };

	strcpy(f.name, name);
	assert_int_equal(index_folder_put(ix, &f), 0);
	return f.row;
}

static int64_t insert(struct index *ix, int64_t folder, uint32_t uid, const char *flags)
{
	struct index_message m = { .folder = folder, .uid = uid, .size_bytes = 100 + uid, .internaldate_s = 1000 };

	snprintf(m.name, sizeof m.name, "2026-04-14_0930_Alice_Re.%u.eml", uid);
	assert_int_equal(index_message_insert(ix, &m, flags), 0);
	return m.row;
}

/* An INBOX with messages of the UIDs 1 to n; its row. */
static int64_t make_inbox(struct index *ix, uint32_t n)
{
	int64_t folder;
	uint32_t uid;

	assert_int_equal(index_begin(ix), 0);
	folder = put_folder(ix, INDEX_ROOT, "INBOX", "INBOX");
	for (uid = 1; uid <= n; uid++)
		insert(ix, folder, uid, "");
	assert_int_equal(index_commit(ix), 0);
	return folder;
}

static void assert_counts(struct index *ix, int64_t folder, uint32_t messages, uint32_t unseen)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };

	assert_int_equal(index_folder_get(ix, folder, &f), 0);
	assert_int_equal(f.messages, messages);
	assert_int_equal(f.unseen, unseen);
}

struct listing {
	size_t n, stop_after;
	uint32_t uids[64];
	int64_t rows[64];
};

static int list_one(void *userdata, const struct index_message *m)
{
	struct listing *l = userdata;

	l->uids[l->n] = m->uid;
	l->rows[l->n++] = m->row;
	return l->n == l->stop_after;
}

static void a_new_index_has_a_root_and_an_identity(void **state)
{
	CLEANUP(index_folder) struct index_folder root = { 0 };
	struct index *ix = open_index(state);
	char identity[64];

	assert_int_equal(index_folder_get(ix, INDEX_ROOT, &root), 0);
	assert_int_equal(root.parent, 0);
	assert_string_equal(root.name, "");
	assert_null(root.wire);
	assert_int_equal(strlen(index_identity(ix)), 32);
	strcpy(identity, index_identity(ix));
	index_close(ix);
	ix = open_index(state);
	assert_string_equal(index_identity(ix), identity);
	index_close(ix);
}

static void it_is_readable_by_nobody_else(void **state)
{
	struct index *ix = open_index(state);
	struct stat st;

	make_inbox(ix, 1);
	assert_int_equal(stat(scratch_path(state, "index.db"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(scratch_path(state, "index.db-wal"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	index_close(ix);
}

static void a_folder_comes_back_as_it_was_put(void **state)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index *ix = open_index(state);
	struct index_folder put = { .parent = INDEX_ROOT,
				    .wire = (char *)"Entw&APw-rfe",
				    .delimiter = '.',
				    .attributes = 5,
				    .special_use = 3,
				    .rights = (char *)"lrswi" };
	int64_t row;

	strcpy(put.name, "Entwürfe");
	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_folder_put(ix, &put), 0);
	assert_int_equal(index_folder_reset(ix, put.row, 4000000000), 0);
	assert_int_equal(index_folder_progress(ix, put.row, 4294967295), 0);
	assert_int_equal(index_folder_complete(ix, put.row, UINT64_C(9223372036854775807)), 0);
	assert_int_equal(index_commit(ix), 0);
	row = put.row;
	assert_int_equal(index_folder_child(ix, INDEX_ROOT, "Entwürfe", &f), 0);
	assert_int_equal(f.row, row);
	assert_string_equal(f.wire, "Entw&APw-rfe");
	assert_int_equal(f.delimiter, '.');
	assert_int_equal(f.attributes, 5);
	assert_int_equal(f.special_use, 3);
	assert_string_equal(f.rights, "lrswi");
	assert_int_equal(f.uidvalidity, 4000000000);
	assert_int_equal(f.uidnext, 4294967295);
	assert_int_equal(f.highestmodseq, UINT64_C(9223372036854775807));
	assert_true(f.complete);
	index_folder_release(&f);
	assert_int_equal(index_folder_by_wire(ix, "Entw&APw-rfe", &f), 0);
	assert_int_equal(f.row, row);
	assert_int_equal(index_folder_child(ix, INDEX_ROOT, "Drafts", &f), -ENOENT);
	index_close(ix);
}

static void a_folder_put_again_keeps_its_sync_state(void **state)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index *ix = open_index(state);
	int64_t folder = make_inbox(ix, 3);

	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_folder_complete(ix, folder, 42), 0);
	assert_int_equal(index_folder_get(ix, folder, &f), 0);
	f.special_use = 7;
	assert_int_equal(index_folder_put(ix, &f), 0);
	assert_int_equal(index_commit(ix), 0);
	index_folder_release(&f);
	assert_int_equal(index_folder_get(ix, folder, &f), 0);
	assert_int_equal(f.special_use, 7);
	assert_int_equal(f.highestmodseq, 42);
	assert_int_equal(f.messages, 3);
	index_close(ix);
}

static void two_folders_of_one_name_are_eexist_and_harm_nothing(void **state)
{
	struct index *ix = open_index(state);
	struct index_folder same_name = { .parent = INDEX_ROOT, .name = "INBOX", .wire = (char *)"Inbox2" };
	struct index_folder same_wire = { .parent = INDEX_ROOT, .name = "Other", .wire = (char *)"INBOX" };
	struct index_folder bad_name = { .parent = INDEX_ROOT, .name = "a/b" };
	struct index_folder no_parent = { .parent = 999, .name = "a" };

	make_inbox(ix, 1);
	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_folder_put(ix, &same_name), -EEXIST);
	assert_int_equal(index_folder_put(ix, &same_wire), -EEXIST);
	assert_int_equal(index_folder_put(ix, &bad_name), -EINVAL);
	assert_int_equal(index_folder_put(ix, &no_parent), -ENOENT);
	put_folder(ix, INDEX_ROOT, "Sent", "Sent");
	assert_int_equal(index_commit(ix), 0);
	assert_int_equal(index_folder_child(ix, INDEX_ROOT, "Sent", &same_name), 0);
	index_folder_release(&same_name);
	index_close(ix);
}

static int list_folder(void *userdata, const struct index_folder *f)
{
	struct listing *l = userdata;

	l->rows[l->n++] = f->row;
	return 0;
}

static void deleting_a_folder_takes_what_is_below(void **state)
{
	struct index *ix = open_index(state);
	struct listing all = { 0 }, below = { 0 };
	struct index_message m;
	int64_t a, b, c, message;

	assert_int_equal(index_begin(ix), 0);
	a = put_folder(ix, INDEX_ROOT, "a", "a");
	b = put_folder(ix, a, "b", "a/b");
	c = put_folder(ix, b, "c", "a/b/c");
	put_folder(ix, INDEX_ROOT, "d", "d");
	message = insert(ix, c, 1, "");
	assert_int_equal(index_folder_delete(ix, a), 0);
	assert_int_equal(index_folder_delete(ix, INDEX_ROOT), -EBUSY);
	assert_int_equal(index_commit(ix), 0);
	assert_int_equal(index_folder_each(ix, 0, 0, list_folder, &all), 0);
	assert_int_equal(all.n, 2);
	assert_int_equal(index_folder_each(ix, INDEX_ROOT, 0, list_folder, &below), 0);
	assert_int_equal(below.n, 1);
	assert_int_equal(index_message_get(ix, message, &m), 0);
	assert_int_equal(m.folder, 0);
	index_close(ix);
}

static void a_message_is_found_by_row_uid_and_name(void **state)
{
	CLEANUP(buf) struct buf flags = BUF_INIT;
	struct index *ix = open_index(state);
	int64_t folder = make_inbox(ix, 3);
	struct index_message m, by_uid, by_name;

	assert_int_equal(index_message_by_name(ix, folder, "2026-04-14_0930_Alice_Re.2.eml", &by_name), 0);
	assert_int_equal(index_message_by_uid(ix, folder, 2, &by_uid), 0);
	assert_int_equal(index_message_get(ix, by_name.row, &m), 0);
	assert_int_equal(by_uid.row, by_name.row);
	assert_int_equal(m.uid, 2);
	assert_int_equal(m.folder, folder);
	assert_int_equal(m.size_bytes, 102);
	assert_int_equal(m.internaldate_s, 1000);
	assert_false(m.size_proven);
	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_message_prove_size(ix, m.row, 77), 0);
	assert_int_equal(index_message_set_flags(ix, m.row, "\\Seen $Forwarded"), 1);
	assert_int_equal(index_message_set_flags(ix, m.row, "\\Seen $Forwarded"), 0);
	assert_int_equal(index_commit(ix), 0);
	assert_int_equal(index_message_get(ix, m.row, &by_uid), 0);
	assert_int_equal(by_uid.size_bytes, 77);
	assert_true(by_uid.size_proven);
	assert_true(by_uid.ctime_ns > m.ctime_ns);
	assert_int_equal(index_message_flags(ix, m.row, &flags), 0);
	assert_string_equal(buf_str(&flags), "\\Seen $Forwarded");
	index_close(ix);
}

static void only_the_very_name_finds_a_message(void **state)
{
	static const char *const names[] = {
		"2026-04-14_0930_Alice_Re.02.eml",
		"x.2.eml",
		"2026-04-14_0930_Alice_Re.2.em",
		"2.eml",
		".eml",
		"",
		"2026-04-14_0930_Alice_Re.4294967298.eml",
		"2026-04-14_0930_Alice_Re.99999999999999999999.eml",
		"7-2.eml",
	};
	struct index *ix = open_index(state);
	int64_t folder = make_inbox(ix, 3);
	struct index_message m;
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(index_message_by_name(ix, folder, names[i], &m), -ENOENT);
	assert_int_equal(index_message_by_name(ix, folder + 1, "2026-04-14_0930_Alice_Re.2.eml", &m), -ENOENT);
	index_close(ix);
}

static void a_name_of_the_uid_scheme_is_found(void **state)
{
	struct index *ix = open_index(state);
	struct index_message m = { .uid = 4294967295, .name = "7-4294967295.eml" }, found;

	m.folder = make_inbox(ix, 0);
	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_message_insert(ix, &m, ""), 0);
	assert_int_equal(index_commit(ix), 0);
	assert_int_equal(index_message_by_name(ix, m.folder, "7-4294967295.eml", &found), 0);
	assert_int_equal(found.row, m.row);
	index_close(ix);
}

static void counts_follow_every_change(void **state)
{
	struct index *ix = open_index(state);
	struct index_message m;
	int64_t folder = make_inbox(ix, 4);

	assert_counts(ix, folder, 4, 4);
	assert_int_equal(index_begin(ix), 0);
	insert(ix, folder, 5, "\\Seen \\Flagged");
	assert_counts(ix, folder, 5, 4);
	index_message_by_uid(ix, folder, 1, &m);
	assert_int_equal(index_message_set_flags(ix, m.row, "\\Seen"), 1);
	assert_counts(ix, folder, 5, 3);
	assert_int_equal(index_message_set_flags(ix, m.row, "\\SeenNot"), 1);
	assert_counts(ix, folder, 5, 4);
	assert_int_equal(index_message_delete(ix, m.row), 0);
	assert_int_equal(index_message_delete(ix, m.row), -ENOENT);
	assert_int_equal(index_commit(ix), 0);
	assert_counts(ix, folder, 4, 3);
	index_close(ix);
}

static void a_listing_resumes_behind_a_message_deleted_meanwhile(void **state)
{
	struct index *ix = open_index(state);
	int64_t folder = make_inbox(ix, 6);
	struct listing first = { .stop_after = 3 }, rest = { 0 };
	struct index_message third;

	assert_int_equal(index_message_each(ix, folder, 0, list_one, &first), 0);
	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_message_get(ix, first.rows[2], &third), 0);
	assert_int_equal(index_message_delete(ix, first.rows[2]), 0);
	assert_int_equal(index_commit(ix), 0);
	assert_int_equal(index_message_each(ix, folder, index_message_position(&third), list_one, &rest), 0);
	assert_int_equal(rest.n, 3);
	assert_int_equal(rest.uids[0], 4);
	assert_int_equal(rest.uids[2], 6);
	index_close(ix);
}

static void a_listing_is_in_the_order_of_uids(void **state)
{
	struct index *ix = open_index(state);
	int64_t folder = make_inbox(ix, 0);
	struct listing all = { 0 };
	CLEANUP(free) uint32_t *uids = NULL;
	size_t n;

	assert_int_equal(index_begin(ix), 0);
	insert(ix, folder, 4294967295, "");
	insert(ix, folder, 7, "");
	insert(ix, folder, 3, "");
	assert_int_equal(index_commit(ix), 0);
	assert_int_equal(index_message_each(ix, folder, 0, list_one, &all), 0);
	assert_int_equal(all.n, 3);
	assert_int_equal(all.uids[0], 3);
	assert_int_equal(all.uids[2], 4294967295);
	assert_int_equal(index_message_uids(ix, folder, 4294967295, &uids, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(uids[1], 7);
	index_close(ix);
}

static void a_row_is_never_used_twice(void **state)
{
	struct index *ix = open_index(state);
	int64_t folder = make_inbox(ix, 3), folder_again, row;
	struct index_message m;

	assert_int_equal(index_message_by_uid(ix, folder, 3, &m), 0);
	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_folder_delete(ix, folder), 0);
	assert_int_equal(index_commit(ix), 0);
	index_close(ix);
	ix = open_index(state);
	assert_int_equal(index_message_get(ix, m.row, &m), -ENOENT);
	assert_int_equal(index_begin(ix), 0);
	folder_again = put_folder(ix, INDEX_ROOT, "INBOX", "INBOX");
	row = insert(ix, folder_again, 1, "");
	assert_int_equal(index_commit(ix), 0);
	assert_true(folder_again > folder);
	assert_true(row > m.row);
	index_close(ix);
}

static void after_another_start_of_the_machine_rows_go_on_far_behind(void **state)
{
	struct index *ix = open_index(state);
	int64_t before, after, folder = make_inbox(ix, 0);
	sqlite3 *database;

	assert_int_equal(index_begin(ix), 0);
	before = insert(ix, folder, 1, "");
	assert_int_equal(index_commit(ix), 0);
	index_close(ix);
	assert_int_equal(sqlite3_open(scratch_path(state, "index.db"), &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, "UPDATE meta SET value = 'another' WHERE key = 'boot'", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(database);
	ix = open_index(state);
	assert_int_equal(index_begin(ix), 0);
	after = insert(ix, folder, 2, "");
	assert_int_equal(index_commit(ix), 0);
	assert_true(after > before + 1000000);
	index_close(ix);
	ix = open_index(state);
	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(insert(ix, folder, 3, ""), after + 1);
	assert_int_equal(index_commit(ix), 0);
	index_close(ix);
}

static void another_uidvalidity_forgets_the_messages_and_keeps_their_rows_to_the_end(void **state)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index *ix = open_index(state);
	int64_t folder = make_inbox(ix, 3), row;
	struct index_message old, m;

	assert_int_equal(index_message_by_uid(ix, folder, 2, &old), 0);
	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_folder_complete(ix, folder, 9), 0);
	assert_int_equal(index_folder_reset(ix, folder, 99), 0);
	row = insert(ix, folder, 2, "");
	assert_int_equal(index_folder_reset(ix, folder, 100), 0);
	row = insert(ix, folder, 2, "");
	assert_int_equal(index_commit(ix), 0);
	assert_int_equal(index_message_get(ix, old.row, &m), 0);
	assert_int_equal(m.folder, 0);
	assert_int_equal(m.uid, 2);
	assert_int_equal(index_message_by_uid(ix, folder, 2, &m), 0);
	assert_int_equal(m.row, row);
	assert_int_equal(index_folder_get(ix, folder, &f), 0);
	assert_int_equal(f.uidvalidity, 100);
	assert_int_equal(f.uidnext, 1);
	assert_int_equal(f.highestmodseq, 0);
	assert_false(f.complete);
	assert_int_equal(f.messages, 1);
	index_close(ix);
}

static int64_t mtime_of(struct index *ix, int64_t folder)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };

	assert_int_equal(index_folder_get(ix, folder, &f), 0);
	return f.mtime_ns;
}

static void every_change_in_a_folder_makes_its_mtime_later(void **state)
{
	struct index *ix = open_index(state);
	int64_t folder = make_inbox(ix, 1);
	int64_t before = mtime_of(ix, folder);

	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_folder_complete(ix, folder, 0), 0);
	insert(ix, folder, 2, "");
	assert_int_equal(index_commit(ix), 0);
	assert_true(mtime_of(ix, folder) > before);
	before = mtime_of(ix, folder);
	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_folder_reset(ix, folder, 100), 0);
	assert_int_equal(index_commit(ix), 0);
	assert_true(mtime_of(ix, folder) > before);
	index_close(ix);
}

static void what_nobody_could_list_yet_leaves_the_mtime_alone(void **state)
{
	struct index *ix = open_index(state);
	int64_t folder = make_inbox(ix, 1);
	int64_t before = mtime_of(ix, folder);

	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_folder_reset(ix, folder, 100), 0);
	insert(ix, folder, 2, "");
	assert_int_equal(index_folder_complete(ix, folder, 0), 0);
	assert_int_equal(index_commit(ix), 0);
	assert_int_equal(mtime_of(ix, folder), before);
	index_close(ix);
}

static void what_is_rolled_back_never_was(void **state)
{
	struct index *ix = open_index(state);
	int64_t folder = make_inbox(ix, 1);
	struct index_message m;

	assert_int_equal(index_begin(ix), 0);
	insert(ix, folder, 2, "");
	index_rollback(ix);
	assert_counts(ix, folder, 1, 1);
	assert_int_equal(index_message_by_uid(ix, folder, 2, &m), -ENOENT);
	index_close(ix);
}

static void messages_of_a_folder_that_is_gone_are_not_committed(void **state)
{
	struct index *ix = open_index(state);
	struct index_message m;
	int64_t row;

	assert_int_equal(index_begin(ix), 0);
	row = insert(ix, 999, 1, "");
	assert_int_equal(index_commit(ix), -ESTALE);
	assert_int_equal(index_message_get(ix, row, &m), -ENOENT);
	index_close(ix);
}

struct reader {
	struct index *ix;
	int64_t folder;
	int result, of_uncommitted;
};

static void *read_beside(void *userdata)
{
	struct reader *r = userdata;
	struct index_message m;

	r->result = index_message_by_uid(r->ix, r->folder, 1, &m);
	r->of_uncommitted = index_message_by_uid(r->ix, r->folder, 2, &m);
	return NULL;
}

static void readers_do_not_wait_for_the_writer(void **state)
{
	struct index *ix = open_index(state);
	struct reader reader = { .ix = ix, .folder = make_inbox(ix, 1) };
	struct index_message m;
	pthread_t thread;

	assert_int_equal(index_begin(ix), 0);
	insert(ix, reader.folder, 2, "");
	assert_int_equal(index_message_by_uid(ix, reader.folder, 2, &m), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_beside, &reader), 0);
	pthread_join(thread, NULL);
	assert_int_equal(reader.result, 0);
	assert_int_equal(reader.of_uncommitted, -ENOENT);
	assert_int_equal(index_commit(ix), 0);
	index_close(ix);
}

static void *write_beside(void *userdata)
{
	struct reader *r = userdata;
	struct index_message m;

	r->result = index_begin(r->ix);
	index_message_by_uid(r->ix, r->folder, 1, &m);
	index_message_delete(r->ix, m.row);
	insert(r->ix, r->folder, 3, "");
	r->result = index_commit(r->ix);
	return NULL;
}

static void reading_sees_one_moment_and_then_the_next(void **state)
{
	struct index *ix = open_index(state);
	struct reader writer = { .ix = ix, .folder = make_inbox(ix, 2) };
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct listing then = { 0 }, now = { 0 };
	struct index_message m;
	pthread_t thread;

	assert_int_equal(index_begin_reading(ix, false), 0);
	assert_int_equal(index_folder_get(ix, writer.folder, &f), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_beside, &writer), 0);
	pthread_join(thread, NULL);
	assert_int_equal(writer.result, 0);
	assert_int_equal(index_message_each(ix, writer.folder, 0, list_one, &then), 0);
	assert_int_equal(then.n, 2);
	assert_int_equal(then.uids[0], 1);
	assert_int_equal(index_message_by_uid(ix, writer.folder, 3, &m), -ENOENT);
	index_end_reading(ix);
	assert_int_equal(index_message_each(ix, writer.folder, 0, list_one, &now), 0);
	assert_int_equal(now.n, 2);
	assert_int_equal(now.uids[1], 3);
	index_close(ix);
}

static int read_within(void *userdata, const struct index_message *m)
{
	struct reader *r = userdata;
	struct listing inner = { 0 };
	struct index_message again;

	r->result = index_message_get(r->ix, m->row, &again);
	index_message_each(r->ix, r->folder, index_message_position(m), list_one, &inner);
	r->of_uncommitted += (int)inner.n;
	return 0;
}

static void a_listing_may_read_the_index(void **state)
{
	struct index *ix = open_index(state);
	struct reader reader = { .ix = ix, .folder = make_inbox(ix, 3) };

	assert_int_equal(index_message_each(ix, reader.folder, 0, read_within, &reader), 0);
	assert_int_equal(reader.of_uncommitted, 2 + 1);
	assert_int_equal(index_begin(ix), 0);
	assert_int_equal(index_message_each(ix, reader.folder, 0, read_within, &reader), 0);
	assert_int_equal(reader.of_uncommitted, 2 * (2 + 1));
	assert_int_equal(index_commit(ix), 0);
	index_close(ix);
}

static void assert_sound(void **state)
{
	sqlite3_stmt *st;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(scratch_path(state, "index.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
	sqlite3_close(db);
}

static void kill_9_in_a_transaction_leaves_a_sound_database(void **state)
{
	struct index *ix;
	struct index_message m;
	CLEANUP(index_folder) struct index_folder f = { 0 };
	uint32_t uid;
	pid_t child = fork();

	if (child == 0) {
		int64_t folder;

		ix = open_index(state);
		folder = make_inbox(ix, 100);
		assert_int_equal(index_begin(ix), 0);
		/* more than the page cache holds: some of it is in the log already */
		for (uid = 101; uid <= 40000; uid++)
			insert(ix, folder, uid, "");
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_sound(state);
	ix = open_index(state);
	assert_int_equal(index_folder_child(ix, INDEX_ROOT, "INBOX", &f), 0);
	assert_int_equal(f.messages, 100);
	assert_int_equal(index_message_by_uid(ix, f.row, 100, &m), 0);
	assert_int_equal(index_message_by_uid(ix, f.row, 101, &m), -ENOENT);
	index_close(ix);
}

static void overwrite(void **state, off_t offset, const char *bytes, size_t len)
{
	int fd = open(scratch_path(state, "index.db"), O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, bytes, len, offset), len);
	close(fd);
}

static void assert_made_anew(void **state, const char *old_identity)
{
	struct index *ix = open_index(state);
	CLEANUP(index_folder) struct index_folder f = { 0 };

	assert_string_not_equal(index_identity(ix), old_identity);
	assert_int_equal(index_folder_child(ix, INDEX_ROOT, "INBOX", &f), -ENOENT);
	index_close(ix);
}

static void close_with_inbox(void **state, uint32_t n, char identity[64])
{
	struct index *ix = open_index(state);

	make_inbox(ix, n);
	strcpy(identity, index_identity(ix));
	index_close(ix);
}

static void what_is_no_database_is_made_anew(void **state)
{
	char identity[64];

	close_with_inbox(state, 1, identity);
	overwrite(state, 0, "rubbish rubbish rubbish", 23);
	assert_made_anew(state, identity);
}

static void a_damaged_page_makes_it_anew(void **state)
{
	static const char rubbish[8192] = "rubbish";
	char identity[64];

	close_with_inbox(state, 1000, identity);
	overwrite(state, 6 * 4096, rubbish, sizeof rubbish);
	assert_made_anew(state, identity);
}

static void another_versions_index_is_made_anew(void **state)
{
	char identity[64];

	close_with_inbox(state, 1, identity);
	overwrite(state, 60, "\0\0\0\x63", 4); /* user_version */
	assert_made_anew(state, identity);
}

static void damage_met_while_open_makes_it_anew_the_next_time(void **state)
{
	static const char rubbish[4096] = "rubbish";
	struct index *ix;
	struct listing all = { .stop_after = 60 };
	char identity[64];
	int64_t after = 0;
	int r;

	/* too large to be checked at the start */
	close_with_inbox(state, 60000, identity);
	overwrite(state, 700 * 4096, rubbish, sizeof rubbish);
	ix = open_index(state);
	assert_string_equal(index_identity(ix), identity);
	do {
		all.n = 0;
		r = index_message_each(ix, 2, after, list_one, &all);
		after = all.n ? (int64_t)all.uids[all.n - 1] : 0;
	} while (r == 0 && all.n > 0);
	assert_int_equal(r, -EUCLEAN);
	index_close(ix);
	assert_made_anew(state, identity);
}

static void messages_are_listed_by_flag_in_the_same_order(void **state)
{
	static const char *const flags[] = { "\\Seen", "\\Seen \\Flagged project", "", "Projector", "PROJECT", "\\Seen pro_ect" };
	struct index *ix = open_index(state);
	struct listing set = { 0 }, unset = { 0 }, rest = { 0 };
	int64_t folder;

	assert_int_equal(index_begin(ix), 0);
	folder = put_folder(ix, INDEX_ROOT, "INBOX", "INBOX");
	for (uint32_t i = 0; i < 6; i++)
		insert(ix, folder, i + 1, flags[i]);
	assert_int_equal(index_commit(ix), 0);

	assert_int_equal(index_message_each_by_flag(ix, folder, 0, "Project", true, list_one, &set), 0);
	assert_int_equal(set.n, 2);
	assert_int_equal(set.uids[0], 2);
	assert_int_equal(set.uids[1], 5);
	assert_int_equal(index_message_each_by_flag(ix, folder, set.rows[0], "Project", true, list_one, &rest), 0);
	assert_int_equal(rest.n, 1);
	assert_int_equal(rest.uids[0], 5);
	assert_int_equal(index_message_each_by_flag(ix, folder, 0, "\\Seen", false, list_one, &unset), 0);
	assert_int_equal(unset.n, 3);
	assert_int_equal(unset.uids[2], 5);
	index_close(ix);
}

static int append_flags(void *userdata, const char *flags)
{
	return buf_printf(userdata, "[%s]", flags);
}

static void each_set_of_flags_in_a_folder_is_told_once(void **state)
{
	CLEANUP(buf) struct buf told = BUF_INIT;
	struct index *ix = open_index(state);
	int64_t folder;

	assert_int_equal(index_begin(ix), 0);
	folder = put_folder(ix, INDEX_ROOT, "INBOX", "INBOX");
	for (uint32_t uid = 1; uid <= 4; uid++)
		insert(ix, folder, uid, "a b");
	insert(ix, put_folder(ix, INDEX_ROOT, "Other", "Other"), 1, "elsewhere");
	assert_int_equal(index_commit(ix), 0);
	assert_int_equal(index_message_each_flags(ix, folder, append_flags, &told), 0);
	assert_string_equal(buf_str(&told), "[a b]");
	index_close(ix);
}

static int64_t file_size(const char *directory, const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* As many transactions, each of them a change in the journal. */
static void record(struct index *ix, int n)
{
	for (int i = 0; i < n; i++) {
		struct journal_entry e = { .kind = JOURNAL_REMOVE, .row = 1 };

		assert_int_equal(index_begin(ix), 0);
		assert_int_equal(journal_append(ix, &e), 0);
		assert_int_equal(index_commit(ix), 0);
	}
}

/* In another process, which closing a descriptor of ours must not let in. Not a fork: SQLite's locks in memory would go with it. */
static bool others_can_read(const char *directory, const char *name)
{
	char command[512];

	snprintf(command, sizeof command,
		 "python3 -c 'import sqlite3, sys\n"
		 "sqlite3.connect(sys.argv[1], timeout=0).execute(\"SELECT count(*) FROM sqlite_master\")' %s/%s 2>/dev/null",
		 directory, name);
	return system(command) == 0;
}

static bool grows_within(const char *directory, const char *name, int64_t size, int64_t ms)
{
	int64_t end = clock_monotonic_ms() + ms;

	while (file_size(directory, name) <= size && clock_monotonic_ms() < end)
		usleep(1000);
	return file_size(directory, name) > size;
}

static void who_commits_leaves_the_index_s_log_to_others(void **state)
{
	struct index *ix = open_index(state);
	int64_t folder = make_inbox(ix, 0), before;

	assert_int_equal(journal_attach(ix, *state), 0);
	before = file_size(*state, "index.db");
	for (uint32_t uid = 1; uid <= 3000; uid++) {
		assert_int_equal(index_begin(ix), 0);
		insert(ix, folder, uid, "");
		assert_int_equal(index_commit(ix), 0);
	}
	assert_int_equal(index_begin(ix), 0);
	assert_true(grows_within(*state, "index.db", before, 10000));
	assert_int_equal(index_commit(ix), 0);
	index_close(ix);
}

/* Once all of it was taken, between two bursts, the log does not grow. */
static bool is_begun_anew(struct index *ix, const char *directory)
{
	int64_t size;

	for (int i = 0; i < 40; i++) {
		usleep(50000);
		size = file_size(directory, "journal.db-wal");
		record(ix, 300);
		if (file_size(directory, "journal.db-wal") == size)
			return true;
	}
	return false;
}

static void who_commits_leaves_the_journal_s_log_to_others(void **state)
{
	struct index *ix = open_index(state);
	int64_t before;

	assert_int_equal(journal_attach(ix, *state), 0);
	before = file_size(*state, "journal.db");
	record(ix, 500);
	assert_false(grows_within(*state, "journal.db", before, 200)); /* it is not much yet */
	assert_false(others_can_read(*state, "journal.db"));
	record(ix, 3000);
	assert_int_equal(index_begin(ix), 0);
	assert_true(grows_within(*state, "journal.db", before, 10000)); /* beside a transaction */
	assert_int_equal(index_commit(ix), 0);
	assert_false(others_can_read(*state, "journal.db"));
	assert_true(is_begun_anew(ix, *state));
	index_close(ix);
	assert_true(others_can_read(*state, "journal.db"));
	ix = open_index(state);
	assert_int_equal(journal_attach(ix, *state), 0);
	assert_false(journal_is_empty(ix));
	index_close(ix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_new_index_has_a_root_and_an_identity),
		scratch_test(it_is_readable_by_nobody_else),
		scratch_test(a_folder_comes_back_as_it_was_put),
		scratch_test(a_folder_put_again_keeps_its_sync_state),
		scratch_test(two_folders_of_one_name_are_eexist_and_harm_nothing),
		scratch_test(deleting_a_folder_takes_what_is_below),
		scratch_test(a_message_is_found_by_row_uid_and_name),
		scratch_test(only_the_very_name_finds_a_message),
		scratch_test(a_name_of_the_uid_scheme_is_found),
		scratch_test(counts_follow_every_change),
		scratch_test(a_listing_resumes_behind_a_message_deleted_meanwhile),
		scratch_test(a_listing_is_in_the_order_of_uids),
		scratch_test(messages_are_listed_by_flag_in_the_same_order),
		scratch_test(each_set_of_flags_in_a_folder_is_told_once),
		scratch_test(a_row_is_never_used_twice),
		scratch_test(after_another_start_of_the_machine_rows_go_on_far_behind),
		scratch_test(another_uidvalidity_forgets_the_messages_and_keeps_their_rows_to_the_end),
		scratch_test(every_change_in_a_folder_makes_its_mtime_later),
		scratch_test(what_nobody_could_list_yet_leaves_the_mtime_alone),
		scratch_test(what_is_rolled_back_never_was),
		scratch_test(messages_of_a_folder_that_is_gone_are_not_committed),
		scratch_test(readers_do_not_wait_for_the_writer),
		scratch_test(reading_sees_one_moment_and_then_the_next),
		scratch_test(a_listing_may_read_the_index),
		scratch_test(kill_9_in_a_transaction_leaves_a_sound_database),
		scratch_test(what_is_no_database_is_made_anew),
		scratch_test(a_damaged_page_makes_it_anew),
		scratch_test(another_versions_index_is_made_anew),
		scratch_test(damage_met_while_open_makes_it_anew_the_next_time),
		scratch_test(who_commits_leaves_the_journal_s_log_to_others),
		scratch_test(who_commits_leaves_the_index_s_log_to_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

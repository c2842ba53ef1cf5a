/* SPDX-License-Identifier: BSD-2-Clause */
/* The backend of the tests keeps the contract, faults included. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "memory_backend.h"

static struct backend *b;
static const struct url url = { .host = (char *)"memory" };
static const struct backend_options options = { .url = &url };

static int begin(void **state)
{
	CLEANUP(buf) struct buf why = BUF_INIT;

	(void)state;
	memory_reset();
	memory_add_folder("INBOX", '/', 0, USE_NONE);
	memory_add_folder("to", '/', 0, USE_NONE);
	for (int i = 0; i < 4; i++)
		memory_add_message("INBOX", "a: b\r\n\r\n", 8, "\\Flagged", 1);
	return backend_open(&memory_backend, &options, &b, &why);
}

static int end(void **state)
{
	(void)state;
	backend_close(b);
	memory_reset();
	return 0;
}

static void assert_flags(const char *folder, uint32_t uid, const char *expected)
{
	CLEANUP(buf) struct buf flags = BUF_INIT;

	assert_true(memory_get_message(folder, uid, NULL, &flags));
	assert_string_equal(buf_str(&flags), expected);
}

static const uint32_t some[] = { 2, 3, 9 };

static void messages_are_changed_as_asked(void **state)
{
	CLEANUP(backend_copied) struct backend_copied copied = { 0 }, moved = { 0 };
	CLEANUP(free) uint32_t *uids = NULL;
	size_t n;

	(void)state;
	assert_int_equal(backend_store(&b, "INBOX", 1000, some, 3, "\\Seen $x", "\\Flagged"), 0);
	assert_flags("INBOX", 2, "\\Seen $x");
	assert_flags("INBOX", 1, "\\Flagged");
	assert_int_equal(backend_copy(&b, "INBOX", 1000, some, 3, "to", &copied), 0);
	assert_true(copied.done == 3 && copied.uidvalidity == 1001 && copied.uids[0] == 1 && copied.uids[1] == 2 &&
		    !copied.uids[2]);
	assert_int_equal(backend_move(&b, "INBOX", 1000, some, 1, "to", &moved), 0);
	assert_flags("to", moved.uids[0], "\\Seen $x");
	assert_int_equal(backend_expunge(&b, "INBOX", 1000, some, 3), 0);
	assert_int_equal(backend_uids_from(&b, "INBOX", 1000, 1, &uids, &n), 0);
	assert_true(n == 2 && uids[0] == 1 && uids[1] == 4);
	assert_int_equal(memory_count_messages("to"), 3);
}

static void messages_are_stored_one_or_many(void **state)
{
	FILE *file = tmpfile();
	struct backend_append messages[2] = { { .fd = fileno(file), .size_bytes = 4, .flags = "\\Seen" } };
	CLEANUP(buf) struct buf body = BUF_INIT;
	uint32_t uidvalidity, uids[2];

	(void)state;
	assert_true(fputs("a: b", file) >= 0 && fflush(file) == 0);
	messages[1] = messages[0];
	assert_int_equal(backend_append(&b, "to", messages, &uidvalidity, uids), 0);
	assert_int_equal(backend_append_many(&b, "to", messages, 2, &uidvalidity, uids), 0);
	assert_true(uidvalidity == 1001 && uids[0] == 2 && uids[1] == 3);
	assert_true(memory_get_message("to", 3, &body, NULL));
	assert_string_equal(buf_str(&body), "a: b");
	assert_int_equal(backend_append(&b, "none", messages, &uidvalidity, uids), -ENOLINK);
	memory_faults.append_limit = 3;
	memory_faults.lacks = BACKEND_APPEND_MANY;
	b->broken = true;
	assert_int_equal(backend_append(&b, "to", messages, &uidvalidity, uids), -EFBIG);
	assert_int_equal(backend_append_many(&b, "to", messages, 2, &uidvalidity, uids), -EOPNOTSUPP);
	fclose(file);
}

static void folders_come_go_and_are_renamed_with_those_below(void **state)
{
	(void)state;
	assert_int_equal(backend_create(&b, "a", USE_NONE), 0);
	assert_int_equal(backend_create(&b, "a", USE_NONE), -EEXIST);
	assert_int_equal(backend_create(&b, "a/b", USE_NONE), 0);
	assert_int_equal(backend_remove(&b, "a"), -ENOTEMPTY);
	assert_int_equal(backend_rename(&b, "a", "to"), -EEXIST);
	assert_int_equal(backend_rename(&b, "a", "c"), 0);
	assert_true(memory_has_folder("c/b") && !memory_has_folder("a") && memory_is_subscribed("c"));
	assert_int_equal(backend_subscribe(&b, "c", false), 0);
	assert_false(memory_is_subscribed("c"));
	assert_int_equal(backend_remove(&b, "c/b"), 0);
	assert_int_equal(backend_remove(&b, "a"), -ENXIO);
}

static void refusals_and_losses_come_when_they_are_due(void **state)
{
	(void)state;
	assert_int_equal(backend_store(&b, "INBOX", 1, some, 1, "a", ""), -ESTALE);
	memory_faults.permits = "\\Seen";
	assert_int_equal(backend_store(&b, "INBOX", 0, some, 1, "a", ""), -ENOTSUP);
	assert_int_equal(backend_expunge(&b, "INBOX", 0, some, 1), -EACCES);
	memory_faults.permits = NULL;
	memory_faults.changes_before = 1;
	memory_faults.change_error = -EDQUOT;
	assert_int_equal(backend_store(&b, "INBOX", 0, some, 1, "a", ""), 0);
	assert_int_equal(backend_store(&b, "INBOX", 0, some, 1, "b", ""), -EDQUOT);
	assert_false(b->broken);
	memory_faults.change_error = 0;
	memory_faults.change_breaks = -ENOTCONN;
	assert_int_equal(backend_remove(&b, "to"), -ENOTCONN);
	assert_true(b->broken && memory_has_folder("to"));
	memory_faults.change_was_done = true;
	assert_int_equal(backend_remove(&b, "to"), -ENOTCONN);
	assert_true(b->broken && !memory_has_folder("to"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_are_changed_as_asked, begin, end),
		cmocka_unit_test_setup_teardown(messages_are_stored_one_or_many, begin, end),
		cmocka_unit_test_setup_teardown(folders_come_go_and_are_renamed_with_those_below, begin, end),
		cmocka_unit_test_setup_teardown(refusals_and_losses_come_when_they_are_due, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mailbox above a server in memory: sync, bodies, read-ahead, and what happens when the server is away.
 */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "mailbox/filing.h"
#include "mailbox/changing.h"
#include "mailbox/mailbox.h"
#include "memory_backend.h"
#include "outbox/outbox.h"

static _Atomic int64_t clock_ahead_ms;

static int64_t shifted_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + clock_ahead_ms;
}

/* One account in a temporary directory; mounted and unmounted at will. */
struct fixture {
	char directory[64], cache[96], state[96];
	struct configuration configuration;
	struct mailbox *mailbox;
	int changes[CHANGE_LISTING + 1];
};

static void note_change(void *userdata, const struct change *c)
{
	struct fixture *f = userdata;

	__atomic_add_fetch(&f->changes[c->kind], 1, __ATOMIC_RELAXED);
}

static int start(struct fixture *f)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct mailbox_options options = {
		.configuration = &f->configuration,
		.backend = &memory_backend,
		.mountpoint = "/nowhere",
		.changed = note_change,
		.userdata = f,
	};
	int r;

	assert_int_equal(mailbox_new(&options, &f->mailbox, &why), 0);
	r = mailbox_connect(f->mailbox, false, &why);
	return r;
}

static void stop(struct fixture *f)
{
	mailbox_free(f->mailbox);
	f->mailbox = NULL;
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
		.cache_dir = f->cache,
		.state_dir = f->state,
		.cache_size_bytes = 1 << 30,
		.timeout_s = 5,
		.connections = 4,
		.read_ahead_bytes = 8 << 20,
	};
	clock_ahead_ms = 0;
	clock_replace(shifted_ms, NULL);
	memory_add_folder("INBOX", '/', 0, USE_NONE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[96];

	stop(f);
	snprintf(command, sizeof command, "rm -rf %s", f->directory);
	assert_int_equal(system(command), 0);
	clock_replace(NULL, NULL);
	free(f);
	memory_reset();
	return 0;
}

static uint32_t add(const char *folder, const char *subject, const char *text)
{
	char message[512];
	int n = snprintf(message, sizeof message, "From: Alice <alice@example.com>\r\nSubject: %s\r\n\r\n%s\r\n", subject, text);

	return memory_add_message(folder, message, (size_t)n, "", 1776159000);
}

static int64_t folder_row(struct fixture *f, int64_t parent, const char *name)
{
	struct mailbox_entry e;

	assert_int_equal(mailbox_lookup(f->mailbox, parent, name, &e), 0);
	assert_true(e.is_folder);
	return e.folder.row;
}

static int look(struct fixture *f, int64_t folder)
{
	struct waiter_sync s;
	int r;

	waiter_sync_init(&s);
	r = mailbox_look(f->mailbox, folder, &s.waiter);
	if (r == -EINPROGRESS)
		r = waiter_sync_wait(&s);
	waiter_sync_release(&s);
	return r;
}

/* The next look happens after its time, and has ended when this returns. */
static void look_again(struct fixture *f, int64_t folder)
{
	int before = memory_counts().syncs;

	clock_ahead_ms += 11000;
	assert_int_equal(look(f, folder), 0);
	for (int i = 0; i < 500 && memory_counts().syncs == before; i++)
		usleep(10000);
	usleep(50000);
}

struct listed {
	struct mailbox_entry entries[2000];
	int n;
};

static int note_entry(void *userdata, const struct mailbox_entry *e)
{
	struct listed *l = userdata;

	l->entries[l->n++] = *e;
	return 0;
}

static int note_one_entry(void *userdata, const struct mailbox_entry *e)
{
	note_entry(userdata, e);
	return 1;
}

static struct listed *list(struct fixture *f, int64_t folder)
{
	struct listed *l = calloc(1, sizeof *l);

	assert_int_equal(mailbox_list(f->mailbox, folder, 0, note_entry, l), 0);
	return l;
}

static int open_body(struct fixture *f, int64_t row, struct body **ret)
{
	struct waiter_sync s;
	int r;

	waiter_sync_init(&s);
	r = mailbox_open(f->mailbox, row, &s.waiter, ret);
	if (r == -EINPROGRESS) {
		r = waiter_sync_wait(&s);
		if (r < 0)
			mailbox_close(f->mailbox, *ret);
	}
	waiter_sync_release(&s);
	return r;
}

static ssize_t read_at(struct fixture *f, struct body *b, char *out, size_t len, int64_t offset)
{
	struct waiter_sync s;
	ssize_t r;

	waiter_sync_init(&s);
	r = body_read(f->mailbox, b, offset, len, &s.waiter);
	if (r == -EINPROGRESS) {
		r = waiter_sync_wait(&s);
		if (r == 0)
			r = body_read(f->mailbox, b, offset, len, &s.waiter);
	}
	waiter_sync_release(&s);
	return r > 0 ? pread(body_fd(b), out, (size_t)r, offset) : r;
}

/* The whole message as a string, NULL on failure with *ret_error. */
static char *slurp(struct fixture *f, int64_t row, int *ret_error)
{
	struct body *b;
	char *text;
	ssize_t n;

	*ret_error = open_body(f, row, &b);
	if (*ret_error < 0)
		return NULL;
	text = calloc(1, (size_t)body_size(b) + 1);
	n = read_at(f, b, text, (size_t)body_size(b), 0);
	*ret_error = n < 0 ? (int)n : 0;
	if (n >= 0)
		assert_int_equal(n, body_size(b));
	mailbox_close(f->mailbox, b);
	if (n >= 0)
		return text;
	free(text);
	return NULL;
}

static void folders_become_a_tree_with_what_stands_between(void **state)
{
	struct fixture *f = *state;
	struct listed *l;

	memory_add_folder("Projects/2026/Spring", '/', 0, USE_NONE);
	memory_add_folder("Sent", '/', 0, USE_SENT);
	assert_int_equal(start(f), 0);
	l = list(f, MAILBOX_ROOT);
	assert_int_equal(l->n, 3);
	free(l);
	folder_row(f, folder_row(f, folder_row(f, MAILBOX_ROOT, "Projects"), "2026"), "Spring");
}

static void a_first_look_waits_until_every_message_is_known(void **state)
{
	struct fixture *f = *state;
	struct listed *l;
	int64_t inbox;

	for (int i = 0; i < 100; i++)
		add("INBOX", "hello", "text");
	assert_int_equal(start(f), 0);
	inbox = folder_row(f, MAILBOX_ROOT, "INBOX");
	assert_int_equal(look(f, inbox), 0);
	l = list(f, inbox);
	assert_int_equal(l->n, 100);
	assert_string_equal(l->entries[0].message.name, "2026-04-14_0930_Alice_hello.1.eml");
	free(l);
}

static void a_message_reads_as_the_server_has_it(void **state)
{
	struct fixture *f = *state;
	struct listed *l;
	char *text;
	int r;

	add("INBOX", "hello", "the text");
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	text = slurp(f, l->entries[0].message.row, &r);
	assert_string_equal(text, "From: Alice <alice@example.com>\r\nSubject: hello\r\n\r\nthe text\r\n");
	free(text);
	free(slurp(f, l->entries[0].message.row, &r));
	assert_int_equal(memory_counts().messages_fetched, 1);
	free(l);
}

struct parallel {
	struct fixture *f;
	int64_t row;
};

static void *read_in_parallel(void *argument)
{
	struct parallel *p = argument;
	int r;

	free(slurp(p->f, p->row, &r));
	return (void *)(intptr_t)r;
}

static void many_readers_cost_one_fetch(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[16];
	struct parallel p = { .f = f };
	struct listed *l;
	void *r;

	add("INBOX", "hello", "text");
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	p.row = l->entries[0].message.row;
	memory_faults.fetch_delay_ms = 100;
	for (int i = 0; i < 16; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_in_parallel, &p), 0);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(pthread_join(threads[i], &r), 0);
		assert_int_equal((intptr_t)r, 0);
	}
	assert_int_equal(memory_counts().messages_fetched, 1);
	free(l);
}

static void what_is_new_gone_and_reflagged_is_found(struct fixture *f)
{
	CLEANUP(buf) struct buf flags = BUF_INIT;
	struct listed *l;
	int64_t inbox;

	for (int i = 0; i < 5; i++)
		add("INBOX", "old", "text");
	assert_int_equal(start(f), 0);
	inbox = folder_row(f, MAILBOX_ROOT, "INBOX");
	assert_int_equal(look(f, inbox), 0);
	memory_remove_message("INBOX", 2);
	memory_set_flags("INBOX", 4, "\\Seen");
	add("INBOX", "new", "text");
	look_again(f, inbox);
	l = list(f, inbox);
	assert_int_equal(l->n, 5);
	assert_int_equal(l->entries[1].message.uid, 3);
	assert_string_equal(l->entries[4].message.name, "2026-04-14_0930_Alice_new.6.eml");
	assert_int_equal(mailbox_message_attribute(f->mailbox, l->entries[2].message.row, "flags", &flags), 0);
	assert_string_equal(buf_str(&flags), "\\Seen");
	assert_int_equal(f->changes[CHANGE_MESSAGE_ADDED], 1);
	assert_int_equal(f->changes[CHANGE_MESSAGE_GONE], 1);
	assert_int_equal(f->changes[CHANGE_MESSAGE_ATTRIBUTES], 1);
	free(l);
}

static void changes_are_found_with_condstore(void **state)
{
	what_is_new_gone_and_reflagged_is_found(*state);
}

static void changes_are_found_by_comparing_flags(void **state)
{
	memory_faults.has_no_condstore = true;
	what_is_new_gone_and_reflagged_is_found(*state);
}

static void a_remount_without_the_server_shows_what_was_known(void **state)
{
	struct fixture *f = *state;
	struct listed *l;
	int64_t inbox, row;
	char *text;
	int r;

	add("INBOX", "read", "cached text");
	add("INBOX", "unread", "never fetched");
	assert_int_equal(start(f), 0);
	inbox = folder_row(f, MAILBOX_ROOT, "INBOX");
	assert_int_equal(look(f, inbox), 0);
	l = list(f, inbox);
	row = l->entries[0].message.row;
	free(slurp(f, row, &r));
	free(l);
	stop(f);

	memory_faults.open_error = -ECONNREFUSED;
	assert_int_equal(start(f), 0);
	assert_int_equal(folder_row(f, MAILBOX_ROOT, "INBOX"), inbox);
	assert_int_equal(look(f, inbox), 0);
	l = list(f, inbox);
	assert_int_equal(l->n, 2);
	assert_int_equal(l->entries[0].message.row, row);
	text = slurp(f, row, &r);
	assert_non_null(strstr(text, "cached text"));
	free(text);
	assert_null(slurp(f, l->entries[1].message.row, &r));
	assert_int_equal(r, -EHOSTUNREACH);
	free(l);
}

static void without_server_and_cache_nothing_starts(void **state)
{
	struct fixture *f = *state;

	memory_faults.open_error = -EHOSTUNREACH;
	assert_int_equal(start(f), -EHOSTUNREACH);
}

static void a_refused_sign_in_is_told_even_with_a_cache(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(start(f), 0);
	stop(f);
	memory_faults.open_error = -EACCES;
	assert_int_equal(start(f), -EACCES);
}

static void it_recovers_when_the_server_is_back(void **state)
{
	struct fixture *f = *state;
	struct listed *l;
	char *text = NULL;
	int r = -1;

	add("INBOX", "hello", "text");
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	memory_faults.fetch_error = -ETIMEDOUT;
	memory_faults.open_error = -ECONNREFUSED;
	assert_null(slurp(f, l->entries[0].message.row, &r));
	assert_true(r == -ETIMEDOUT || r == -EHOSTUNREACH);
	memory_faults.fetch_error = memory_faults.open_error = 0;
	clock_ahead_ms += 6000;
	for (int i = 0; i < 500 && !text; i++) {
		usleep(10000);
		text = slurp(f, l->entries[0].message.row, &r);
	}
	assert_non_null(text);
	free(text);
	free(l);
}

static void a_size_that_the_server_lied_about_is_right_once_open_returns(void **state)
{
	struct fixture *f = *state;
	struct mailbox_message m;
	struct listed *l;
	struct body *b;
	uint32_t uid = add("INBOX", "hello", "text");

	memory_lie_about_size("INBOX", uid, 7);
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	assert_int_equal(l->entries[0].message.size_bytes, 7);
	assert_int_equal(open_body(f, l->entries[0].message.row, &b), 0);
	assert_true(body_size_was_wrong(b));
	assert_int_equal(body_size(b), 57);
	assert_int_equal(mailbox_message(f->mailbox, l->entries[0].message.row, &m), 0);
	assert_int_equal(m.size_bytes, 57);
	mailbox_close(f->mailbox, b);
	free(l);
}

static char *large_message(size_t len)
{
	char *text = malloc(len);

	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + (i / 1000 + i % 7) % 26);
	memcpy(text, "Subject: large\r\n\r\n", 18);
	return text;
}

static void the_head_of_a_large_message_comes_without_the_rest(void **state)
{
	struct fixture *f = *state;
	size_t len = 20 << 20;
	char *large = large_message(len), head[4096];
	struct listed *l;
	struct body *b;

	memory_add_message("INBOX", large, len, "", 0);
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	assert_int_equal(open_body(f, l->entries[0].message.row, &b), 0);
	assert_int_equal(read_at(f, b, head, sizeof head, 0), sizeof head);
	assert_memory_equal(head, large, sizeof head);
	assert_true(memory_counts().bytes_fetched < 512 * 1024);
	assert_int_equal(read_at(f, b, head, sizeof head, 15 << 20), sizeof head);
	assert_memory_equal(head, large + (15 << 20), sizeof head);
	assert_true(memory_counts().bytes_fetched < 1024 * 1024);
	mailbox_close(f->mailbox, b);
	free(l);
	free(large);
}

static void read_to_the_end(struct fixture *f, struct body *b, const char *expected, size_t len)
{
	enum { STEP = 100000 };
	char *part = malloc(STEP);

	for (size_t at = 0; at < len; at += STEP) {
		size_t n = len - at < STEP ? len - at : STEP;

		assert_int_equal(read_at(f, b, part, STEP, (int64_t)at), n);
		assert_memory_equal(part, expected + at, n);
	}
	free(part);
}

static void a_large_message_read_to_the_end_is_whole_and_cached(void **state)
{
	struct fixture *f = *state;
	size_t len = (9 << 20) + 12345;
	char *large = large_message(len);
	struct listed *l;
	struct body *b;

	memory_add_message("INBOX", large, len, "", 0);
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	assert_int_equal(open_body(f, l->entries[0].message.row, &b), 0);
	read_to_the_end(f, b, large, len);
	mailbox_close(f->mailbox, b);
	for (int i = 0; i < 100 && !mailbox_is_cached(f->mailbox, l->entries[0].message.row); i++)
		usleep(10000);
	assert_true(mailbox_is_cached(f->mailbox, l->entries[0].message.row));
	assert_true(memory_counts().bytes_fetched <= (int64_t)len + 2);
	free(l);
	free(large);
}

static void a_large_message_of_another_size_is_read_whole_all_the_same(void **state)
{
	struct fixture *f = *state;
	size_t len = 3 << 20;
	char *large = large_message(len);
	struct listed *l;
	struct body *b;

	memory_lie_about_size("INBOX", memory_add_message("INBOX", large, len, "", 0), 2 << 20);
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	assert_int_equal(open_body(f, l->entries[0].message.row, &b), 0);
	assert_int_equal(body_size(b), len);
	read_to_the_end(f, b, large, len);
	mailbox_close(f->mailbox, b);
	free(l);
	free(large);
}

static void a_sequential_reader_costs_few_fetches(void **state)
{
	struct fixture *f = *state;
	struct listed *l;
	int r;

	for (int i = 0; i < 1000; i++)
		add("INBOX", "hello", "text");
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	for (int i = 0; i < l->n; i++) {
		free(slurp(f, l->entries[i].message.row, &r));
		assert_int_equal(r, 0);
	}
	assert_int_equal(memory_counts().messages_fetched, 1000);
	assert_true(memory_counts().fetches < 20);
	free(l);
}

static void a_uidvalidity_change_mixes_nothing(void **state)
{
	struct fixture *f = *state;
	struct listed *l;
	int64_t inbox, row;
	char *text;
	int r;

	add("INBOX", "before", "old text");
	assert_int_equal(start(f), 0);
	inbox = folder_row(f, MAILBOX_ROOT, "INBOX");
	assert_int_equal(look(f, inbox), 0);
	l = list(f, inbox);
	row = l->entries[0].message.row;
	free(slurp(f, row, &r));
	free(l);
	memory_remove_message("INBOX", 1);
	memory_remove_folder("INBOX");
	memory_add_folder("INBOX", '/', 0, USE_NONE);
	add("INBOX", "after", "new text");
	memory_set_uidvalidity("INBOX", 4711);
	look_again(f, inbox);
	l = list(f, inbox);
	assert_int_equal(l->n, 1);
	assert_int_not_equal(l->entries[0].message.row, row);
	text = slurp(f, l->entries[0].message.row, &r);
	assert_non_null(strstr(text, "new text"));
	free(text);
	assert_null(slurp(f, row, &r));
	assert_int_equal(r, -ENOENT);
	free(l);
}

static void a_fetch_that_breaks_off_serves_no_half_body(void **state)
{
	struct fixture *f = *state;
	size_t len = 600 * 1024;
	char *large = large_message(len), *text;
	struct listed *l;
	int r;

	memory_add_message("INBOX", large, len, "", 0);
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	memory_faults.break_after_bytes = 300 * 1024;
	assert_null(slurp(f, l->entries[0].message.row, &r));
	assert_int_equal(r, -EHOSTUNREACH);
	assert_false(mailbox_is_cached(f->mailbox, l->entries[0].message.row));
	memory_faults.break_after_bytes = 0;
	clock_ahead_ms += 6000;
	text = slurp(f, l->entries[0].message.row, &r);
	assert_memory_equal(text, large, len);
	free(text);
	free(l);
	free(large);
}

static void *interrupt_soon(void *argument)
{
	void **what = argument;

	usleep(50000);
	mailbox_interrupt(what[0], what[1]);
	return NULL;
}

static void an_interrupted_wait_ends_with_eintr(void **state)
{
	struct fixture *f = *state;
	struct waiter_sync s;
	struct listed *l;
	struct body *b;
	pthread_t thread;
	void *what[2];

	add("INBOX", "hello", "text");
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	memory_faults.fetch_delay_ms = 400;
	waiter_sync_init(&s);
	assert_int_equal(mailbox_open(f->mailbox, l->entries[0].message.row, &s.waiter, &b), -EINPROGRESS);
	what[0] = f->mailbox;
	what[1] = &s.waiter;
	assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, what), 0);
	assert_int_equal(waiter_sync_wait(&s), -EINTR);
	pthread_join(thread, NULL);
	mailbox_close(f->mailbox, b);
	waiter_sync_release(&s);
	free(l);
}

static void unmounting_answers_whoever_waits(void **state)
{
	struct fixture *f = *state;
	struct waiter_sync s;
	struct listed *l;
	struct body *b;

	add("INBOX", "hello", "text");
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	memory_faults.fetch_delay_ms = 10000;
	waiter_sync_init(&s);
	assert_int_equal(mailbox_open(f->mailbox, l->entries[0].message.row, &s.waiter, &b), -EINPROGRESS);
	usleep(50000);
	stop(f);
	assert_true(waiter_sync_wait(&s) < 0);
	waiter_sync_release(&s);
	free(l);
}

static void the_status_is_json_that_says_online(void **state)
{
	CLEANUP(buf) struct buf status = BUF_INIT;
	struct fixture *f = *state;

	assert_int_equal(start(f), 0);
	assert_int_equal(mailbox_status(f->mailbox, &status), 0);
	assert_non_null(strstr(buf_str(&status), "\"state\":\"online\""));
}

static void an_account_without_folders_lists_as_empty(void **state)
{
	struct fixture *f = *state;
	struct waiter_sync s;
	struct listed *l;

	f->configuration.folders = (char *)"Nothing";
	assert_int_equal(start(f), 0);
	waiter_sync_init(&s);
	assert_int_equal(mailbox_look(f->mailbox, MAILBOX_ROOT, &s.waiter), 0);
	waiter_sync_release(&s);
	l = list(f, MAILBOX_ROOT);
	assert_int_equal(l->n, 0);
	free(l);
}

static void a_folder_that_the_server_has_at_another_place_moves(void **state)
{
	struct fixture *f = *state;

	memory_add_folder("Work.Old", '.', 0, USE_NONE);
	assert_int_equal(start(f), 0);
	folder_row(f, folder_row(f, MAILBOX_ROOT, "Work"), "Old");
	stop(f);
	memory_remove_folder("Work.Old");
	memory_add_folder("Work.Old", '/', 0, USE_NONE);
	assert_int_equal(start(f), 0);
	folder_row(f, MAILBOX_ROOT, "Work.Old");
}

/* The folder's messages are other ones now, and the connection is lost before all of them are known. */
static void a_folder_begun_anew_is_not_listed_before_it_is_complete(void **state)
{
	struct fixture *f = *state;
	struct listed *l = calloc(1, sizeof *l);
	int64_t inbox;

	for (int i = 0; i < 3; i++)
		add("INBOX", "hello", "text");
	assert_int_equal(start(f), 0);
	inbox = folder_row(f, MAILBOX_ROOT, "INBOX");
	assert_int_equal(look(f, inbox), 0);
	memory_set_uidvalidity("INBOX", 4711);
	memory_faults.sync_breaks = -ENOTCONN;
	look_again(f, inbox);
	assert_int_equal(f->changes[CHANGE_LISTING], 1);
	assert_int_equal(look(f, inbox), -EHOSTUNREACH);
	assert_int_equal(mailbox_list(f->mailbox, inbox, 0, note_entry, l), -EIO);
	free(l);
	memory_faults.sync_breaks = 0;
	assert_int_equal(look(f, inbox), 0);
	l = list(f, inbox);
	assert_int_equal(l->n, 3);
	free(l);
}

/* How many entries come behind `after`; or -errno. */
static int count_behind(struct fixture *f, int64_t folder, uint64_t after)
{
	struct listed *l = calloc(1, sizeof *l);
	int r = mailbox_list(f->mailbox, folder, after, note_entry, l), n = l->n;

	free(l);
	return r < 0 ? r : n;
}

/* The cookie of the first entry behind `after`. */
static uint64_t next_cookie(struct fixture *f, int64_t folder, uint64_t after)
{
	struct listed *l = calloc(1, sizeof *l);
	uint64_t cookie;

	assert_int_equal(mailbox_list(f->mailbox, folder, after, note_one_entry, l), 0);
	assert_int_equal(l->n, 1);
	cookie = l->entries[0].cookie;
	assert_true(cookie > after && cookie < (uint64_t)1 << 62);
	free(l);
	return cookie;
}

static void a_listing_of_names_is_that_of_everything_with_less_of_each(void **state)
{
	struct fixture *f = *state;
	struct listed *all, *names = calloc(1, sizeof *names);
	int64_t inbox, row;
	int fd;

	memory_add_folder("INBOX/Child", '/', 0, USE_NONE);
	for (int i = 0; i < 4; i++)
		add("INBOX", "hello", "text");
	assert_int_equal(start(f), 0);
	inbox = folder_row(f, MAILBOX_ROOT, "INBOX");
	assert_int_equal(look(f, inbox), 0);
	assert_int_equal(mailbox_create(f->mailbox, inbox, "written", 0600, &row, &fd), 0);
	close(fd);
	all = list(f, inbox);
	assert_int_equal(all->n, 6);
	assert_int_equal(mailbox_list_names(f->mailbox, inbox, 0, note_entry, names), 0);
	assert_int_equal(names->n, all->n);
	for (int i = 0; i < all->n; i++) {
		assert_int_equal(names->entries[i].is_folder, all->entries[i].is_folder);
		assert_true(names->entries[i].cookie == all->entries[i].cookie);
		if (all->entries[i].is_folder)
			continue;
		assert_int_equal(names->entries[i].message.row, all->entries[i].message.row);
		assert_string_equal(names->entries[i].message.name, all->entries[i].message.name);
	}
	names->n = 0;
	assert_int_equal(mailbox_list_names(f->mailbox, inbox, all->entries[2].cookie, note_entry, names), 0);
	assert_int_equal(names->n, 3);
	free(names);
	free(all);
}

static void a_listing_goes_on_behind_a_message_that_went_and_not_in_a_folder_begun_anew(void **state)
{
	struct fixture *f = *state;
	uint64_t child, first, second;
	int64_t inbox;

	memory_add_folder("INBOX/Child", '/', 0, USE_NONE);
	for (int i = 0; i < 4; i++)
		add("INBOX", "hello", "text");
	assert_int_equal(start(f), 0);
	inbox = folder_row(f, MAILBOX_ROOT, "INBOX");
	assert_int_equal(look(f, inbox), 0);
	child = next_cookie(f, inbox, 0);
	first = next_cookie(f, inbox, child);
	second = next_cookie(f, inbox, first);
	memory_remove_message("INBOX", 2);
	look_again(f, inbox);
	assert_int_equal(count_behind(f, inbox, second), 2);
	memory_set_uidvalidity("INBOX", 4711);
	look_again(f, inbox);
	assert_int_equal(look(f, inbox), 0);
	assert_int_equal(count_behind(f, inbox, first), -EIO);
	assert_int_equal(count_behind(f, inbox, second), -EIO);
	assert_int_equal(count_behind(f, inbox, child), 3);
	assert_int_equal(count_behind(f, inbox, 0), 4);
	assert_int_equal(count_behind(f, inbox, next_cookie(f, inbox, child)), 2);
}

static void an_open_message_gets_no_bytes_of_the_one_that_has_its_uid_now(void **state)
{
	struct fixture *f = *state;
	size_t len = 3 << 20;
	char *large = large_message(len), head[4096];
	struct listed *l;
	struct body *b;
	int64_t inbox;

	memory_add_message("INBOX", large, len, "", 0);
	assert_int_equal(start(f), 0);
	inbox = folder_row(f, MAILBOX_ROOT, "INBOX");
	assert_int_equal(look(f, inbox), 0);
	l = list(f, inbox);
	assert_int_equal(open_body(f, l->entries[0].message.row, &b), 0);
	assert_int_equal(read_at(f, b, head, sizeof head, 0), sizeof head);
	memory_remove_folder("INBOX");
	memory_add_folder("INBOX", '/', 0, USE_NONE);
	memory_set_uidvalidity("INBOX", 4711);
	memset(large + 18, 'X', len - 18);
	assert_int_equal(memory_add_message("INBOX", large, len, "", 0), 1);
	look_again(f, inbox);
	assert_true(read_at(f, b, head, sizeof head, 2 << 20) < 0);
	mailbox_close(f->mailbox, b);
	free(l);
	free(large);
}

static bool says(struct fixture *f, const char *state)
{
	CLEANUP(buf) struct buf status = BUF_INIT;

	assert_int_equal(mailbox_status(f->mailbox, &status), 0);
	return strstr(buf_str(&status), state);
}

static void a_reader_left_with_a_part_gets_the_rest_from_read_ahead(void **state)
{
	static const int order[] = { 0, 34, 35 }; /* far away, and then towards it */
	struct fixture *f = *state;
	size_t len = 60 * 1024;
	char *text = large_message(len), *got = malloc(len);
	struct listed *l;
	struct body *b;
	int r;

	for (int i = 0; i < 50; i++)
		memory_add_message("INBOX", text, len, "", 0);
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	memory_faults.break_after_bytes = 20 * 1024;
	assert_int_equal(open_body(f, l->entries[38].message.row, &b), 0);
	assert_int_equal(read_at(f, b, got, len, 0), -EHOSTUNREACH);
	memory_faults.break_after_bytes = 0;
	memory_faults.tells_uid_last = true;
	memory_faults.chunk_delay_ms = 10;
	clock_ahead_ms += 6000;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		free(slurp(f, l->entries[order[i]].message.row, &r));
	assert_int_equal(read_at(f, b, got, len, 0), len);
	assert_memory_equal(got, text, len);
	mailbox_close(f->mailbox, b);
	free(l);
	free(got);
	free(text);
}

static void a_sequential_reader_finds_a_large_one_fetched_ahead(void **state)
{
	struct fixture *f = *state;
	size_t len = 3 << 20;
	char *text = large_message(len);
	struct listed *l;
	int r;

	for (int i = 0; i < 5; i++)
		add("INBOX", "small", "text");
	memory_add_message("INBOX", text, len, "", 0);
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	for (size_t i = 0; i < 4; i++)
		free(slurp(f, l->entries[i].message.row, &r));
	for (int i = 0; i < 500 && !mailbox_is_cached(f->mailbox, l->entries[5].message.row); i++)
		usleep(10 * 1000);
	assert_true(mailbox_is_cached(f->mailbox, l->entries[5].message.row));
	free(l);
	free(text);
}

enum { SESSIONS = 4 };

/* The first messages, each on a session of its own if there are so many. */
static void open_at_once(struct fixture *f, const struct listed *l)
{
	struct waiter_sync s[SESSIONS];
	struct body *b[SESSIONS];

	memory_faults.fetch_delay_ms = 100;
	for (int i = 0; i < SESSIONS; i++) {
		waiter_sync_init(&s[i]);
		assert_int_equal(mailbox_open(f->mailbox, l->entries[i].message.row, &s[i].waiter, &b[i]), -EINPROGRESS);
	}
	for (int i = 0; i < SESSIONS; i++) {
		assert_int_equal(waiter_sync_wait(&s[i]), 0);
		waiter_sync_release(&s[i]);
		mailbox_close(f->mailbox, b[i]);
	}
	memory_faults.fetch_delay_ms = 0;
}

/* Several sessions were open when the server went out of reach: that they were is no sign that it is back. */
static void sessions_from_before_do_not_make_a_lost_server_look_back(void **state)
{
	struct fixture *f = *state;
	struct listed *l;
	int r;

	for (int i = 0; i < SESSIONS + 1; i++)
		add("INBOX", "hello", "text");
	f->configuration.read_ahead_bytes = 0;
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	open_at_once(f, l);
	assert_int_equal(memory_counts().sessions_most, SESSIONS);
	memory_faults.fetch_error = memory_faults.open_error = -ETIMEDOUT;
	assert_null(slurp(f, l->entries[SESSIONS].message.row, &r));
	assert_int_equal(r, -ETIMEDOUT);
	for (int i = 0; i < 100 && !says(f, "\"state\":\"offline\""); i++)
		usleep(1000);
	for (int opens = memory_counts().opens; memory_counts().opens == opens; usleep(1000))
		assert_true(says(f, "\"state\":\"offline\""));
	free(l);
}

static void a_server_that_had_no_room_for_more_sessions_is_asked_again(void **state)
{
	struct fixture *f = *state;
	struct listed *l;

	for (int i = 0; i < 2 * SESSIONS; i++)
		add("INBOX", "hello", "text");
	f->configuration.read_ahead_bytes = 0;
	assert_int_equal(start(f), 0);
	assert_int_equal(look(f, folder_row(f, MAILBOX_ROOT, "INBOX")), 0);
	l = list(f, folder_row(f, MAILBOX_ROOT, "INBOX"));
	memory_faults.open_error = -EAGAIN;
	open_at_once(f, l);
	assert_in_range(memory_counts().sessions_most, 1, SESSIONS - 1); /* the folder list may have had one of its own */
	memory_faults.open_error = 0;
	clock_ahead_ms += 6 * 60 * 1000;
	memmove(l->entries, l->entries + SESSIONS, SESSIONS * sizeof *l->entries);
	open_at_once(f, l);
	assert_int_equal(memory_counts().sessions_most, SESSIONS);
	free(l);
}

/* An accepted message's copy is to be filed; so long ago it was accepted. */
static int file_copy(struct fixture *f, int number, int64_t ago_s)
{
	char id[32], text[96];
	struct outbox_copy copy = { .fd = memfd_create("copy", MFD_CLOEXEC), .field = "Message-ID", .message_id = id };
	int r;

	snprintf(id, sizeof id, "<%d@example.com>", number);
	copy.size_bytes = snprintf(text, sizeof text, "To: bob@example.com\r\nMessage-ID: %s\r\n\r\nhi\r\n", id);
	assert_int_equal(write(copy.fd, text, (size_t)copy.size_bytes), copy.size_bytes);
	copy.date_s = clock_realtime_s() - 86400; /* it was queued for a day */
	copy.accepted_s = clock_realtime_s() - ago_s;
	r = filing_sent_copy(f->mailbox, &copy);
	close(copy.fd);
	return r;
}

static void the_server_files(int number)
{
	char text[96];
	int n = snprintf(text, sizeof text, "To: bob@example.com\r\nMessage-ID: <%d@example.com>\r\n\r\nhi\r\n", number);

	memory_add_message("Sent", text, (size_t)n, "\\Seen", 1776159000);
}

static void on_a_new_account_the_servers_copy_is_waited_for_from_acceptance_on(void **state)
{
	struct fixture *f = *state;

	memory_add_folder("Sent", '/', 0, USE_SENT);
	assert_int_equal(start(f), 0);
	assert_int_equal(file_copy(f, 1, 0), -EAGAIN);
	assert_int_equal(file_copy(f, 1, 59), -EAGAIN);
	assert_int_equal(file_copy(f, 1, 61), 0);
	assert_int_equal(memory_counts().appends, 1);
	/* Known from then on. */
	assert_int_equal(file_copy(f, 2, 0), 0);
	assert_int_equal(memory_counts().appends, 2);
	assert_int_equal(file_copy(f, 2, 0), 0);
	assert_int_equal(memory_counts().appends, 2);
}

static void a_server_that_files_itself_is_remembered_and_given_longer(void **state)
{
	struct fixture *f = *state;

	memory_add_folder("Sent", '/', 0, USE_SENT);
	assert_int_equal(start(f), 0);
	the_server_files(1);
	assert_int_equal(file_copy(f, 1, 5), 0);
	stop(f);
	assert_int_equal(start(f), 0);
	assert_int_equal(file_copy(f, 2, 599), -EAGAIN);
	the_server_files(2);
	assert_int_equal(file_copy(f, 2, 3600), 0);
	assert_int_equal(memory_counts().appends, 0);
	/* It does so no more: that one is ours, once that works, and with the next it is seen anew. */
	memory_faults.change_error = -EDQUOT;
	assert_int_equal(file_copy(f, 3, 601), -EDQUOT);
	memory_faults.change_error = 0;
	assert_int_equal(file_copy(f, 3, 61), -EAGAIN);
	assert_int_equal(file_copy(f, 3, 601), 0);
	assert_int_equal(file_copy(f, 4, 59), -EAGAIN);
	the_server_files(4);
	assert_int_equal(file_copy(f, 4, 60), 0);
	assert_int_equal(file_copy(f, 5, 61), -EAGAIN);
}

static void our_own_copy_from_before_a_crash_is_not_taken_for_the_servers(void **state)
{
	struct fixture *f = *state;

	memory_add_folder("Sent", '/', 0, USE_SENT);
	assert_int_equal(start(f), 0);
	memory_faults.change_breaks = -ENOTCONN;
	memory_faults.change_was_done = true;
	assert_true(file_copy(f, 1, 61) < 0);
	memory_faults.change_breaks = 0;
	stop(f);
	assert_int_equal(start(f), 0);
	assert_int_equal(file_copy(f, 1, 120), 0);
	assert_int_equal(memory_counts().appends, 1);
	assert_int_equal(file_copy(f, 2, 0), 0);
	assert_int_equal(memory_counts().appends, 2);
}

static void a_sent_folder_of_ones_choice_is_filed_into_at_once_and_teaches_nothing(void **state)
{
	struct fixture *f = *state;

	memory_add_folder("Sent", '/', 0, USE_SENT);
	f->configuration.sent = (char *)"Sent";
	assert_int_equal(start(f), 0);
	assert_int_equal(file_copy(f, 1, 0), 0);
	assert_int_equal(file_copy(f, 1, 0), 0);
	assert_int_equal(memory_counts().appends, 1);
	stop(f);
	f->configuration.sent = (char *)"auto";
	assert_int_equal(start(f), 0);
	assert_int_equal(file_copy(f, 2, 59), -EAGAIN);
	assert_int_equal(file_copy(f, 2, 61), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(folders_become_a_tree_with_what_stands_between),
		TEST(a_first_look_waits_until_every_message_is_known),
		TEST(a_listing_of_names_is_that_of_everything_with_less_of_each),
		TEST(a_message_reads_as_the_server_has_it),
		TEST(many_readers_cost_one_fetch),
		TEST(changes_are_found_with_condstore),
		TEST(changes_are_found_by_comparing_flags),
		TEST(a_remount_without_the_server_shows_what_was_known),
		TEST(without_server_and_cache_nothing_starts),
		TEST(a_refused_sign_in_is_told_even_with_a_cache),
		TEST(it_recovers_when_the_server_is_back),
		TEST(a_size_that_the_server_lied_about_is_right_once_open_returns),
		TEST(the_head_of_a_large_message_comes_without_the_rest),
		TEST(a_large_message_read_to_the_end_is_whole_and_cached),
		TEST(a_large_message_of_another_size_is_read_whole_all_the_same),
		TEST(a_sequential_reader_costs_few_fetches),
		TEST(a_uidvalidity_change_mixes_nothing),
		TEST(a_fetch_that_breaks_off_serves_no_half_body),
		TEST(an_interrupted_wait_ends_with_eintr),
		TEST(unmounting_answers_whoever_waits),
		TEST(the_status_is_json_that_says_online),
		TEST(an_account_without_folders_lists_as_empty),
		TEST(a_folder_that_the_server_has_at_another_place_moves),
		TEST(a_folder_begun_anew_is_not_listed_before_it_is_complete),
		TEST(a_listing_goes_on_behind_a_message_that_went_and_not_in_a_folder_begun_anew),
		TEST(an_open_message_gets_no_bytes_of_the_one_that_has_its_uid_now),
		TEST(a_reader_left_with_a_part_gets_the_rest_from_read_ahead),
		TEST(a_sequential_reader_finds_a_large_one_fetched_ahead),
		TEST(a_server_that_had_no_room_for_more_sessions_is_asked_again),
		TEST(on_a_new_account_the_servers_copy_is_waited_for_from_acceptance_on),
		TEST(a_server_that_files_itself_is_remembered_and_given_longer),
		TEST(our_own_copy_from_before_a_crash_is_not_taken_for_the_servers),
		TEST(a_sent_folder_of_ones_choice_is_filed_into_at_once_and_teaches_nothing),
		TEST(sessions_from_before_do_not_make_a_lost_server_look_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

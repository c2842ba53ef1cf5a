/* SPDX-License-Identifier: BSD-2-Clause */
#include "changing_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

void start(struct fixture *f)
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

void stop(struct fixture *f)
{
	mailbox_free(f->mailbox);
	f->mailbox = NULL;
}

void delete_cache(struct fixture *f)
{
	char command[256];

	snprintf(command, sizeof command, "rm -rf %s && mkdir %s", f->cache, f->cache);
	assert_int_equal(system(command), 0);
}

int setup(void **state)
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

int teardown(void **state)
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

uint32_t deliver(const char *folder, const char *subject)
{
	char message[256];
	int n = snprintf(message, sizeof message,
			 "From: Alice <a@example.com>\r\nMessage-ID: <%s@example.com>\r\nSubject: %s\r\n\r\n%s\r\n", subject,
			 subject, subject);

	return memory_add_message(folder, message, (size_t)n, "", 1776159000);
}

int holding(const char *folder, const char *text)
{
	int n = 0;

	for (uint32_t uid = 1; uid < 200; uid++) {
		CLEANUP(buf) struct buf body = BUF_INIT;

		if (memory_get_message(folder, uid, &body, NULL))
			n += strstr(buf_str(&body), text) != NULL;
	}
	return n;
}

bool has_flags(const char *folder, uint32_t uid, const char *flags)
{
	CLEANUP(buf) struct buf now = BUF_INIT;

	return memory_get_message(folder, uid, NULL, &now) && strcmp(buf_str(&now), flags) == 0;
}

int wait_answer(int r, struct waiter_sync *s)
{
	if (r == -EINPROGRESS)
		r = waiter_sync_wait(s);
	waiter_sync_release(s);
	return r;
}

int open_to_write(struct fixture *f, int64_t row, bool truncate)
{
	struct waiter_sync s;
	int fd = -1;

	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_edit(f->mailbox, row, true, truncate, &s.waiter, &fd), &s), 0);
	return fd;
}

void write_and_close(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

int64_t folder_row(struct fixture *f, int64_t parent, const char *name)
{
	struct mailbox_entry e;
	struct waiter_sync s;

	assert_int_equal(mailbox_lookup(f->mailbox, parent, name, &e), 0);
	assert_true(e.is_folder);
	waiter_sync_init(&s);
	assert_int_equal(wait_answer(mailbox_look(f->mailbox, e.folder.row, &s.waiter), &s), 0);
	return e.folder.row;
}

void mount_fixture(struct fixture *f)
{
	start(f);
	f->inbox = folder_row(f, MAILBOX_ROOT, "INBOX");
	f->archive = folder_row(f, MAILBOX_ROOT, "Archive");
}

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

struct names names(struct fixture *f, int64_t folder)
{
	struct names n = { .n = 0 };

	assert_int_equal(mailbox_list(f->mailbox, folder, 0, note_name, &n), 0);
	return n;
}

int64_t row_of(struct fixture *f, int64_t folder, const char *name)
{
	struct mailbox_entry e;

	return mailbox_lookup(f->mailbox, folder, name, &e) == 0 ? e.message.row : 0;
}

bool shows_flags(struct fixture *f, int64_t row, const char *flags)
{
	CLEANUP(buf) struct buf now = BUF_INIT;

	assert_int_equal(mailbox_message_attribute(f->mailbox, row, "flags", &now), 0);
	return strcmp(buf_str(&now), flags) == 0;
}

int set_flags(struct fixture *f, int64_t row, const char *value)
{
	int r = mailbox_set_flags(f->mailbox, row, value, strlen(value));

	return r < 0 ? r : 0;
}

int settle(struct fixture *f, int64_t folder)
{
	struct waiter_sync s;

	waiter_sync_init(&s);
	return wait_answer(mailbox_settle_folder(f->mailbox, folder, &s.waiter), &s);
}

int commit(struct fixture *f, int64_t row)
{
	struct waiter_sync s;

	waiter_sync_init(&s);
	return wait_answer(mailbox_commit(f->mailbox, row, &s.waiter), &s);
}

int64_t write_file(struct fixture *f, int64_t folder, const char *name, const char *text)
{
	int64_t row = 0;
	int fd = -1;

	assert_int_equal(mailbox_create(f->mailbox, folder, name, 0600, &row, &fd), 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return row;
}

int rename_to(struct fixture *f, int64_t from, const char *name, int64_t to, const char *to_name)
{
	struct waiter_sync s;

	waiter_sync_init(&s);
	return wait_answer(mailbox_rename(f->mailbox, from, name, to, to_name, false, &s.waiter), &s);
}

void remount(struct fixture *f, bool without_cache)
{
	stop(f);
	if (without_cache)
		delete_cache(f);
	mount_fixture(f);
}

void go_offline(void)
{
	memory_faults.open_error = -ECONNREFUSED;
	memory_faults.change_breaks = -ENOTCONN;
}

void go_online(void)
{
	memory_faults.open_error = 0;
	memory_faults.change_breaks = 0;
}

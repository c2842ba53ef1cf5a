/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mailbox above a server in memory, in an empty directory, and short words for what tests do to either.
 */
#ifndef MAILFS_TESTS_CHANGING_FIXTURE_H
#define MAILFS_TESTS_CHANGING_FIXTURE_H

#include "unit.h"

#include <unistd.h>

#include "mailbox/changing.h"
#include "mailbox/mailbox.h"
#include "memory_backend.h"

struct fixture {
	char directory[64], cache[96], state[96];
	struct configuration configuration;
	struct mailbox *mailbox;
	int64_t inbox, archive; /* rows, once it is mounted */
};

/* With folders INBOX and Archive. */
int setup(void **state);
int teardown(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

enum { PATIENCE_MS = 10000 };
#define WAIT_FOR(condition)                                              \
	do {                                                             \
		for (int i_ = 0; i_ < PATIENCE_MS && !(condition); i_++) \
			usleep(1000);                                    \
		assert_true(condition);                                  \
	} while (0)

void start(struct fixture *f);
/* The same, and INBOX and Archive were looked at. */
void mount_fixture(struct fixture *f);
void stop(struct fixture *f);
void delete_cache(struct fixture *f);
void remount(struct fixture *f, bool without_cache);

/* The server. */
uint32_t deliver(const char *folder, const char *subject);
/* How many messages of a folder hold this text. */
int holding(const char *folder, const char *text);
bool has_flags(const char *folder, uint32_t uid, const char *flags);
void go_offline(void);
void go_online(void);

/* The tree: what the mailbox answers, waited for. */
#define LETTER "From: a@example.com\r\nSubject: new\r\nMessage-ID: <new@example.com>\r\n\r\nnew text\r\n"

struct names {
	char text[4096];
	int n;
	int64_t row; /* the last one's */
	char last[NAME_MAX + 1];
};

int wait_answer(int r, struct waiter_sync *s);
int64_t folder_row(struct fixture *f, int64_t parent, const char *name);
/* Of the messages in a folder. */
struct names names(struct fixture *f, int64_t folder);
/* 0: there is none of this name. */
int64_t row_of(struct fixture *f, int64_t folder, const char *name);
bool shows_flags(struct fixture *f, int64_t row, const char *flags);
int set_flags(struct fixture *f, int64_t row, const char *value);
/* fsync(2) of a folder, close(2) of a file. */
int settle(struct fixture *f, int64_t folder);
int commit(struct fixture *f, int64_t row);
/* A message opened for writing: its descriptor, own. */
int open_to_write(struct fixture *f, int64_t row, bool truncate);
void write_and_close(int fd, const char *text);
int64_t write_file(struct fixture *f, int64_t folder, const char *name, const char *text);
int rename_to(struct fixture *f, int64_t from, const char *name, int64_t to, const char *to_name);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An outbox in an empty directory with a submission server that is a script, a clock that stands still, and a sent folder that counts. One at a time.
 */
#ifndef MAILFS_TESTS_OUTBOX_FIXTURE_H
#define MAILFS_TESTS_OUTBOX_FIXTURE_H

#include "unit.h"

#include "base/buf.h"
#include "outbox/queue.h"

/* What the server does with the next message; the last step goes on for ever. */
struct fake_step {
	enum smtp_outcome outcome;
	int code;
	const char *text;
	int recipient_codes[4]; /* 0: 250 */
	bool is_before_dot;	/* the end comes before the final dot */
	int error;		/* smtp_send() itself fails */
};

struct fake {
	const char *directory; /* borrowed */
	struct outbox *outbox;
	struct state *state;
	struct configuration configuration;
	int64_t now_s;

	const struct fake_step *steps;
	size_t n_steps;
	int open_error;
	struct smtp_capabilities capabilities;
	int opened, closed, sent; /* calls */
	struct buf message;	  /* what the server was last given */
	struct buf envelope;	  /* "sender>recipient,recipient" */
	struct buf notices;	  /* NOTIFY, RET and ENVID of that, "-" for each there is none of */
	int accepted_log;	  /* descriptor or -1: a line a message that was accepted, its Message-ID */
	int copies_log;		  /* the same of sent copies, which are then looked for in it before one is filed */

	int in_sent_folder;		      /* what sent_contains answers */
	const char *asked_field, *copy_field; /* what sent_contains and file_sent_copy were told last */
	bool is_smtputf8;		      /* the last message asked for it */
	int64_t copy_accepted_s;
	int file_error;
	int filed;	 /* copies */
	struct buf copy; /* the last one */
	int bounce_error;
	int bounced;	   /* notices filed */
	struct buf bounce; /* the last one */
	char bounce_id[128];
	struct buf events; /* "+place/name:state" and "-place/name", space-separated */
};

extern struct fake fake;

/* cmocka's setup and teardown. */
int fake_setup(void **state);
int fake_teardown(void **state);
#define outbox_test(function) cmocka_unit_test_setup_teardown(function, fake_setup, fake_teardown)

void fake_open(void);
void fake_close(void);
/* As after a kill -9 at this moment and a new start. */
void fake_restart(void);

/* Creates, writes, closes; what the last close returned. */
int fake_write(const char *name, const char *text);
int fake_write_bytes(const char *name, const void *data, size_t len);
int fake_write_in(enum outbox_place place, const char *name, const void *data, size_t len);
/* Commits what is open. */
int fake_commit(int64_t id);

/* "held" and so on, "" if there is no such file. */
const char *fake_state(enum outbox_place place, const char *name);
int64_t fake_id(enum outbox_place place, const char *name);
/* An attribute of a file, "" if it has none. Static. */
const char *fake_attribute(enum outbox_place place, const char *name, const char *attribute);
/* How many files there are in a place. */
int fake_count(enum outbox_place place);

#define fake_script(...)                                                   \
	do {                                                               \
		static const struct fake_step script_[] = { __VA_ARGS__ }; \
		fake.steps = script_;                                      \
		fake.n_steps = sizeof script_ / sizeof *script_;           \
	} while (0)

#endif

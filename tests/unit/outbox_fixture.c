/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "outbox/commit.h"
#include "outbox/sender.h"
#include "scratch.h"

struct fake fake;

static struct smtp *const the_session = (struct smtp *)&fake;

static int fake_smtp_open(const struct smtp_options *options, struct smtp **ret, struct buf *why)
{
	(void)options;
	fake.opened++;
	if (fake.open_error) {
		buf_append_str(why, "smtp.example.com: it does not answer");
		return fake.open_error;
	}
	*ret = the_session;
	return 0;
}

static void fake_smtp_close(struct smtp *s)
{
	assert_ptr_equal(s, the_session);
	fake.closed++;
}

static const struct smtp_capabilities *fake_smtp_capabilities(const struct smtp *s)
{
	assert_ptr_equal(s, the_session);
	return &fake.capabilities;
}

static void read_all(int fd, int64_t size_bytes, struct buf *out)
{
	buf_truncate(out, 0);
	assert_int_equal(buf_reserve(out, (size_t)size_bytes + 1), 0);
	assert_int_equal(pread(fd, out->data, (size_t)size_bytes + 1, 0), size_bytes);
	out->len = (size_t)size_bytes;
	out->data[out->len] = '\0';
}

static void note_accepted(void)
{
	const char *id = strstr(buf_str(&fake.message), "\r\nMessage-ID: ");
	const char *end = id ? strstr(id + 2, "\r\n") : NULL;

	if (fake.accepted_log < 0)
		return;
	assert_non_null(end);
	assert_true(write(fake.accepted_log, id + 14, (size_t)(end + 2 - id - 14)) > 0);
	fault_point("send: the server has it, its reply is under way");
}

static int fake_smtp_send(struct smtp *s, const struct smtp_message *message, struct smtp_result *ret)
{
	static const struct fake_step accept = { .outcome = SMTP_ACCEPTED, .code = 250, .text = "ok" };
	size_t n = (size_t)fake.sent++;
	const struct fake_step *step = !fake.n_steps ? &accept : &fake.steps[n < fake.n_steps ? n : fake.n_steps - 1];
	int r = 0;

	assert_ptr_equal(s, the_session);
	if (step->error)
		return step->error;
	read_all(message->fd, message->size_bytes, &fake.message);
	buf_truncate(&fake.envelope, 0);
	buf_printf(&fake.envelope, "%s>", message->sender);
	fake.is_smtputf8 = message->smtputf8;
	buf_truncate(&fake.notices, 0);
	buf_printf(&fake.notices, "%s %s %s", message->notify ? message->notify : "-", message->ret ? message->ret : "-",
		   message->envid ? message->envid : "-");
	ret->recipients = calloc(message->n_recipients, sizeof *ret->recipients);
	for (size_t i = 0; i < message->n_recipients; i++) {
		int code = i < 4 && step->recipient_codes[i] ? step->recipient_codes[i] : 250;

		buf_printf(&fake.envelope, "%s%s", i ? "," : "", message->recipients[i]);
		ret->recipients[i].code = code;
		snprintf(ret->recipients[i].text, sizeof ret->recipients[i].text, "rcpt %s", code < 400 ? "ok" : "refused");
	}
	ret->outcome = step->outcome;
	ret->reply.code = step->code;
	snprintf(ret->reply.text, sizeof ret->reply.text, "%s", step->text ? step->text : "");
	if (!step->is_before_dot)
		r = message->before_dot(message->userdata);
	if (r < 0) {
		free(ret->recipients);
		ret->recipients = NULL;
		return r;
	}
	if (ret->outcome == SMTP_ACCEPTED)
		note_accepted();
	return 0;
}

static void fake_smtp_result_release(struct smtp_result *r)
{
	free(r->recipients);
	r->recipients = NULL;
}

static const struct submission_ops fake_submission = {
	fake_smtp_open, fake_smtp_close, fake_smtp_capabilities, fake_smtp_send, fake_smtp_result_release,
};

static int sent_contains(void *userdata, const char *field, const char *message_id)
{
	(void)userdata;
	fake.asked_field = field;
	assert_int_equal(message_id[0], '<');
	return fake.in_sent_folder;
}

/* As the account does it: what is there already is not filed again. */
static void note_copy(const char *message_id)
{
	char ids[4096];
	ssize_t len = pread(fake.copies_log, ids, sizeof ids, 0);

	assert_true(len >= 0);
	if (memmem(ids, (size_t)len, message_id, strlen(message_id)))
		return;
	assert_true(dprintf(fake.copies_log, "%s\n", message_id) > 0);
	fault_point("copy: the server has it");
}

static int file_sent_copy(void *userdata, const struct outbox_copy *copy)
{
	(void)userdata;
	assert_non_null(copy->message_id);
	fake.copy_field = copy->field;
	fake.copy_accepted_s = copy->accepted_s;
	if (fake.file_error)
		return fake.file_error;
	read_all(copy->fd, copy->size_bytes, &fake.copy);
	if (fake.copies_log >= 0)
		note_copy(copy->message_id);
	fake.filed++;
	return 0;
}

static int file_bounce(void *userdata, int fd, int64_t size_bytes, const char *message_id, int64_t date_s)
{
	(void)userdata;
	assert_int_equal(date_s, fake.now_s);
	if (fake.bounce_error)
		return fake.bounce_error;
	if (!strcmp(fake.bounce_id, message_id))
		return 0;
	snprintf(fake.bounce_id, sizeof fake.bounce_id, "%s", message_id);
	read_all(fd, size_bytes, &fake.bounce);
	fake.bounced++;
	return 0;
}

static void changed(void *userdata, const struct outbox_entry *e, bool is_gone)
{
	static const char *const places[] = { "queue", "failed" };

	(void)userdata;
	if (is_gone)
		buf_printf(&fake.events, "-%s/%s ", places[e->place], e->name);
	else
		buf_printf(&fake.events, "+%s/%s:%s ", places[e->place], e->name, outbox_state_name(e->state));
}

static int64_t now_s(void)
{
	return fake.now_s;
}

static int64_t now_ms(void)
{
	return fake.now_s * 1000;
}

void fake_open(void)
{
	const struct outbox_options options = {
		.configuration = &fake.configuration,
		.state = fake.state,
		.sent_contains = sent_contains,
		.file_sent_copy = file_sent_copy,
		.file_bounce = file_bounce,
		.changed = changed,
	};

	assert_int_equal(queue_open(fake.directory, &options, &fake_submission, &fake.outbox), 0);
}

void fake_close(void)
{
	outbox_free(fake.outbox);
	fake.outbox = NULL;
}

void fake_restart(void)
{
	/* What is in memory alone goes without a word. */
	queue_free(fake.outbox);
	fake_open();
}

/* In memory where there is such a place: fsync is then free, and what a killed process leaves is the same. */
static int make_directory(void **state)
{
	char *path = strdup("/dev/shm/mailfs-test-XXXXXX");

	if (!path || !mkdtemp(path)) {
		free(path);
		return scratch_setup(state);
	}
	*state = path;
	return 0;
}

int fake_setup(void **state)
{
	int r = make_directory(state);

	if (r)
		return r;
	log_open(false, LOG_LEVEL_ERROR);
	fake = (struct fake){ .directory = *state, .now_s = 1000000000, .accepted_log = -1, .copies_log = -1 };
	fake.capabilities = (struct smtp_capabilities){ .eightbitmime = true, .size = true };
	fake.configuration.from = (char *)"Alice Example <alice@example.com>, *@alice.example";
	fake.configuration.timeout_s = 15;
	clock_replace(now_ms, now_s);
	assert_int_equal(state_open(fake.directory, &fake.state), 0);
	fake_open();
	return 0;
}

int fake_teardown(void **state)
{
	fake_close();
	state_close(fake.state);
	clock_replace(NULL, NULL);
	buf_release(&fake.message);
	buf_release(&fake.envelope);
	buf_release(&fake.notices);
	buf_release(&fake.copy);
	buf_release(&fake.bounce);
	buf_release(&fake.events);
	return scratch_teardown(state);
}

int fake_commit(int64_t id)
{
	struct waiter_sync w;
	int r;

	waiter_sync_init(&w);
	r = outbox_commit(fake.outbox, id, &w.waiter);
	if (r == -EINPROGRESS) {
		assert_true(commit_run_one(fake.outbox));
		r = waiter_sync_wait(&w);
	}
	waiter_sync_release(&w);
	return r;
}

int fake_write_in(enum outbox_place place, const char *name, const void *data, size_t len)
{
	int64_t id;
	int fd, r = outbox_create(fake.outbox, place, name, 0600, &id, &fd);

	if (r < 0)
		return r;
	assert_int_equal(write(fd, data, len), len);
	close(fd);
	return fake_commit(id);
}

int fake_write_bytes(const char *name, const void *data, size_t len)
{
	return fake_write_in(OUTBOX_QUEUE, name, data, len);
}

int fake_write(const char *name, const char *text)
{
	return fake_write_bytes(name, text, strlen(text));
}

const char *fake_state(enum outbox_place place, const char *name)
{
	struct outbox_entry e;

	return outbox_lookup(fake.outbox, place, name, &e) < 0 ? "" : outbox_state_name(e.state);
}

int64_t fake_id(enum outbox_place place, const char *name)
{
	struct outbox_entry e;

	assert_int_equal(outbox_lookup(fake.outbox, place, name, &e), 0);
	return e.id;
}

const char *fake_attribute(enum outbox_place place, const char *name, const char *attribute)
{
	static char text[1024];
	CLEANUP(buf) struct buf value = BUF_INIT;

	if (outbox_get_attribute(fake.outbox, fake_id(place, name), attribute, &value) < 0)
		return "";
	snprintf(text, sizeof text, "%s", buf_str(&value));
	return text;
}

static int count_one(void *userdata, const struct outbox_entry *e)
{
	(void)e;
	++*(int *)userdata;
	return 0;
}

int fake_count(enum outbox_place place)
{
	int n = 0;

	assert_int_equal(outbox_each(fake.outbox, place, 0, count_one, &n), 0);
	return n;
}

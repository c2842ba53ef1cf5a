/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an attempt's outcome makes of an entry: each recipient by itself, one replacement of the record, then whoever waits is told.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "outbox/commit.h"
#include "outbox/entry.h"
#include "outbox/uncertain.h"
#include "outbox/verdict.h"

enum { GIVE_UP_S = 5 * 86400 };

int64_t verdict_wait_s(int failures)
{
	static const int minutes[] = { 1, 5, 15, 30 };
	size_t last = sizeof minutes / sizeof *minutes - 1;

	return 60 * (int64_t)minutes[failures < 1 ? 0 : (size_t)failures - 1 < last ? (size_t)failures - 1 : last];
}

void verdict_owe_bounce(struct outbox *o, struct entry *e)
{
	e->record.is_bounce_due = o->options.file_bounce != NULL;
	e->record.failures = 0;
	e->record.next_s = clock_realtime_s();
}

/* The attempt's verdict becomes durable; what could not be written is written before anything else happens to the entry. */
static void conclude(struct outbox *o, struct entry *e, int answer)
{
	int attempt = ++e->record.attempts;

	fault_point("verdict: before the record");
	if (queue_save(o, e) < 0)
		log_error("outbox: the state of %s cannot be saved; it is tried again", e->record.name);
	else
		entry_clear_dot(o->dirfd, e->id, attempt);
	fault_point("verdict: recorded");
	queue_announce(o, e);
	commit_answer_verdict(o, e->id, answer);
}

static int refuse_recipient(struct entry *e, const char *address, const char *words)
{
	int r = string_list_add(&e->record.refusals, words);

	return r < 0 ? r : string_list_add(&e->record.refused, address);
}

/* For good, for all that are left. Where others took the message, the copy and the record of what was sent come first: the sender sees to that. */
static void fail(struct outbox *o, struct entry *e, const char *why)
{
	for (size_t i = 0; i < e->record.recipients.n; i++)
		if (refuse_recipient(e, e->record.recipients.items[i], why) < 0)
			return;
	string_list_release(&e->record.recipients);
	if (e->record.copy == RECORD_COPY_NONE) {
		queue_fail(o, e, OUTBOX_FAILED_STATE, why);
		verdict_owe_bounce(o, e);
		return;
	}
	queue_set_error(o, e, why);
	e->record.next_s = clock_realtime_s();
	queue_set_state(o, e, OUTBOX_SENT);
}

static bool is_over_time(const struct entry *e)
{
	return clock_realtime_s() - e->record.date_s >= GIVE_UP_S;
}

/* Another time, or never again. */
static void postpone(struct outbox *o, struct entry *e, const char *why)
{
	CLEANUP(buf) struct buf text = BUF_INIT;

	e->record.failures++;
	e->record.next_s = clock_realtime_s() + verdict_wait_s(e->record.failures);
	if (!is_over_time(e)) {
		queue_set_error(o, e, why);
		queue_set_state(o, e, OUTBOX_RETRY);
		return;
	}
	buf_printf(&text, "given up after 5 days: %s", why);
	fail(o, e, buf_str(&text));
}

static void retry(struct outbox *o, struct entry *e, const char *why)
{
	postpone(o, e, why);
	conclude(o, e, e->record.state == OUTBOX_RETRY ? 0 : -EREMOTEIO);
}

void verdict_wait(struct outbox *o, struct entry *e, const char *why)
{
	if (is_over_time(e)) {
		retry(o, e, why);
		return;
	}
	queue_set_error(o, e, why);
	queue_set_state(o, e, OUTBOX_RETRY);
	queue_announce(o, e);
	commit_answer_verdict(o, e->id, 0);
}

void verdict_refuse(struct outbox *o, struct entry *e, const char *why)
{
	fail(o, e, why);
	conclude(o, e, -EREMOTEIO);
}

static void format_reply(const struct smtp_reply *reply, struct buf *out)
{
	if (!reply->code)
		buf_printf(out, "%s", *reply->text ? reply->text : "the connection was lost");
	else
		buf_printf(out, "%d %s%s%s", reply->code, reply->enhanced, *reply->enhanced ? " " : "", reply->text);
}

/* The reply that decides for one recipient: its own where that is a refusal, else the message's. */
static const struct smtp_reply *deciding_reply(const struct smtp_result *result, size_t i)
{
	const struct smtp_reply *own = result->recipients ? &result->recipients[i] : &result->reply;

	return own->code >= 400 ? own : &result->reply;
}

/* One recipient's fate. A recipient without a word of its own in an accepted message was accepted: it is never sent to again. */
static int judge_recipient(struct outbox *o, struct entry *e, const struct smtp_result *result, size_t i, struct string_list *later)
{
	const struct smtp_reply *reply = deciding_reply(result, i);
	CLEANUP(buf) struct buf text = BUF_INIT;

	if (result->outcome == SMTP_ACCEPTED && reply->code < 400) {
		if (e->record.copy == RECORD_COPY_NONE) {
			e->record.copy = RECORD_COPY_DUE;
			e->record.accepted_s = clock_realtime_s();
		}
		return 0;
	}
	format_reply(reply, &text);
	queue_set_error(o, e, buf_str(&text));
	log_debug("outbox: %s: %s: %s", e->record.name, e->record.recipients.items[i], buf_str(&text));
	if (reply->code >= 500)
		return refuse_recipient(e, e->record.recipients.items[i], buf_str(&text));
	return string_list_add(later, e->record.recipients.items[i]);
}

/* Some or all were taken, or all refused. */
static void decided(struct outbox *o, struct entry *e, const struct smtp_result *result)
{
	CLEANUP(string_list) struct string_list later = { NULL, 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;
	size_t n_refused = e->record.refused.n, n_waiting = e->record.recipients.n;

	for (size_t i = 0; i < e->record.recipients.n; i++)
		judge_recipient(o, e, result, i, &later);
	buf_printf(&why, "%s", e->record.error ? e->record.error : "");
	if (e->record.refused.n > n_refused && (later.n || e->record.copy != RECORD_COPY_NONE))
		log_warning("outbox: %s: %zu of its recipients refused", e->record.name, e->record.refused.n);
	if (!later.n && e->record.copy == RECORD_COPY_NONE) {
		string_list_release(&e->record.recipients);
		fail(o, e, buf_str(&why));
		return;
	}
	string_list_release(&e->record.recipients);
	e->record.recipients = later;
	later = (struct string_list){ NULL, 0 };
	/* A server that takes so many at a time gets the next ones soon. */
	if (e->record.recipients.n + (e->record.refused.n - n_refused) < n_waiting)
		e->record.failures = 0;
	if (e->record.recipients.n) {
		postpone(o, e, buf_str(&why));
		return;
	}
	e->record.next_s = clock_realtime_s();
	queue_set_state(o, e, OUTBOX_SENT);
}

static int answer_of(const struct entry *e)
{
	bool is_refused = e->record.refused.n || e->record.state == OUTBOX_FAILED_STATE || e->record.state == OUTBOX_UNCERTAIN;

	return is_refused ? -EREMOTEIO : 0;
}

void verdict_of_result(struct outbox *o, struct entry *e, const struct smtp_result *result)
{
	CLEANUP(buf) struct buf why = BUF_INIT;

	format_reply(&result->reply, &why);
	switch (result->outcome) {
	case SMTP_ACCEPTED:
	case SMTP_REFUSED:
		decided(o, e, result);
		break;
	case SMTP_SESSION:
		/* Cut short because we stop: next time at once. */
		if (queue_is_stopping(o))
			queue_set_state(o, e, OUTBOX_QUEUED);
		else
			postpone(o, e, buf_str(&why));
		break;
	case SMTP_UNCERTAIN:
		uncertain_enter(
			o, e,
			"the connection was lost after the message was sent and before the server's reply: it may have been sent");
		break;
	}
	conclude(o, e, answer_of(e));
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/uncertain.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "outbox/sender.h"
#include "outbox/verdict.h"

enum {
	LOOKS = 5, /* after 1, 5, 15, 30 and 30 minutes: a server that files what it sends does so soon */
	SENT_RECORD_S = 30 * 86400,
};

/* Those who took the message are never sent it again, those who refused it not by this. */
static int keep_undecided(struct outbox *o, struct entry *e)
{
	CLEANUP(buf) struct buf rcpt = BUF_INIT;
	int r = string_list_join(&e->record.recipients, ", ", &rcpt);

	if (r < 0 || (e->record.copy == RECORD_COPY_NONE && !e->record.refused.n))
		return r;
	pthread_mutex_lock(&o->lock);
	r = record_set(&e->record.rcpt, buf_str(&rcpt));
	pthread_mutex_unlock(&o->lock);
	return r;
}

void uncertain_enter(struct outbox *o, struct entry *e, const char *why)
{
	char name[NAME_MAX + 1];

	memcpy(name, e->record.name, sizeof name);
	if (keep_undecided(o, e) < 0)
		log_error("outbox: %s: out of memory; do not send it again as it is", name);
	queue_set_error(o, e, why);
	queue_move(o, e, OUTBOX_FAILED, name);
	queue_set_state(o, e, OUTBOX_UNCERTAIN);
	if (e->record.refused.n)
		verdict_owe_bounce(o, e);
	e->record.failures = 0;
	e->record.next_s =
		clock_realtime_s() + (e->record.copy == RECORD_COPY_DUE || e->record.is_bounce_due ? 0 : verdict_wait_s(1));
	log_warning("outbox: %s may have been sent: see user.mail.error of failed/%s", name, e->record.name);
}

bool uncertain_is_due(const struct entry *e)
{
	const struct record *r = &e->record;

	if (r->state != OUTBOX_UNCERTAIN)
		return false;
	return r->copy == RECORD_COPY_DUE || (r->copy == RECORD_COPY_NONE && !r->is_repeat && r->failures < LOOKS);
}

static void look_again_later(struct entry *e)
{
	e->record.next_s = clock_realtime_s() + verdict_wait_s(++e->record.failures + 1);
}

static void file_copy(struct outbox *o, struct entry *e)
{
	int64_t now_s = clock_realtime_s();
	int r = sent_file_copy(o, e);

	if (!r)
		r = state_sent_add(o->options.state, e->record.key, now_s, now_s - SENT_RECORD_S);
	if (r < 0) {
		look_again_later(e);
		return;
	}
	e->record.copy = RECORD_COPY_DONE;
	queue_save(o, e);
}

/* There was none before, and nobody here has filed one: one that is there is the server's own, made when it took the message. */
static void look_for_copy(struct outbox *o, struct entry *e)
{
	int r = -EOPNOTSUPP;

	if (o->options.sent_contains)
		r = o->options.sent_contains(o->options.userdata, record_id_field(&e->record), e->record.message_id);
	if (r <= 0) {
		look_again_later(e);
		return;
	}
	log_info("outbox: %s was sent: its copy is in the sent folder", e->record.name);
	e->record.copy = RECORD_COPY_DONE;
	e->record.next_s = clock_realtime_s();
	queue_set_state(o, e, OUTBOX_SENT);
	queue_save(o, e);
}

void uncertain_settle(struct outbox *o, struct entry *e)
{
	if (e->record.copy == RECORD_COPY_DUE)
		file_copy(o, e);
	else
		look_for_copy(o, e);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/uncertain.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "outbox/sender.h"
#include "outbox/verdict.h"

enum { LOOKS = 5 }; /* after 1, 5, 15, 30 and 30 minutes: a server that files what it sends does so soon */

void uncertain_enter(struct outbox *o, struct entry *e, const char *why)
{
	/* Those who took the message are never sent it again, those who refused it not by this. */
	bool is_partly = e->record.copy != RECORD_COPY_NONE || e->record.refused.n;

	if (is_partly && queue_set_rcpt(o, e, &e->record.recipients) < 0)
		log_error("outbox: %s: out of memory; do not send it again as it is", e->record.name);
	queue_fail(o, e, OUTBOX_UNCERTAIN, why);
	if (e->record.refused.n)
		verdict_owe_bounce(o, e);
	e->record.failures = 0;
	e->record.next_s =
		clock_realtime_s() + (e->record.copy == RECORD_COPY_DUE || e->record.is_bounce_due ? 0 : verdict_wait_s(1));
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
	if (e->record.copy == RECORD_COPY_NONE)
		look_for_copy(o, e);
	else if (sent_record(o, e) < 0)
		look_again_later(e);
	else
		queue_save(o, e);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection to the submission server: one for a burst, and patience when it cannot be had.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "outbox/sender.h"
#include "outbox/verdict.h"

enum { EXTRA_REST_S = 60 }; /* before one more session is tried where the server let no more in */

void session_close(struct submitter *s)
{
	struct smtp *session = steal_pointer(&s->session);

	if (session)
		s->o->submission->close(session);
}

/* `smtp` without a user signs in as the mailbox's, but never without TLS. */
static const char *submission_user(const struct configuration *c)
{
	if (c->smtp.user || c->smtp.transport == URL_INSECURE)
		return c->smtp.user;
	return c->imap.user;
}

static int open_session(struct submitter *s, struct buf *why)
{
	struct outbox *o = s->o;
	const struct configuration *c = o->options.configuration;
	const char *user = submission_user(c);
	const struct smtp_options options = {
		.url = &c->smtp,
		.user = user,
		.secret = user ? o->options.secret : NULL,
		.auth = c->smtp_auth ? c->smtp_auth : "auto",
		.tls = { c->tls_ca, c->tls_fingerprint, c->tls_cert, c->tls_key },
		.timeout_s = c->timeout_s,
		.cancel = &o->cancel,
	};
	const struct smtp_capabilities *capabilities;
	int r = o->submission->open(&options, &s->session, why);

	if (r < 0)
		return r;
	s->sent = 0;
	capabilities = o->submission->capabilities(s->session);
	pthread_mutex_lock(&o->lock);
	o->size_max_bytes = capabilities->size ? capabilities->size_max : 0;
	pthread_mutex_unlock(&o->lock);
	return 0;
}

/* The first that waits behind `after` and whose own time has come, claimed. NULL: none. */
static struct entry *claim_waiting(struct outbox *o, int64_t after, int64_t now_s)
{
	struct entry *e;

	pthread_mutex_lock(&o->lock);
	for (e = o->first; e; e = e->next)
		if (e->id > after && e->claim == CLAIM_NONE && sender_waits(e) && e->record.next_s <= now_s)
			break;
	if (e)
		e->claim = CLAIM_SEND;
	pthread_mutex_unlock(&o->lock);
	return e;
}

/* Of several that fail at the same moment one counts. True: it is news. */
static bool note_failure(struct outbox *o, int error, int64_t now_s)
{
	bool is_first;

	pthread_mutex_lock(&o->lock);
	is_first = o->sender.failures == 0;
	o->sender.is_proven = false;
	if (o->sender.not_before_s <= now_s) {
		o->sender.failures++;
		o->sender.last_failure_s = now_s;
		o->sender.not_before_s = now_s + verdict_wait_s(o->sender.failures);
		o->sender.is_refused = error == -EACCES || error == -EKEYREJECTED;
	}
	pthread_mutex_unlock(&o->lock);
	return is_first;
}

void session_failed(struct outbox *o, struct entry *e, int error, const char *why)
{
	int64_t now_s = clock_realtime_s(), last = 0;
	struct entry *other;

	if (note_failure(o, error, now_s))
		log_warning("outbox: messages wait: %s", why);
	if (e)
		verdict_wait(o, e, why);
	while ((other = claim_waiting(o, last, now_s))) {
		last = other->id;
		verdict_wait(o, other, why);
		queue_release(o, other);
	}
}

void session_is_good(struct submitter *s)
{
	struct outbox *o = s->o;
	bool was_away;

	pthread_mutex_lock(&o->lock);
	was_away = o->sender.failures > 0;
	if (!o->sender.is_proven) {
		o->sender.wakes++;
		pthread_cond_broadcast(&o->work);
	}
	o->sender.is_proven = true;
	o->sender.failures = o->sender.lost = 0;
	o->sender.not_before_s = 0;
	pthread_mutex_unlock(&o->lock);
	s->sent++;
	if (was_away)
		log_info("outbox: the submission server is back");
}

bool session_was_lost(struct submitter *s)
{
	bool is_again;

	pthread_mutex_lock(&s->o->lock);
	is_again = s->o->sender.lost++ > 0;
	pthread_mutex_unlock(&s->o->lock);
	return is_again;
}

int session_ready(struct submitter *s, struct entry *e)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r = s->session ? 0 : open_session(s, &why);

	if (r >= 0 || r == -ECANCELED)
		return r;
	if (s == s->o->submitters) {
		session_failed(s->o, e, r, buf_str(&why));
		return r;
	}
	log_debug("outbox: no further session: %s", buf_str(&why));
	s->rests_until_s = clock_realtime_s() + EXTRA_REST_S;
	return -EUSERS;
}

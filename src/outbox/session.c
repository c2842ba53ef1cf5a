/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection to the submission server: one for a burst, and patience when it cannot be had.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "outbox/sender.h"
#include "outbox/verdict.h"

void session_close(struct outbox *o)
{
	struct smtp *session;

	pthread_mutex_lock(&o->lock);
	session = o->sender.session;
	o->sender.session = NULL;
	pthread_mutex_unlock(&o->lock);
	if (session)
		o->submission->close(session);
}

/* `smtp` without a user signs in as the mailbox's, but never without TLS. */
static const char *submission_user(const struct configuration *c)
{
	if (c->smtp.user || c->smtp.transport == URL_INSECURE)
		return c->smtp.user;
	return c->imap.user;
}

static int open_session(struct outbox *o, struct buf *why)
{
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
	struct smtp *session;
	int r = o->submission->open(&options, &session, why);

	if (r < 0)
		return r;
	capabilities = o->submission->capabilities(session);
	pthread_mutex_lock(&o->lock);
	o->sender.session = session;
	o->sender.sent = 0;
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

void session_failed(struct outbox *o, struct entry *e, int error, const char *why)
{
	int64_t now_s = clock_realtime_s(), last = 0;
	bool is_first = o->sender.failures == 0;
	struct entry *other;

	pthread_mutex_lock(&o->lock);
	o->sender.failures++;
	o->sender.last_failure_s = now_s;
	o->sender.not_before_s = now_s + verdict_wait_s(o->sender.failures);
	o->sender.is_refused = error == -EACCES || error == -EKEYREJECTED;
	pthread_mutex_unlock(&o->lock);
	if (is_first)
		log_warning("outbox: messages wait: %s", why);
	if (e)
		verdict_wait(o, e, why);
	while ((other = claim_waiting(o, last, now_s))) {
		last = other->id;
		verdict_wait(o, other, why);
		queue_release(o, other);
	}
}

void session_is_good(struct outbox *o)
{
	if (o->sender.failures)
		log_info("outbox: the submission server is back");
	pthread_mutex_lock(&o->lock);
	o->sender.failures = 0;
	o->sender.not_before_s = 0;
	pthread_mutex_unlock(&o->lock);
	o->sender.sent++;
	o->sender.lost = 0;
}

int session_ready(struct outbox *o, struct entry *e)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r = o->sender.session ? 0 : open_session(o, &why);

	if (r < 0 && r != -ECANCELED)
		session_failed(o, e, r, buf_str(&why));
	return r;
}

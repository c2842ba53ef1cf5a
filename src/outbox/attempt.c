/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One attempt, in the order of its durable steps (why it is this order: entry.c): the message as it is sent is made anew, in a file without a
 * name; MAIL, RCPT, DATA and all but the last block go out; the mark dot.N is on disk; the last block and the final dot go out; the reply
 * comes; the record with the verdict is on disk.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "message/charset.h"
#include "outbox/dsn.h"
#include "outbox/entry.h"
#include "outbox/sender.h"
#include "outbox/verdict.h"

enum { LOCAL_WAIT_S = 60 }; /* after an error of this machine: a full disk, the sent folder out of reach */

/* What before_dot is told. */
struct attempt {
	struct outbox *o;
	struct entry *e;
};

static int mark_dot(void *userdata)
{
	struct attempt *a = userdata;
	int r;

	fault_point("send: before the mark");
	r = entry_mark_dot(a->o->dirfd, a->e->id, a->e->record.attempts + 1);
	fault_point("send: marked");
	return r;
}

static void wait_locally(struct outbox *o, struct entry *e, const char *what, int error)
{
	CLEANUP(buf) struct buf why = BUF_INIT;

	buf_printf(&why, "%s: %s", what, strerror(-error));
	e->record.next_s = clock_realtime_s() + LOCAL_WAIT_S;
	verdict_wait(o, e, buf_str(&why));
}

static bool needs_smtputf8(const struct record *r, const struct prepared *prepared)
{
	return prepared->is_header_eightbit || !charset_is_ascii(r->sender, strlen(r->sender)) ||
	       !string_list_is_ascii(&r->recipients);
}

/*
 * On an open session. A session that had served others and is lost before anything is decided was only old: -EAGAIN, once more with a new one.
 * So it is when the daemon ends meanwhile, and then there is no new one, and the message waits as if nothing had been tried.
 */
static int submit(struct submitter *s, struct entry *e, int fd, const struct prepared *prepared, bool is_smtputf8)
{
	struct outbox *o = s->o;
	struct attempt attempt = { o, e };
	struct smtp_message message = {
		.sender = e->record.sender,
		.recipients = (const char *const *)e->record.recipients.items,
		.n_recipients = e->record.recipients.n,
		.fd = fd,
		.size_bytes = prepared->size_bytes,
		.eightbit = prepared->is_eightbit,
		.smtputf8 = is_smtputf8,
		.before_dot = mark_dot,
		.userdata = &attempt,
	};
	struct smtp_result result = { .recipients = NULL };
	bool was_used = s->sent > 0, is_lost_again;
	struct dsn dsn;
	int r;

	dsn_ask(e->record.dsn, e->record.message_id, &dsn, &message);
	r = o->submission->send(s->session, &message, &result);
	if (r < 0 && r != -EINVAL)
		session_close(s);
	if (r < 0)
		return r;
	fault_point("send: the server has answered");
	if (result.outcome == SMTP_ACCEPTED || result.outcome == SMTP_REFUSED)
		session_is_good(s);
	else
		session_close(s);
	if (result.outcome == SMTP_SESSION && (was_used || cancel_is_set(&o->cancel))) {
		/* The server has not taken it: should there be no next attempt, the mark must not say that it may have. */
		entry_clear_dot(o->dirfd, e->id, e->record.attempts + 1);
		o->submission->result_release(&result);
		return -EAGAIN;
	}
	is_lost_again = result.outcome == SMTP_SESSION && session_was_lost(s);
	verdict_of_result(o, e, &result);
	/* The server's words may name a recipient, and go to the log and to other messages. */
	if (is_lost_again)
		session_failed(o, NULL, 0, "the connection was lost again in the middle of a message");
	o->submission->result_release(&result);
	return 0;
}

static int attempt_once(struct submitter *s, struct entry *e)
{
	struct outbox *o = s->o;
	CLEANUP(buf) struct buf why = BUF_INIT;
	CLEANUP(fd) int fd = -1;
	const struct smtp_capabilities *capabilities;
	bool is_smtputf8;
	struct prepared prepared;
	int r;

	if (session_ready(s, e) < 0)
		return 0;
	capabilities = o->submission->capabilities(s->session);
	r = sent_prepare(o, e, false, capabilities->eightbitmime, &fd, &prepared, &why);
	if (!r && o->size_max_bytes > 0 && prepared.size_bytes > o->size_max_bytes) {
		buf_printf(&why, "it has %" PRId64 " bytes, and the server takes %" PRId64 " at most", prepared.size_bytes,
			   o->size_max_bytes);
		r = -EINVAL;
	}
	is_smtputf8 = !r && needs_smtputf8(&e->record, &prepared);
	if (is_smtputf8 && !capabilities->smtputf8) {
		buf_printf(&why, "an address is not ASCII, and the server does not take such (SMTPUTF8)");
		r = -EINVAL;
	}
	if (r == -EINVAL) {
		verdict_refuse(o, e, buf_str(&why));
		return 0;
	}
	fault_point("send: prepared");
	if (!r)
		r = submit(s, e, fd, &prepared, is_smtputf8);
	if (r == -EINVAL)
		verdict_refuse(o, e, "its addresses or lines cannot be sent");
	else if (r < 0 && r != -EAGAIN)
		wait_locally(o, e, "this machine", r);
	return r == -EAGAIN ? r : 0;
}

/* The sent folder was out of reach when the message was queued. True: it may be sent. */
static bool was_checked(struct outbox *o, struct entry *e)
{
	int r = e->record.is_unchecked && o->options.sent_contains
			? o->options.sent_contains(o->options.userdata, record_id_field(&e->record), e->record.message_id)
			: 0;

	if (r > 0)
		verdict_refuse(o, e,
			       "this Message-ID is in the sent folder; setfattr -n user.mail.force -v 1 sends it all the same");
	else if (r < 0)
		wait_locally(o, e, "looking in the sent folder", r);
	else
		e->record.is_unchecked = false;
	return r == 0;
}

void attempt_send(struct submitter *s, struct entry *e)
{
	struct outbox *o = s->o;

	/* Others took it earlier: their copy first. */
	if (e->record.copy == RECORD_COPY_DUE && sent_file_copy(o, e) == 0) {
		e->record.copy = RECORD_COPY_DONE;
		queue_save(o, e);
	}
	if (!was_checked(o, e))
		return;
	if (attempt_once(s, e) == -EAGAIN)
		attempt_once(s, e);
}

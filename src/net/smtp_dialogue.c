/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/smtp_dialogue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/smtp_data.h"
#include "net/smtp_reply.h"

/* RFC 5321 4.5.3.2; QUIT's is ours: the answer changes nothing. */
enum {
	MAIL_TIMEOUT_S = 5 * 60,
	RCPT_TIMEOUT_S = 5 * 60,
	DATA_TIMEOUT_S = 2 * 60,
	BLOCK_TIMEOUT_S = 3 * 60,
	DOT_TIMEOUT_S = 10 * 60,
	CANCELLED_DOT_TIMEOUT_S = 5, /* the message has left: an unmount waits a while for what became of it */
	RSET_TIMEOUT_S = 60,
	QUIT_TIMEOUT_S = 2,
};

enum { ADDRESS_MAX_BYTES = 900 };

/* RFC 3461 4.2 and 4.4: the longest values, encoded. */
enum { ORCPT_MAX_BYTES = 500, ENVID_MAX_BYTES = 100 };

/* One message under way. */
struct transaction {
	struct smtp_wire *wire;
	const struct smtp_capabilities *capabilities;
	const struct smtp_message *message;
	struct smtp_result *result;
	struct buf commands; /* MAIL, RCPT …, DATA, a line each */
	size_t n_taken;	     /* recipients that RCPT accepted */
};

static void smtp_result_cleanup(struct smtp_result *r)
{
	smtp_result_release(r);
}

/* What a step left to do; errors are negative. */
enum { STEP_DONE = 0, STEP_GO_ON = 1 };

static int check_address(const char *address, bool may_be_utf8)
{
	size_t len = strlen(address);

	if (len > ADDRESS_MAX_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)address[i];

		if (c < ' ' || c == 0x7f || (c >= 0x80 && !may_be_utf8))
			return -EINVAL;
	}
	/* Where quotes keep it together it may hold any of these, but then the path ends behind it. */
	return len && !strchr(address, '"') && strpbrk(address, " <>") ? -EINVAL : 0;
}

static int check_envelope(const struct smtp_message *m)
{
	if (!m->n_recipients || (m->notify && strpbrk(m->notify, " \r\n")) || (m->ret && strpbrk(m->ret, " \r\n")))
		return -EINVAL;
	for (size_t i = 0; i < m->n_recipients; i++)
		if (!*m->recipients[i] || check_address(m->recipients[i], m->smtputf8) < 0)
			return -EINVAL;
	return check_address(m->sender, m->smtputf8);
}

/* Whether EHLO rules the message out, with the reply that the server would give. */
static bool is_ruled_out(const struct smtp_capabilities *c, const struct smtp_message *m, struct smtp_reply *ret)
{
	if (c->size_max > 0 && m->size_bytes > c->size_max)
		smtp_reply_make(ret, 552, "5.3.4", "The message has %" PRId64 " bytes, the server takes %" PRId64, m->size_bytes,
				c->size_max);
	else if (m->smtputf8 && !c->smtputf8)
		smtp_reply_make(ret, 550, "5.6.7", "An address is not ASCII, and the server does not offer SMTPUTF8");
	else if (m->eightbit && !c->eightbitmime)
		smtp_reply_make(ret, 554, "5.6.3", "The message is 8-bit, and the server does not offer 8BITMIME");
	else
		return false;
	return true;
}

static bool wants_notices(const struct smtp_message *m)
{
	return m->notify || m->ret;
}

/* ` KEY=` and `text` as xtext (RFC 3461 4), or nothing where that is longer than `max` or would not be printable ASCII. */
static int write_xtext(struct buf *out, const char *key, const char *text, size_t max)
{
	CLEANUP(buf) struct buf value = BUF_INIT;
	int r = 0;

	for (; *text && !r; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c >= 0x7f)
			return 0;
		r = c == ' ' || c == '+' || c == '=' ? buf_printf(&value, "+%02X", c) : buf_append_char(&value, (char)c);
	}
	if (r < 0 || !value.len || value.len > max)
		return r;
	return buf_printf(out, " %s%s", key, value.data);
}

static int write_recipient(struct buf *out, const char *recipient, const struct smtp_message *m, bool has_dsn)
{
	int r = buf_printf(out, "RCPT TO:<%s>", recipient);

	if (has_dsn && m->notify)
		r |= buf_printf(out, " NOTIFY=%s", m->notify);
	if (has_dsn)
		r |= write_xtext(out, "ORCPT=rfc822;", recipient, ORCPT_MAX_BYTES - strlen("rfc822;"));
	return r | buf_append_str(out, "\r\n");
}

static int write_commands(struct buf *out, const struct smtp_capabilities *c, const struct smtp_message *m)
{
	bool has_dsn = c->dsn && wants_notices(m);
	int r = buf_printf(out, "MAIL FROM:<%s>", m->sender);

	if (c->size)
		r |= buf_printf(out, " SIZE=%" PRId64, m->size_bytes);
	if (m->eightbit)
		r |= buf_append_str(out, " BODY=8BITMIME");
	if (m->smtputf8)
		r |= buf_append_str(out, " SMTPUTF8");
	if (has_dsn && m->ret)
		r |= buf_printf(out, " RET=%s", m->ret);
	if (has_dsn && m->envid)
		r |= write_xtext(out, "ENVID=", m->envid, ENVID_MAX_BYTES);
	r |= buf_append_str(out, "\r\n");
	for (size_t i = 0; i < m->n_recipients; i++)
		r |= write_recipient(out, m->recipients[i], m, has_dsn);
	r |= buf_append_str(out, "DATA\r\n");
	return r ? -ENOMEM : 0;
}

/* All that have no verdict of their own get this one. */
static void judge_recipients(struct transaction *t, const struct smtp_reply *verdict)
{
	for (size_t i = 0; i < t->message->n_recipients; i++)
		if (smtp_reply_class(&t->result->recipients[i]) <= 2)
			t->result->recipients[i] = *verdict;
}

static int finish(struct transaction *t, enum smtp_outcome outcome, const struct smtp_reply *reply)
{
	t->result->outcome = outcome;
	t->result->reply = *reply;
	if (outcome == SMTP_ACCEPTED || outcome == SMTP_REFUSED)
		judge_recipients(t, reply);
	else
		judge_recipients(t, &(struct smtp_reply){ 0 });
	return STEP_DONE;
}

/* The connection is of no use any more. What the server said last explains it better than we can. */
static int finish_lost(struct transaction *t, enum smtp_outcome outcome)
{
	struct smtp_reply last = { 0 }, reply;

	while (smtp_wire_reply(t->wire, 0, &reply) == 0)
		last = reply;
	if (smtp_reply_class(&last) >= 4)
		return finish(t, outcome, &last);
	if (t->wire->error == -EPROTO)
		smtp_reply_make(&reply, 0, "", "The server's reply makes no sense");
	else
		smtp_reply_make(&reply, 0, "", "%s", strerror(-t->wire->error));
	return finish(t, outcome, &reply);
}

static void give_up_connection(struct transaction *t, int error)
{
	if (!t->wire->error)
		t->wire->error = error;
}

static int finish_session(struct transaction *t, const struct smtp_reply *reply)
{
	give_up_connection(t, -ECONNRESET);
	return finish(t, SMTP_SESSION, reply);
}

/* A reply of a class that the command cannot have. */
static int finish_nonsense(struct transaction *t, enum smtp_outcome outcome)
{
	give_up_connection(t, -EPROTO);
	return finish_lost(t, outcome);
}

static int send_text(struct transaction *t, const char *text, size_t len)
{
	log_debug("%d > %.*s", t->wire->fd, (int)len, text);
	return smtp_wire_send(t->wire, text, len, MAIL_TIMEOUT_S);
}

/* The reply to the command at *next, which goes now where it has not gone with all the others. */
static int ask(struct transaction *t, const char **next, int timeout_s, struct smtp_reply *ret)
{
	const char *command = *next;
	int r;

	*next = strchr(command, '\n') + 1;
	if (!t->capabilities->pipelining) {
		r = send_text(t, command, (size_t)(*next - command));
		if (r < 0)
			return r;
	}
	return smtp_wire_reply(t->wire, timeout_s, ret);
}

/* What all commands' replies have in common: STEP_GO_ON when it decides about the message. */
static int take_reply(struct transaction *t, int error, const struct smtp_reply *reply)
{
	if (error < 0)
		return finish_lost(t, SMTP_SESSION);
	if (smtp_reply_ends_session(reply))
		return finish_session(t, reply);
	return STEP_GO_ON;
}

/* After the message was refused: takes the session back to where MAIL is due. Whatever happens here changes no verdict. */
static void leave_transaction(struct transaction *t, const char *next, bool is_open)
{
	struct smtp_reply reply = { 0 };

	if (*next && t->capabilities->pipelining) {
		if (ask(t, &next, DATA_TIMEOUT_S, &reply) < 0)
			return;
		/* RFC 2920 3.1: DATA was on its way already, and a server that nobody can be delivered by may still accept it. */
		if (smtp_reply_class(&reply) == 3) {
			if (smtp_wire_send(t->wire, ".\r\n", 3, BLOCK_TIMEOUT_S) == 0)
				smtp_wire_reply(t->wire, DOT_TIMEOUT_S, &reply);
			is_open = false;
		}
	}
	if (is_open && !smtp_reply_ends_session(&reply)) {
		if (send_text(t, "RSET\r\n", 6) < 0 || smtp_wire_reply(t->wire, RSET_TIMEOUT_S, &reply) < 0)
			return;
		if (smtp_reply_class(&reply) != 2)
			give_up_connection(t, -EPROTO);
	}
	if (smtp_reply_ends_session(&reply))
		give_up_connection(t, -ECONNRESET);
}

/* RFC 5321 4.5.3.1.10: 552 to RCPT is a 452, too many recipients at a time, in the words of RFC 821. */
static void allow_later(struct smtp_reply *reply)
{
	if (reply->code != 552)
		return;
	reply->code = 452;
	if (*reply->enhanced)
		reply->enhanced[0] = '4';
}

static int run_recipients(struct transaction *t, const char **next, bool counts)
{
	struct smtp_reply reply;

	for (size_t i = 0; i < t->message->n_recipients; i++) {
		int r = ask(t, next, RCPT_TIMEOUT_S, &reply);

		r = take_reply(t, r, &reply);
		if (r != STEP_GO_ON)
			return r;
		if (smtp_reply_class(&reply) == 3)
			return finish_nonsense(t, SMTP_SESSION);
		if (!counts)
			continue;
		allow_later(&reply);
		t->result->recipients[i] = reply;
		t->n_taken += smtp_reply_class(&reply) == 2;
		if (smtp_reply_class(&reply) != 2 && !t->n_taken)
			t->result->reply = reply;
	}
	return STEP_GO_ON;
}

/* MAIL, RCPT and DATA. STEP_GO_ON when the server wants the message. */
static int run_envelope(struct transaction *t)
{
	const char *next = buf_str(&t->commands);
	struct smtp_reply mail, data;
	int r = t->capabilities->pipelining ? send_text(t, t->commands.data, t->commands.len) : 0;

	r = take_reply(t, r < 0 ? r : ask(t, &next, MAIL_TIMEOUT_S, &mail), &mail);
	if (r != STEP_GO_ON)
		return r;
	if (smtp_reply_class(&mail) == 3)
		return finish_nonsense(t, SMTP_SESSION);
	if (smtp_reply_class(&mail) != 2 && !t->capabilities->pipelining)
		return finish(t, SMTP_REFUSED, &mail);
	r = run_recipients(t, &next, smtp_reply_class(&mail) == 2);
	if (r != STEP_GO_ON)
		return r;
	if (!t->n_taken) {
		leave_transaction(t, next, smtp_reply_class(&mail) == 2);
		return finish(t, SMTP_REFUSED, smtp_reply_class(&mail) == 2 ? &t->result->reply : &mail);
	}
	r = take_reply(t, ask(t, &next, DATA_TIMEOUT_S, &data), &data);
	if (r != STEP_GO_ON || smtp_reply_class(&data) == 3)
		return r;
	if (smtp_reply_class(&data) == 2)
		return finish_nonsense(t, SMTP_SESSION);
	leave_transaction(t, next, true);
	return finish(t, SMTP_REFUSED, &data);
}

/* The server speaks though it is not its turn. A 5yz means the message it is being sent (too large, most often); but where
 * the next reply belongs can't be told any more. */
static int finish_early_reply(struct transaction *t)
{
	struct smtp_reply reply;
	int r = take_reply(t, smtp_wire_reply(t->wire, BLOCK_TIMEOUT_S, &reply), &reply);

	if (r != STEP_GO_ON)
		return r;
	if (smtp_reply_class(&reply) < 4)
		return finish_nonsense(t, SMTP_SESSION);
	give_up_connection(t, -ECONNRESET);
	return finish(t, smtp_reply_class(&reply) == 5 ? SMTP_REFUSED : SMTP_SESSION, &reply);
}

/* STEP_GO_ON while nothing has been said out of turn: else a stray reply would be taken for the next command's. */
static int check_silence(struct transaction *t)
{
	int r = smtp_wire_has_input(t->wire);

	if (r < 0)
		return finish_lost(t, SMTP_SESSION);
	return r ? finish_early_reply(t) : STEP_GO_ON;
}

static int run_data(struct transaction *t)
{
	CLEANUP(buf) struct buf block = BUF_INIT;
	struct smtp_data data;
	bool is_last = false;
	int r;

	smtp_data_init(&data, t->message->fd, t->message->size_bytes);
	while (!is_last) {
		r = smtp_data_next(&data, &block, &is_last);
		if (r == 0 && is_last && t->message->before_dot)
			r = t->message->before_dot(t->message->userdata);
		if (r < 0) {
			give_up_connection(t, -ECANCELED);
			return r;
		}
		r = check_silence(t);
		if (r != STEP_GO_ON)
			return r;
		/* Not even the last block's failure is uncertain: its end has not left this machine. */
		if (smtp_wire_send(t->wire, block.data, block.len, BLOCK_TIMEOUT_S) < 0)
			return finish_lost(t, SMTP_SESSION);
	}
	return STEP_GO_ON;
}

static int run_dot(struct transaction *t)
{
	struct smtp_reply reply;
	int r = smtp_wire_reply(t->wire, DOT_TIMEOUT_S, &reply);

	if (r == -ECANCELED && smtp_wire_go_on(t->wire))
		r = smtp_wire_reply(t->wire, CANCELLED_DOT_TIMEOUT_S, &reply);
	if (r < 0)
		return finish_lost(t, SMTP_UNCERTAIN);
	if (smtp_reply_ends_session(&reply))
		return finish_session(t, &reply);
	if (smtp_reply_class(&reply) == 3)
		return finish_nonsense(t, SMTP_UNCERTAIN);
	return finish(t, smtp_reply_class(&reply) == 2 ? SMTP_ACCEPTED : SMTP_REFUSED, &reply);
}

static int run(struct transaction *t)
{
	struct smtp_reply reply;
	int r;

	if (is_ruled_out(t->capabilities, t->message, &reply))
		return finish(t, SMTP_REFUSED, &reply);
	/* Above all the 421 of a server that tired of waiting. It never concerns this message. */
	r = smtp_wire_has_input(t->wire);
	if (r)
		return r > 0 ? finish_nonsense(t, SMTP_SESSION) : finish_lost(t, SMTP_SESSION);
	r = run_envelope(t);
	if (r != STEP_GO_ON)
		return r;
	r = run_data(t);
	return r == STEP_GO_ON ? run_dot(t) : r;
}

int smtp_dialogue_send(struct smtp_wire *w, const struct smtp_capabilities *c, const struct smtp_message *m,
		       struct smtp_result *ret)
{
	CLEANUP(smtp_result) struct smtp_result result = { .recipients = NULL };
	struct transaction t = { .wire = w, .capabilities = c, .message = m, .result = &result };
	int r = check_envelope(m);

	if (r < 0)
		return r;
	r = smtp_data_check(m->fd, m->size_bytes);
	if (r < 0)
		return r;
	result.recipients = calloc(m->n_recipients, sizeof *result.recipients);
	if (!result.recipients)
		return -ENOMEM;
	if (wants_notices(m) && !c->dsn)
		log_debug("%d the server does not offer DSN: no notices are asked for", w->fd);
	r = write_commands(&t.commands, c, m);
	if (r == 0)
		r = run(&t);
	buf_release(&t.commands);
	if (r < 0)
		return r;
	*ret = result;
	result.recipients = NULL;
	return 0;
}

void smtp_dialogue_quit(struct smtp_wire *w)
{
	struct smtp_reply reply;

	if (smtp_wire_send(w, "QUIT\r\n", 6, QUIT_TIMEOUT_S) == 0)
		smtp_wire_reply(w, QUIT_TIMEOUT_S, &reply);
}

void smtp_result_release(struct smtp_result *r)
{
	free(r->recipients);
	r->recipients = NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LITERAL_MINUS_MAX = 4096 };

void imap_command_init(struct imap_command *c, struct imap_session *s, const char *format, ...)
{
	char text[256];
	va_list arguments;

	*c = (struct imap_command){ .session = s, .text = BUF_INIT };
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	imap_command_add(c, "%u %s", ++s->tag, text);
}

void imap_command_release(struct imap_command *c)
{
	buf_release(&c->text);
}

static void command_keep(struct imap_command *c, int r)
{
	if (r < 0 && !c->error)
		c->error = r;
}

void imap_command_add(struct imap_command *c, const char *format, ...)
{
	char text[2048];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (n < 0 || (size_t)n >= sizeof(text))
		command_keep(c, -ENAMETOOLONG);
	else
		command_keep(c, buf_append(&c->text, text, (size_t)n));
}

static bool needs_literal(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f)
			return true;
	return len > 1000;
}

void imap_command_string(struct imap_command *c, const char *text)
{
	size_t len = strlen(text);

	if (needs_literal(text, len)) {
		imap_command_literal(c, (int64_t)len, false);
		command_keep(c, buf_append(&c->text, text, len));
		return;
	}
	command_keep(c, buf_append_char(&c->text, '"'));
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			command_keep(c, buf_append_char(&c->text, '\\'));
		command_keep(c, buf_append_char(&c->text, *text));
	}
	command_keep(c, buf_append_char(&c->text, '"'));
}

void imap_command_literal(struct imap_command *c, int64_t size_bytes, bool binary)
{
	unsigned capabilities = c->session->capabilities;
	bool plus = (capabilities & CAP_LITERAL_PLUS) || ((capabilities & CAP_LITERAL_MINUS) && size_bytes <= LITERAL_MINUS_MAX);

	imap_command_add(c, "%s{%lld%s}\r\n", binary ? "~" : "", (long long)size_bytes, plus ? "+" : "");
	if (plus)
		return;
	if (c->n_waits == sizeof(c->waits) / sizeof(c->waits[0]))
		command_keep(c, -E2BIG);
	else
		c->waits[c->n_waits++] = c->text.len;
}

void imap_command_more(struct imap_command *c)
{
	buf_truncate(&c->text, 0);
	c->n_waits = 0;
}

/* A message that goes to whoever wants bodies, but in no response that tells him so. */
static bool has_stray_body(const struct imap_response *response, imap_untagged *untagged)
{
	return response->body_diverted && !(untagged && response->number && imap_text_is(response->word, "FETCH"));
}

static int command_note(struct imap_session *s, const struct imap_response *response, imap_untagged *untagged, void *userdata)
{
	int r;

	imap_record_note(&s->record, response);
	if (has_stray_body(response, untagged))
		return imap_guard_fail(&s->guard, -EPROTO, "the server sent a message in an unexpected shape");
	if (response->kind != RESPONSE_UNTAGGED || !untagged)
		return 0;
	r = untagged(userdata, response);
	return r < 0 ? imap_guard_fail(&s->guard, r, "%s", strerror(-r)) : 0;
}

static bool is_tag(struct imap_text text, unsigned tag)
{
	char wanted[16];

	snprintf(wanted, sizeof(wanted), "%u", tag);
	return imap_text_is(text, wanted);
}

/* 1: go ahead; 0: the command has been refused. */
static int command_wait(struct imap_command *c, imap_untagged *untagged, void *userdata)
{
	struct imap_session *s = c->session;
	struct imap_response response;
	int r;

	for (;;) {
		r = imap_guard_next(&s->guard, &response);
		if (r == 0)
			r = command_note(s, &response, untagged, userdata);
		if (r < 0)
			return imap_session_lost(s);
		if (response.kind == RESPONSE_CONTINUATION)
			return 1;
		if (response.kind != RESPONSE_TAGGED)
			continue;
		if (is_tag(response.tag, s->tag) && s->record.status != STATUS_OK)
			return 0;
		imap_guard_fail(&s->guard, -EPROTO, "the server answered a command before it was sent");
		return imap_session_lost(s);
	}
}

int imap_command_send(struct imap_command *c, imap_untagged *untagged, void *userdata, bool *ret_refused)
{
	struct imap_session *s = c->session;
	size_t sent = 0;
	int r;

	if (c->error)
		return imap_session_fail(s, c->error, "a command could not be built");
	if (ret_refused)
		*ret_refused = false;
	for (unsigned i = 0; i < c->n_waits; i++) {
		if (imap_guard_write(&s->guard, c->text.data + sent, c->waits[i] - sent) < 0)
			return imap_session_lost(s);
		sent = c->waits[i];
		r = command_wait(c, untagged, userdata);
		if (r < 0)
			return r;
		if (r == 0) {
			if (ret_refused)
				*ret_refused = true;
			return ret_refused ? 0 : imap_command_result(s, "refused");
		}
	}
	if (imap_guard_write(&s->guard, c->text.data + sent, c->text.len - sent) < 0)
		return imap_session_lost(s);
	return 0;
}

/* Before, so that there is no moment at which the server may have it and nobody knows. */
static void tell_sent(const struct imap_command *c)
{
	const struct backend *b = &c->session->base;

	if (c->is_once && b->all_sent)
		b->all_sent(b->all_sent_userdata);
}

int imap_command_end(struct imap_command *c)
{
	tell_sent(c);
	if (imap_guard_write(&c->session->guard, "\r\n", 2) < 0)
		return imap_session_lost(c->session);
	return 0;
}

/* One command at most is sent ahead of the one whose outcome is awaited; its own outcome may come first. */
static bool keep_early(struct imap_session *s, unsigned awaited, const struct imap_response *response)
{
	if (s->early.tag || s->tag != awaited + 1 || !is_tag(response->tag, s->tag))
		return false;
	s->early.tag = s->tag;
	s->early.status = s->record.status;
	s->early.error = s->record.error;
	buf_truncate(&s->early.text, 0);
	return buf_append_str(&s->early.text, buf_str(&s->record.text)) == 0;
}

/* Whether the outcome of `tag` has come already; the record tells it again. */
static bool recall_early(struct imap_session *s, unsigned tag)
{
	if (s->early.tag != tag)
		return false;
	s->early.tag = 0;
	s->record.status = s->early.status;
	s->record.error = s->early.error;
	buf_truncate(&s->record.text, 0);
	buf_append_str(&s->record.text, buf_str(&s->early.text));
	return true;
}

int imap_command_hear(struct imap_session *s)
{
	struct imap_response response;
	int r = imap_guard_next(&s->guard, &response);

	if (r == 0)
		r = command_note(s, &response, NULL, NULL);
	if (r < 0 || response.kind == RESPONSE_UNTAGGED)
		return r;
	if (response.kind == RESPONSE_TAGGED && is_tag(response.tag, s->tag))
		return 1;
	return imap_guard_fail(&s->guard, -EPROTO, "the server answers something else than the message it is being sent");
}

int imap_command_await(struct imap_session *s, unsigned tag, imap_untagged *untagged, void *userdata)
{
	struct imap_response response;
	int r;

	if (recall_early(s, tag))
		return 0;
	do {
		r = imap_guard_next(&s->guard, &response);
		if (r == 0 && response.kind == RESPONSE_CONTINUATION)
			r = imap_guard_fail(&s->guard, -EPROTO, "the server waits for something that nobody announced");
		if (r == 0)
			r = command_note(s, &response, untagged, userdata);
		if (r < 0)
			return imap_session_lost(s);
	} while (response.kind != RESPONSE_TAGGED || keep_early(s, tag, &response));
	if (!is_tag(response.tag, tag)) {
		imap_guard_fail(&s->guard, -EPROTO, "the server answered another command than the one it was sent");
		return imap_session_lost(s);
	}
	return 0;
}

int imap_command_await_patiently(struct imap_session *s, unsigned tag, imap_untagged *untagged, void *userdata)
{
	int r;

	imap_session_be_patient(s, true);
	s->base.unanswered = true;
	r = imap_command_await(s, tag, untagged, userdata);
	s->base.unanswered = s->base.broken;
	imap_session_be_patient(s, false);
	return r;
}

/* What servers say to whatever they are asked when the session is of no use, and another one will be later. */
static bool is_cut_off(const struct imap_session *s)
{
	static const char *const sayings[] = {
		"authenticated but not connected", /* Exchange */
		"Request is throttled",		   /* Exchange */
		"Server Unavailable",		   /* Exchange */
	};

	for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++)
		if (s->record.status == STATUS_BAD && strcasestr(buf_str(&s->record.text), sayings[i]))
			return true;
	return false;
}

int imap_command_result(struct imap_session *s, const char *what)
{
	int error = s->record.error;

	if (s->record.status == STATUS_OK)
		return 0;
	if (is_cut_off(s)) {
		s->base.broken = true;
		error = -ECONNABORTED;
	}
	return imap_session_fail(s, error, "%s: the server says: %s", what, buf_str(&s->record.text));
}

int imap_command_run(struct imap_command *c, imap_untagged *untagged, void *userdata, const char *what)
{
	struct imap_session *s = c->session;
	bool refused;
	int r;

	/* Almost always nothing waits, and the command goes out in one piece. */
	command_keep(c, c->n_waits ? 0 : buf_append_str(&c->text, "\r\n"));
	if (!c->n_waits)
		tell_sent(c);
	r = imap_command_send(c, untagged, userdata, &refused);
	if (r < 0)
		return r;
	if (!refused && c->n_waits)
		r = imap_command_end(c);
	if (r == 0 && !refused)
		r = (c->is_once ? imap_command_await_patiently : imap_command_await)(s, s->tag, untagged, userdata);
	return r < 0 ? r : imap_command_result(s, what);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "backend/imap.h"
#include "backend/imap_auth.h"
#include "backend/imap_capability.h"
#include "backend/imap_command.h"
#include "base/log.h"
#include "config.h"
#include "net/stream.h"

/* ------------------------------------------------------------ errors */

int imap_session_fail(struct imap_session *s, int error, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	buf_truncate(&s->base.why, 0);
	buf_append_str(&s->base.why, text);
	return error;
}

int imap_session_lost(struct imap_session *s)
{
	int error = s->guard.error ? s->guard.error : -EIO;

	s->base.broken = true;
	if (s->record.bye.len)
		return imap_session_fail(s, error, "%s: the server says: %s", buf_str(&s->guard.why), buf_str(&s->record.bye));
	return imap_session_fail(s, error, "%s", buf_str(&s->guard.why));
}

static void session_silent(void *userdata)
{
	struct imap_session *s = userdata;

	if (s->base.options->silent)
		s->base.options->silent(s->base.options->userdata, &s->base);
}

void imap_session_be_patient(struct imap_session *s, bool on)
{
	s->guard.patience_ms = on ? BACKEND_PATIENCE_S * 1000 : 0;
	if (s->stream)
		stream_watch_peer(s->stream, on);
}

static void session_init_record(struct imap_session *s)
{
	const struct backend_options *o = s->base.options;
	bool trusted = o->url->transport != URL_STARTTLS || (s->stream && stream_is_tls(s->stream));

	imap_record_init(&s->record, trusted ? o->alert : NULL, o->userdata);
}

/* ------------------------------------------------------------ connecting */

static ssize_t source_read(void *userdata, void *data, size_t len)
{
	return stream_read(userdata, data, len);
}

static int source_write(void *userdata, const void *data, size_t len)
{
	return stream_write(userdata, data, len);
}

static ssize_t source_write_some(void *userdata, const void *data, size_t len)
{
	return stream_write_some(userdata, data, len);
}

static int session_start_tls(struct imap_session *s)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r = stream_start_tls(s->stream, s->base.options->url->host, &s->base.options->tls, &why);

	return r < 0 ? imap_session_fail(s, r, "%s", buf_str(&why)) : 0;
}

static int session_connect(struct imap_session *s)
{
	const struct backend_options *o = s->base.options;
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r;

	if (o->url->transport == URL_INSECURE && !url_host_is_loopback(o->url->host))
		return imap_session_fail(s, -EACCES, "%s is not this machine: no connection without TLS", o->url->host);
	r = stream_connect(o->url->host, o->url->port, o->timeout_s, o->cancel, &s->stream, &why);
	if (r < 0)
		return imap_session_fail(s, r, "%s", buf_str(&why));
	s->source = (struct imap_source){ source_read, source_write, s->stream, source_write_some };
	return o->url->transport == URL_TLS ? session_start_tls(s) : 0;
}

static int session_greeting(struct imap_session *s)
{
	struct imap_response response;
	struct imap_condition c;

	if (imap_guard_next(&s->guard, &response) < 0)
		return imap_session_lost(s);
	imap_record_note(&s->record, &response);
	imap_condition_read(&response, &c);
	if (response.kind != RESPONSE_UNTAGGED || c.status == STATUS_NONE || c.status == STATUS_NO || c.status == STATUS_BAD) {
		imap_guard_fail(&s->guard, -EPROTO, "this is no IMAP server's greeting");
		return imap_session_lost(s);
	}
	if (c.status == STATUS_BYE) {
		s->base.broken = true;
		return imap_session_fail(s, imap_code_errno(c.code) == -EAGAIN ? -EAGAIN : -ECONNREFUSED,
					 "the server turns us away: %s", buf_str(&s->record.bye));
	}
	return c.status == STATUS_PREAUTH;
}

/* RFC 9051 section 6.2.1. A server that is signed in already cannot start TLS: somebody between us says so, or the URL is wrong. */
static int session_starttls(struct imap_session *s, bool preauth)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	if (preauth)
		return imap_session_fail(s, -EKEYREJECTED, "the server greets with PREAUTH, which leaves no room for TLS: refused");
	r = imap_capability_ask(s, 0);
	if (r < 0)
		return r;
	if (!(s->capabilities & CAP_STARTTLS))
		return imap_session_fail(s, -EKEYREJECTED,
					 "the server offers no STARTTLS, or somebody took it out: refused (imaps:// may work)");
	imap_command_init(&c, s, "STARTTLS");
	r = imap_command_run(&c, NULL, NULL, "STARTTLS");
	if (r < 0)
		return s->base.broken
			       ? r
			       : imap_session_fail(s, -EKEYREJECTED, "the server refuses STARTTLS: %s", buf_str(&s->record.text));
	if (imap_guard_has_more(&s->guard)) {
		imap_guard_fail(&s->guard, -EKEYREJECTED,
				"bytes came behind the reply to STARTTLS, before TLS: somebody tampers with the connection");
		return imap_session_lost(s);
	}
	r = session_start_tls(s);
	/* Nothing that was said before counts. */
	imap_record_release(&s->record);
	session_init_record(s);
	return r;
}

static int session_id_answer(void *userdata, const struct imap_response *response)
{
	struct imap_session *s = userdata;

	if (!imap_text_is(response->word, "ID"))
		return 0;
	buf_truncate(&s->server_id, 0);
	imap_text_show(response->rest, &s->server_id);
	return 0;
}

/* RFC 2971. Some refuse to open a folder for a client that has not introduced itself; none minds one that has. */
static int session_id(struct imap_session *s)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	if (!(s->capabilities & CAP_ID))
		return 0;
	imap_command_init(&c, s, "ID (\"name\" \"mailfs\" \"version\" \"%s\")", PACKAGE_VERSION);
	r = imap_command_run(&c, session_id_answer, s, "ID");
	return s->base.broken ? r : 0;
}

/* RFC 6855: such a server talks to no client that does not say this. */
static int session_enable(struct imap_session *s)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	if (!(s->capabilities & CAP_UTF8_ONLY))
		return 0;
	imap_command_init(&c, s, "ENABLE UTF8=ACCEPT");
	r = imap_command_run(&c, NULL, NULL, "ENABLE");
	s->utf8 = r == 0;
	return r;
}

static int session_sign_in(struct imap_session *s)
{
	unsigned told = s->record.told;
	int r = imap_auth_sign_in(s);

	return r == 0 ? imap_capability_ask(s, told) : r;
}

/* From the greeting to the state in which folders can be asked for. */
static int session_start(struct imap_session *s)
{
	int preauth = session_greeting(s), r = 0;

	if (preauth < 0)
		return preauth;
	if (s->base.options->url->transport == URL_STARTTLS)
		r = session_starttls(s, preauth);
	if (r == 0)
		r = imap_capability_ask(s, 0);
	if (r == 0)
		r = session_id(s);
	if (r == 0 && preauth)
		s->mechanism = "PREAUTH";
	if (r == 0 && !preauth)
		r = session_sign_in(s);
	if (r == 0 && !preauth)
		r = session_id(s);
	return r == 0 ? session_enable(s) : r;
}

/* ------------------------------------------------------------ its life */

/* Speaks over s->source until signed in. */
static int session_speak(struct imap_session *s)
{
	struct imap_limits limits = imap_limits_default;
	int r;

	limits.timeout_s = s->base.options->timeout_s;
	s->base.broken = s->base.unanswered = false;
	r = imap_guard_init(&s->guard, &s->source, &limits);
	s->guard.answered = &s->base.answered;
	s->guard.silent = session_silent;
	s->guard.silent_userdata = s;
	if (r == 0)
		r = session_start(s);
	if (r < 0)
		s->base.broken = true;
	return r;
}

/* Forgets the connection and all that was known of it. */
static void session_reset(struct imap_session *s)
{
	stream_free(steal_pointer(&s->stream));
	imap_guard_release(&s->guard);
	imap_record_release(&s->record);
	session_init_record(s);
	s->early.tag = 0;
	buf_truncate(&s->server_id, 0);
	free(s->selected);
	s->selected = NULL;
	s->capabilities = 0;
	s->mechanism = NULL;
	s->utf8 = false;
	s->base.used = false;
}

int imap_session_reopen(struct backend *b)
{
	struct imap_session *s = imap_session_of(b);
	int r = 0;

	session_reset(s);
	s->base.broken = true;
	if (!s->source.read || s->source.read == source_read)
		r = session_connect(s);
	return r == 0 ? session_speak(s) : r;
}

static struct imap_session *session_new(const struct backend_options *options)
{
	struct imap_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base.ops = &imap_backend;
	s->base.options = options;
	session_init_record(s);
	return s;
}

static int session_opened(struct imap_session *s, int r, struct backend **ret, struct buf *why)
{
	if (r < 0) {
		buf_append_str(why, buf_str(&s->base.why));
		imap_session_close(&s->base);
		return r;
	}
	*ret = &s->base;
	return 0;
}

int imap_session_open(const struct backend_options *options, struct backend **ret, struct buf *why)
{
	struct imap_session *s = session_new(options);

	return s ? session_opened(s, imap_session_reopen(&s->base), ret, why) : -ENOMEM;
}

int imap_session_open_source(const struct backend_options *options, const struct imap_source *source, struct backend **ret,
			     struct buf *why)
{
	struct imap_session *s = session_new(options);

	if (!s)
		return -ENOMEM;
	s->source = *source;
	return session_opened(s, imap_session_reopen(&s->base), ret, why);
}

void imap_session_close(struct backend *b)
{
	struct imap_session *s = imap_session_of(b);
	char logout[32];

	if (!s->base.broken) {
		snprintf(logout, sizeof(logout), "%u LOGOUT\r\n", ++s->tag);
		imap_guard_write(&s->guard, logout, strlen(logout));
	}
	session_reset(s);
	imap_record_release(&s->record);
	buf_release(&s->server_id);
	buf_release(&s->early.text);
	imap_items_reader_release(&s->items);
	buf_release(&s->base.why);
	free(s);
}

int imap_session_noop(struct backend *b)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(imap_command) struct imap_command c = { 0 };

	imap_command_init(&c, s, "NOOP");
	return imap_command_run(&c, NULL, NULL, "NOOP");
}

int imap_session_describe(struct backend *b, struct buf *ret)
{
	struct imap_session *s = imap_session_of(b);
	const char *tls = s->stream ? stream_tls_description(s->stream) : NULL;
	int r;

	r = buf_printf(ret, "TLS: %s\nSign-in: %s\n", tls ? tls : "none", s->mechanism);
	if (r == 0 && s->server_id.len)
		r = buf_printf(ret, "Server: %s\n", buf_str(&s->server_id));
	return r < 0 ? r : buf_printf(ret, "Capabilities:%s\n", buf_str(&s->record.capabilities));
}

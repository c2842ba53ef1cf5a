/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_auth.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "backend/imap_capability.h"
#include "backend/imap_command.h"
#include "backend/imap_sasl.h"
#include "message/base64.h"
#include "net/stream.h"

enum auth_how {
	AUTH_SASL,   /* led by libetpan */
	AUTH_SINGLE, /* one message of ours, which auth_message() makes */
	AUTH_LOGIN,  /* the LOGIN command */
};

struct auth_mechanism {
	const char *key;  /* as configured */
	const char *name; /* as offered after AUTH= */
	enum auth_how how;
	bool automatic; /* `auto` may take it */
	bool challenge; /* the server may lack what it needs of the password: a refusal without a reason does not mean a wrong one */
};

/* Strongest first. */
static const struct auth_mechanism auth_mechanisms[] = {
	{ "scram-sha-256", "SCRAM-SHA-256", AUTH_SASL, true, true },
	{ "scram-sha-1", "SCRAM-SHA-1", AUTH_SASL, true, true },
	{ "cram-md5", "CRAM-MD5", AUTH_SASL, true, true },
	{ "plain", "PLAIN", AUTH_SASL, true, false },
	{ "login", "LOGIN", AUTH_SASL, true, false },
	{ "xoauth2", "XOAUTH2", AUTH_SINGLE, false, false },
	{ "oauthbearer", "OAUTHBEARER", AUTH_SINGLE, false, false },
	{ "external", "EXTERNAL", AUTH_SINGLE, false, false },
	{ "anonymous", "ANONYMOUS", AUTH_SINGLE, false, false },
};

static const struct auth_mechanism auth_login_command = { "login", "LOGIN command", AUTH_LOGIN, true, false };

/* What the client says in a mechanism of one message (XOAUTH2, RFC 7628, RFC 4422 appendix A, RFC 4505). */
static int auth_message(const struct imap_session *s, const char *mechanism, const char *secret, struct buf *out)
{
	const struct backend_options *o = s->base.options;
	const char *user = o->user ? o->user : "";

	if (!strcmp(mechanism, "XOAUTH2"))
		return buf_printf(out, "user=%s\001auth=Bearer %s\001\001", user, secret);
	if (!strcmp(mechanism, "OAUTHBEARER"))
		return buf_printf(out, "n,a=%s,\001host=%s\001port=%u\001auth=Bearer %s\001\001", user, o->url->host, o->url->port,
				  secret);
	if (!strcmp(mechanism, "ANONYMOUS"))
		return buf_append_str(out, "mailfs");
	return buf_append_str(out, user);
}

/*
 * The rest of the exchange: our message where it did not go with the command, then an acknowledgement of the error that a token
 * may meet.
 */
static int auth_exchange(struct imap_session *s, struct buf *message)
{
	struct imap_response response;
	int r;

	for (;;) {
		r = imap_guard_next(&s->guard, &response);
		if (r < 0)
			return imap_session_lost(s);
		imap_record_note(&s->record, &response);
		if (response.kind == RESPONSE_TAGGED)
			return 0;
		if (response.kind != RESPONSE_CONTINUATION)
			continue;
		buf_append_str(message, "\r\n");
		if (imap_guard_write(&s->guard, buf_str(message), message->len) < 0)
			return imap_session_lost(s);
		buf_wipe(message);
		buf_append_str(message, "AQ=="); /* RFC 7628 section 3.2.3 */
	}
}

static int auth_single(struct imap_session *s, const char *mechanism, const char *secret)
{
	CLEANUP(buf) struct buf message = BUF_INIT, encoded = BUF_INIT;
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	imap_command_init(&c, s, "AUTHENTICATE %s", mechanism);
	r = auth_message(s, mechanism, secret, &message);
	if (r < 0)
		return imap_session_fail(s, r, "no memory");
	base64_encode(buf_str(&message), message.len, &encoded);
	if (s->capabilities & CAP_SASL_IR) {
		buf_append_char(&c.text, ' ');
		buf_append_str(&c.text, encoded.len ? buf_str(&encoded) : "=");
		buf_wipe(&encoded);
		buf_append_str(&encoded, !strcmp(mechanism, "OAUTHBEARER") ? "AQ==" : "");
	}
	r = imap_command_send(&c, NULL, NULL, NULL);
	if (r == 0)
		r = imap_command_end(&c);
	if (r == 0)
		r = auth_exchange(s, &encoded);
	buf_wipe(&message);
	buf_wipe(&encoded);
	buf_wipe(&c.text);
	return r;
}

static int auth_login(struct imap_session *s, const char *secret)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	imap_command_init(&c, s, "LOGIN ");
	imap_command_string(&c, s->base.options->user);
	imap_command_add(&c, " ");
	imap_command_string(&c, secret);
	r = imap_command_run(&c, NULL, NULL, "sign-in refused");
	buf_wipe(&c.text);
	return s->base.broken ? r : 0;
}

/* 0: a tagged response came, see the record. -EOPNOTSUPP: this mechanism does not work here. */
static int auth_try(struct imap_session *s, const struct auth_mechanism *m, const char *secret)
{
	int r = -EOPNOTSUPP;

	if (s->stream)
		stream_set_private(s->stream, true);
	switch (m->how) {
	case AUTH_SASL:
		r = imap_sasl_authenticate(s, m->name, s->base.options->user, secret);
		break;
	case AUTH_SINGLE:
		r = auth_single(s, m->name, secret);
		break;
	case AUTH_LOGIN:
		r = auth_login(s, secret);
		break;
	}
	if (s->stream)
		stream_set_private(s->stream, false);
	return r;
}

/* What a refusal means: -EACCES and -EAGAIN end the search, 0 goes on with the next mechanism. */
static int auth_verdict(struct imap_session *s, const struct auth_mechanism *m)
{
	const char *user = s->base.options->user ? s->base.options->user : "nobody";
	int error = s->record.error == -EAGAIN ? -EAGAIN : -EACCES;

	imap_session_fail(s, error, "%s at %s: sign-in refused (%s): the server says: %s", user, s->base.options->url->host,
			  m->name, buf_str(&s->record.text));
	if (s->record.status == STATUS_BAD)
		return 0;
	if (s->record.auth_failed || error == -EAGAIN || s->record.error == -EACCES)
		return error;
	return m->challenge ? 0 : error;
}

static bool auth_offered(const struct imap_session *s, const struct auth_mechanism *m)
{
	char word[40];

	if (m->how == AUTH_LOGIN)
		return !(s->capabilities & CAP_LOGINDISABLED);
	snprintf(word, sizeof(word), "AUTH=%s", m->name);
	return imap_capability_offers(s, word);
}

/* 1: signed in, 0: try another one, else -errno. */
static int auth_step(struct imap_session *s, const struct auth_mechanism *m, const char *secret)
{
	int r = auth_try(s, m, secret);

	if (r == -EOPNOTSUPP) {
		imap_session_fail(s, -EACCES, "sign-in with %s does not work here", m->name);
		return 0;
	}
	if (r < 0)
		return r;
	if (s->record.status != STATUS_OK)
		return auth_verdict(s, m);
	s->mechanism = m->name;
	return 1;
}

static int auth_nothing_left(struct imap_session *s, bool tried)
{
	const char *wanted = s->base.options->auth;

	if (tried)
		return -EACCES; /* the last one's refusal is the reason */
	if (strcasecmp(wanted, "auto"))
		return imap_session_fail(s, -EACCES, "the server does not offer `auth = %s` (it offers:%s)", wanted,
					 buf_str(&s->record.capabilities));
	return imap_session_fail(s, -EACCES, "the server offers no way to sign in that mailfs knows%s (it offers:%s)",
				 s->capabilities & CAP_LOGINDISABLED ? ", and forbids LOGIN" : "",
				 buf_str(&s->record.capabilities));
}

static bool auth_is_wanted(const char *wanted, const struct auth_mechanism *m)
{
	return strcasecmp(wanted, "auto") ? !strcasecmp(wanted, m->key) : m->automatic;
}

static int auth_search(struct imap_session *s, const char *secret)
{
	const char *wanted = s->base.options->auth;
	bool tried = false, passwords;
	int r;

	for (size_t i = 0; i < sizeof(auth_mechanisms) / sizeof(auth_mechanisms[0]); i++) {
		if (!auth_is_wanted(wanted, &auth_mechanisms[i]) || !auth_offered(s, &auth_mechanisms[i]))
			continue;
		tried = true;
		r = auth_step(s, &auth_mechanisms[i], secret);
		if (r)
			return r;
	}
	passwords = auth_is_wanted(wanted, &auth_login_command) || !strcasecmp(wanted, "plain");
	if (passwords && auth_offered(s, &auth_login_command)) {
		tried = true;
		r = auth_step(s, &auth_login_command, secret);
		if (r)
			return r;
	}
	return auth_nothing_left(s, tried);
}

int imap_auth_sign_in(struct imap_session *s)
{
	const struct backend_options *o = s->base.options;
	CLEANUP(buf) struct buf secret = BUF_INIT, why = BUF_INIT;
	bool needs_secret = strcasecmp(o->auth, "external") && strcasecmp(o->auth, "anonymous");
	int r;

	if (!(s->stream && stream_is_tls(s->stream)) && !url_host_is_loopback(o->url->host))
		return imap_session_fail(s, -EACCES, "no sign-in without TLS");
	if (needs_secret && !o->user)
		return imap_session_fail(s, -EACCES, "no user name: write it into the URL, imaps://USER@%s", o->url->host);
	if (needs_secret) {
		r = secret_get(o->secret, o->cancel, &secret, &why);
		if (r < 0)
			return imap_session_fail(s, r, "%s", buf_str(&why));
	}
	r = auth_search(s, buf_str(&secret));
	buf_wipe(&secret);
	return r < 0 ? r : 0;
}

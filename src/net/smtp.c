/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/smtp.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/smtp_dialogue.h"
#include "net/smtp_greeting.h"
#include "net/smtp_reply.h"
#include "net/smtp_wire.h"

enum { CHAIN_MAX = 16, POLL_MS = 1000 };

struct smtp {
	struct smtp_wire wire;
	struct smtp_greeting greeting;
	char tls[80], mechanism[24]; /* "" without */
	char description[128];

	/* While libcurl connects. */
	const struct smtp_options *options; /* borrowed */
	struct buf *why;		    /* borrowed */
	CURLU *url;			    /* own */
	bool is_verified;
	int error; /* the -errno of a callback that ended it */
};

DEFINE_CLEANUP(smtp, struct smtp *, smtp_close)

/* `option` is what libcurl is to choose from; bearer: the secret is a token. */
static const struct mechanism {
	const char *auth, *option;
	bool is_bearer;
} mechanisms[] = {
	{ "auto", "AUTH=CRAM-MD5;AUTH=PLAIN;AUTH=LOGIN", false },
	{ "plain", "AUTH=PLAIN", false },
	{ "login", "AUTH=LOGIN", false },
	{ "cram-md5", "AUTH=CRAM-MD5", false },
	{ "xoauth2", "AUTH=XOAUTH2", true },
	{ "oauthbearer", "AUTH=OAUTHBEARER", true },
	{ "external", "AUTH=EXTERNAL", false },
};

static const struct mechanism *find_mechanism(const char *auth)
{
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
		if (!strcmp(mechanisms[i].auth, auth))
			return &mechanisms[i];
	return NULL;
}

static bool wants_auth(const struct smtp_options *o)
{
	return o->user && (o->secret || !strcmp(o->auth, "external"));
}

static size_t peer_chain(CURL *curl, const char *pem[CHAIN_MAX])
{
	struct curl_certinfo *info = NULL;
	size_t n = 0;

	if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &info) != CURLE_OK || !info)
		return 0;
	for (int i = 0; i < info->num_of_certs && n < CHAIN_MAX; i++)
		for (const struct curl_slist *field = info->certinfo[i]; field; field = field->next)
			if (!strncmp(field->data, "Cert:", 5)) {
				pem[n++] = field->data + 5;
				break;
			}
	return n;
}

/* By our own rules and in our own words, whatever libcurl thinks of it. */
static int verify_peer(struct smtp *s)
{
	const char *pem[CHAIN_MAX];
	size_t n = peer_chain(s->wire.curl, pem);

	return tls_verify_chain(pem, n, s->options->url->host, &s->options->tls, s->why);
}

/*
 * libcurl hands over each line of a reply before it acts on it. So the first line after the handshake (of the greeting, or of
 * the reply to the second EHLO) comes before AUTH, and to refuse it ends the connection with no secret sent.
 */
static size_t on_line(char *line, size_t size, size_t n, void *userdata)
{
	struct smtp *s = userdata;
	enum url_transport transport = s->options->url->transport;

	if (!s->is_verified && (transport == URL_TLS || (transport == URL_STARTTLS && s->greeting.tls_is_next))) {
		s->error = verify_peer(s);
		if (s->error < 0)
			return 0;
		s->is_verified = true;
	}
	s->error = smtp_greeting_add_line(&s->greeting, line, size * n);
	if (s->error < 0) {
		buf_printf(s->why, "%s: the server does not speak SMTP", s->options->url->host);
		return 0;
	}
	return size * n;
}

/* The only way to hear from libcurl which TLS and which mechanism it is. What it sends holds secrets: only AUTH's name is kept. */
static int on_trace(CURL *curl, curl_infotype type, char *data, size_t len, void *userdata)
{
	static const char connected[] = "SSL connection using ", auth[] = "AUTH ";
	struct smtp *s = userdata;
	char text[80];

	(void)curl;
	if (type == CURLINFO_TEXT && len > sizeof connected && !memcmp(data, connected, sizeof connected - 1)) {
		snprintf(text, sizeof text, "%.*s", (int)(len - (sizeof connected - 1)), data + sizeof connected - 1);
		snprintf(s->tls, sizeof s->tls, "%.*s", (int)strcspn(text, "\r\n"), text);
	}
	if (type == CURLINFO_HEADER_OUT && len > sizeof auth && !memcmp(data, auth, sizeof auth - 1)) {
		snprintf(text, sizeof s->mechanism, "%.*s", (int)(len - (sizeof auth - 1)), data + sizeof auth - 1);
		snprintf(s->mechanism, sizeof s->mechanism, "%.*s", (int)strcspn(text, " \r\n"), text);
	}
	explicit_bzero(text, sizeof text);
	return 0;
}

static int make_url(struct smtp *s)
{
	const struct url *url = s->options->url;
	bool is_ipv6 = strchr(url->host, ':');
	char host[300], port[8];

	s->url = curl_url();
	if (!s->url)
		return -ENOMEM;
	snprintf(host, sizeof host, is_ipv6 ? "[%s]" : "%s", url->host);
	snprintf(port, sizeof port, "%u", url->port);
	if (curl_url_set(s->url, CURLUPART_SCHEME, url->transport == URL_TLS ? "smtps" : "smtp", 0) != CURLUE_OK ||
	    curl_url_set(s->url, CURLUPART_HOST, host, 0) != CURLUE_OK ||
	    curl_url_set(s->url, CURLUPART_PORT, port, 0) != CURLUE_OK) {
		buf_printf(s->why, "%s: not a host that can be connected to", url->host);
		return -EINVAL;
	}
	return curl_easy_setopt(s->wire.curl, CURLOPT_CURLU, s->url) == CURLE_OK ? 0 : -ENOMEM;
}

static void set_connection(struct smtp *s)
{
	CURL *curl = s->wire.curl;

	curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	/* Otherwise $all_proxy decides where the password goes. */
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	/* libcurl counts all of it up to the end of AUTH. */
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 2L * s->options->timeout_s);
	curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)s->options->timeout_s);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, on_trace);
	curl_easy_setopt(curl, CURLOPT_DEBUGDATA, s);
	curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
}

/* With a pin libcurl verifies nothing: on_line() does. Without one both do. */
static void set_tls(struct smtp *s)
{
	const struct tls_options *tls = &s->options->tls;
	CURL *curl = s->wire.curl;

	curl_easy_setopt(curl, CURLOPT_USE_SSL,
			 s->options->url->transport == URL_INSECURE ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
	if (tls->fingerprint) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	/* Debian's libcurl trusts the system's directory beside CAINFO unless told otherwise. */
	if (tls->fingerprint || tls->ca) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, tls->fingerprint ? NULL : tls->ca);
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	}
	if (tls->cert) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT, tls->cert);
		curl_easy_setopt(curl, CURLOPT_SSLKEY, tls->key ? tls->key : tls->cert);
	}
}

/* libcurl keeps copies of its own in memory that it does not wipe: nothing to be done about it from here. */
static int set_auth(struct smtp *s)
{
	const struct smtp_options *o = s->options;
	CLEANUP(buf) struct buf secret = BUF_INIT;
	const struct mechanism *mechanism;
	int r = 0;

	if (!wants_auth(o))
		return 0;
	mechanism = find_mechanism(o->auth);
	if (!mechanism) {
		buf_printf(s->why, "%s: no sign-in by %s for submission; set smtp-auth = auto, plain, login or cram-md5",
			   o->url->host, o->auth);
		return -EACCES;
	}
	if (o->url->transport == URL_INSECURE && !url_host_is_loopback(o->url->host)) {
		buf_printf(s->why, "%s: no password is sent without TLS", o->url->host);
		return -EINVAL;
	}
	if (o->secret)
		r = secret_get(o->secret, o->cancel, &secret, s->why);
	if (r < 0)
		return r;
	/* The secret goes in the AUTH line itself (RFC 4954): a round trip less. */
	curl_easy_setopt(s->wire.curl, CURLOPT_SASL_IR, 1L);
	curl_easy_setopt(s->wire.curl, CURLOPT_LOGIN_OPTIONS, mechanism->option);
	curl_easy_setopt(s->wire.curl, CURLOPT_USERNAME, o->user);
	curl_easy_setopt(s->wire.curl, mechanism->is_bearer ? CURLOPT_XOAUTH2_BEARER : CURLOPT_PASSWORD, buf_str(&secret));
	buf_wipe(&secret);
	return 0;
}

/* What libcurl's code means where neither a callback nor a reply says it better. */
static const struct {
	CURLcode code;
	int error;
	const char *words;
} failures[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH, "name not found" },
	{ CURLE_COULDNT_CONNECT, -ECONNREFUSED, "no connection" },
	{ CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT, "no answer in time" },
	{ CURLE_USE_SSL_FAILED, -EPROTO, "the server offers no STARTTLS" },
	{ CURLE_SSL_CONNECT_ERROR, -EPROTO,
	  "TLS handshake failed; needed is TLS 1.2 or later, on the port for it (465 for smtps://, 587 for smtp://)" },
	{ CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED, "certificate refused" },
	{ CURLE_SSL_CACERT_BADFILE, -EINVAL, "tls-ca: not a readable PEM file of certificates" },
	{ CURLE_SSL_CERTPROBLEM, -EINVAL, "tls-cert, tls-key: not a readable PEM certificate with its key" },
	{ CURLE_LOGIN_DENIED, -EACCES, "no sign-in method that both sides have" },
	{ CURLE_RECV_ERROR, -ECONNRESET, "connection closed by the server" },
	{ CURLE_SEND_ERROR, -ECONNRESET, "connection closed by the server" },
	{ CURLE_GOT_NOTHING, -ECONNRESET, "connection closed by the server" },
	{ CURLE_OUT_OF_MEMORY, -ENOMEM, "out of memory" },
	{ CURLE_ABORTED_BY_CALLBACK, -ECANCELED, "given up" },
};

static int connect_error(CURL *curl)
{
	long error = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
	if (error == ENETUNREACH || error == EHOSTUNREACH)
		return -EHOSTUNREACH;
	return error == ETIMEDOUT ? -ETIMEDOUT : -ECONNREFUSED;
}

static int explain_reply(const struct smtp *s, CURLcode code)
{
	const struct smtp_reply *reply = &s->greeting.reply;

	buf_printf(s->why, "%s: %s: %d %s%s%s", s->options->url->host, code == CURLE_LOGIN_DENIED ? "sign-in refused" : "refused",
		   reply->code, reply->enhanced, *reply->enhanced ? " " : "", reply->text);
	if (smtp_reply_class(reply) == 4)
		return -EAGAIN;
	if (code == CURLE_LOGIN_DENIED)
		return -EACCES;
	return s->greeting.replies == 1 ? -ECONNREFUSED : -EPROTO;
}

static int explain_code(struct smtp *s, CURLcode code)
{
	const struct url *url = s->options->url;

	for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
		if (failures[i].code != code)
			continue;
		buf_printf(s->why, "%s:%u: %s", url->host, url->port, failures[i].words);
		if (code == CURLE_LOGIN_DENIED)
			buf_printf(s->why, "; the server offers %s", *s->greeting.mechanisms ? s->greeting.mechanisms : "none");
		return code == CURLE_COULDNT_CONNECT ? connect_error(s->wire.curl) : failures[i].error;
	}
	buf_printf(s->why, "%s:%u: %s", url->host, url->port, curl_easy_strerror(code));
	return -EPROTO;
}

static int explain(struct smtp *s, CURLcode code)
{
	if (s->error < 0)
		return s->error;
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return explain_code(s, code);
	if (code == CURLE_PEER_FAILED_VERIFICATION && verify_peer(s) < 0)
		return -EKEYREJECTED;
	if (smtp_reply_class(&s->greeting.reply) >= 4)
		return explain_reply(s, code);
	return explain_code(s, code);
}

/* libcurl goes on unsigned where the server offers no AUTH at all. */
static int check_signed_in(struct smtp *s)
{
	const char *host = s->options->url->host;

	if (s->options->url->transport != URL_INSECURE && !s->is_verified) {
		buf_printf(s->why, "%s: certificate not seen", host);
		return -EKEYREJECTED;
	}
	if (wants_auth(s->options) && s->greeting.reply.code != 235) {
		buf_printf(s->why, "%s: the server offers no sign-in (AUTH)", host);
		return -EACCES;
	}
	return 0;
}

static void describe(struct smtp *s)
{
	snprintf(s->description, sizeof s->description, "%s, %s%s", *s->tls ? s->tls : "no TLS",
		 *s->mechanism ? "AUTH " : "no sign-in", s->mechanism);
}

/* curl_easy_perform() that ends when it is cancelled: its own progress callback is called once a second while nothing comes. */
static CURLcode perform(struct smtp *s)
{
	struct curl_waitfd cancelled = { .fd = s->options->cancel ? s->options->cancel->fd : -1, .events = CURL_WAIT_POLLIN };
	CURLMcode error = curl_multi_add_handle(s->wire.multi, s->wire.curl);
	int running = 1, left;
	const CURLMsg *end;

	while (!error && running) {
		if (cancel_is_set(s->options->cancel))
			return CURLE_ABORTED_BY_CALLBACK;
		error = curl_multi_perform(s->wire.multi, &running);
		if (!error && running)
			error = curl_multi_poll(s->wire.multi, &cancelled, s->options->cancel ? 1 : 0, POLL_MS, NULL);
	}
	end = curl_multi_info_read(s->wire.multi, &left);
	return error || !end ? CURLE_OUT_OF_MEMORY : end->data.result;
}

static int connect_and_sign_in(struct smtp *s)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	CURLcode code = perform(s);
	int r = code == CURLE_OK ? check_signed_in(s) : explain(s, code);

	if (r < 0)
		return r;
	if (curl_easy_getinfo(s->wire.curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
		return -ECONNRESET;
	s->wire.fd = fd;
	s->wire.error = 0;
	describe(s);
	return 0;
}

static void initialise_libcurl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

int smtp_open(const struct smtp_options *options, struct smtp **ret, struct buf *why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	CLEANUP(smtp) struct smtp *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	pthread_once(&once, initialise_libcurl);
	s->options = options;
	s->why = why;
	s->wire.fd = -1;
	s->wire.error = -ENOTCONN;
	s->wire.reply_timeout_s = options->reply_timeout_s;
	s->wire.cancel = options->cancel;
	s->wire.multi = curl_multi_init();
	s->wire.curl = curl_easy_init();
	if (!s->wire.multi || !s->wire.curl)
		return -ENOMEM;
	set_connection(s);
	set_tls(s);
	r = make_url(s);
	if (r < 0)
		return r;
	r = set_auth(s);
	if (r < 0)
		return r;
	r = connect_and_sign_in(s);
	if (r < 0)
		return r;
	*ret = steal_pointer(&s);
	return 0;
}

void smtp_close(struct smtp *s)
{
	if (!s)
		return;
	if (!s->wire.error)
		smtp_dialogue_quit(&s->wire);
	smtp_wire_release(&s->wire);
	curl_url_cleanup(s->url);
	free(s);
}

const struct smtp_capabilities *smtp_capabilities(const struct smtp *s)
{
	return &s->greeting.capabilities;
}

const char *smtp_description(const struct smtp *s)
{
	return s->description;
}

int smtp_send(struct smtp *s, const struct smtp_message *message, struct smtp_result *ret)
{
	return smtp_dialogue_send(&s->wire, &s->greeting.capabilities, message, ret);
}

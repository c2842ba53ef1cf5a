/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "net/tls_certificate.h"
#include "net/tls_socket.h"

enum {
	RECORD_PATIENCE =
		10, /* a record comes whole or not at all, so that a slow line looks silent: within this many times the limit it is there */
	READ_BUFFER = 64 * 1024,
};

DEFINE_CLEANUP(tls, struct tls *, tls_free)

struct tls {
	SSL_CTX *context;	     /* own; one a session: all but the trust store, which is shared, costs 0.1 ms */
	SSL *ssl;		     /* own */
	int fd;			     /* borrowed */
	const struct cancel *cancel; /* borrowed */
	int failed;		     /* the -errno after which nothing more may be sent, not even goodbye; 0: none */
	char description[96];
};

/* How long to go on: `silence_ms` without a byte, and not past `until_ms` however they drip. */
struct patience {
	int64_t silence_ms;
	int64_t until_ms;
};

static struct patience patience(int timeout_s, int times)
{
	int64_t silence_ms = (int64_t)timeout_s * 1000;

	return (struct patience){ silence_ms, clock_monotonic_ms() + silence_ms * times };
}

static int wait_for_socket(const struct tls *t, short events, const struct patience *p)
{
	struct pollfd pollfd = { .fd = t->fd, .events = events };
	int64_t now_ms = clock_monotonic_ms();
	int64_t silent_ms = now_ms + p->silence_ms;
	int n;

	if (now_ms >= p->until_ms)
		return -ETIMEDOUT;
	n = cancel_poll(t->cancel, &pollfd, 1, silent_ms < p->until_ms ? silent_ms : p->until_ms);
	if (n < 0)
		return n;
	return n ? 0 : -ETIMEDOUT;
}

/* What a failed SSL_* call means: -EAGAIN with the events to wait for, -ESHUTDOWN at the peer's end, else what is final. */
static int failure(struct tls *t, short *ret_events)
{
	int error = errno;

	switch (SSL_get_error(t->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		*ret_events = POLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*ret_events = POLLOUT;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return -ESHUTDOWN;
	case SSL_ERROR_SYSCALL:
		t->failed = error == EPIPE ? -ECONNRESET : error == ETIMEDOUT ? -EHOSTUNREACH : error ? -error : -ESHUTDOWN;
		return t->failed;
	default:
		t->failed = -EPROTO;
		return t->failed;
	}
}

/* OpenSSL tells success from failure by errno and a queue of errors, both left over from whatever ran before. */
static void forget_errors(void)
{
	ERR_clear_error();
	errno = 0;
}

static int use_client_certificate(struct tls *t, const char *host, const struct tls_options *options, struct buf *why)
{
	const char *key = options->key ? options->key : options->cert;

	if (!options->cert)
		return 0;
	if (SSL_CTX_use_certificate_chain_file(t->context, options->cert) != 1) {
		buf_printf(why, "%s: tls-cert %s: not a readable PEM certificate", host, options->cert);
		return -EINVAL;
	}
	if (SSL_CTX_use_PrivateKey_file(t->context, key, SSL_FILETYPE_PEM) != 1) {
		buf_printf(why, "%s: tls-key %s: not a readable PEM key without passphrase that fits tls-cert", host, key);
		return -EINVAL;
	}
	return 0;
}

/* Instead of OpenSSL's own, which asks on the terminal. */
static int no_passphrase(char *passphrase, int size, int for_writing, void *userdata)
{
	(void)passphrase;
	(void)size;
	(void)for_writing;
	(void)userdata;
	return 0;
}

static int make_context(struct tls *t)
{
	t->context = SSL_CTX_new(TLS_client_method());
	if (!t->context || SSL_CTX_set_min_proto_version(t->context, TLS1_2_VERSION) != 1)
		return -ENOMEM;
	SSL_CTX_set_session_cache_mode(t->context, SSL_SESS_CACHE_OFF);
	/* Many records a system call: servers send a message's bytes in small ones. */
	SSL_CTX_set_read_ahead(t->context, 1);
	SSL_CTX_set_default_read_buffer_len(t->context, READ_BUFFER);
	SSL_CTX_set_mode(t->context,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(t->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
	SSL_CTX_set_options(t->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif
	SSL_CTX_set_default_passwd_cb(t->context, no_passphrase);
	SSL_CTX_set_verify(t->context, SSL_VERIFY_PEER, NULL);
	return 0;
}

static bool is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static int prepare(struct tls *t, struct tls_certificate_check *check)
{
	X509_STORE *store;
	int r = make_context(t);

	if (r < 0)
		return r;
	r = use_client_certificate(t, check->host, check->options, check->why);
	if (r < 0)
		return r;
	r = tls_certificate_store(check, &store);
	if (r < 0)
		return r;
	SSL_CTX_set_cert_store(t->context, store);
	r = tls_certificate_expect(check, SSL_CTX_get0_param(t->context));
	if (r < 0)
		return r;
	SSL_CTX_set_cert_verify_callback(t->context, tls_certificate_verify, check);
	t->ssl = SSL_new(t->context);
	if (!t->ssl)
		return -ENOMEM;
	if (!is_address(check->host) && SSL_set_tlsext_host_name(t->ssl, check->host) != 1)
		return -ENOMEM;
	return tls_socket_attach(t->ssl, t->fd);
}

static int explain_protocol_error(const char *host, struct buf *why)
{
	unsigned long error = ERR_peek_error();
	const char *reason = ERR_reason_error_string(error);

	switch (ERR_GET_REASON(error)) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		buf_printf(why, "%s: the server offers no TLS 1.2 or later", host);
		break;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
		buf_printf(why, "%s: the server does not speak TLS on this port", host);
		break;
	default:
		buf_printf(why, "%s: TLS handshake failed: %s", host, reason ? reason : "no reason given");
	}
	return -EPROTO;
}

static int explain_handshake(struct tls *t, int r, const struct tls_certificate_check *check, int timeout_s)
{
	/* Told by the verification itself. */
	if (r == -EPROTO && SSL_get_verify_result(t->ssl) != X509_V_OK)
		return -EKEYREJECTED;
	if (r == -EPROTO)
		return explain_protocol_error(check->host, check->why);
	if (r == -ETIMEDOUT) {
		buf_printf(check->why, "%s: TLS handshake not done after %d s", check->host, timeout_s);
		return r;
	}
	if (r == -ESHUTDOWN)
		r = -ECONNRESET;
	buf_printf(check->why, "%s: TLS handshake: %s", check->host,
		   r == -ECONNRESET ? "connection closed by the server" : strerror(-r));
	return r;
}

static int shake_hands(struct tls *t, int timeout_s)
{
	struct patience p = patience(timeout_s, 1);
	short events;
	int r;

	for (;;) {
		forget_errors();
		if (SSL_connect(t->ssl) == 1)
			return 0;
		r = failure(t, &events);
		if (r != -EAGAIN)
			return r;
		r = wait_for_socket(t, events, &p);
		if (r < 0)
			return r;
	}
}

int tls_open(int fd, const char *host, const struct tls_options *options, int timeout_s, const struct cancel *cancel,
	     struct tls **ret, struct buf *why)
{
	struct tls_certificate_check check = { host, options, why };
	CLEANUP(tls) struct tls *t = calloc(1, sizeof *t);
	int r;

	if (!t)
		return -ENOMEM;
	t->fd = fd;
	t->cancel = cancel;
	r = prepare(t, &check);
	if (r < 0)
		return r;
	r = shake_hands(t, timeout_s);
	if (r < 0)
		return explain_handshake(t, r, &check, timeout_s);
	/* No later handshake verifies anything: renegotiation is off. */
	SSL_CTX_set_cert_verify_callback(t->context, NULL, NULL);
	snprintf(t->description, sizeof t->description, "%s %s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl));
	*ret = steal_pointer(&t);
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	forget_errors();
	if (t->ssl && !t->failed && SSL_is_init_finished(t->ssl))
		SSL_shutdown(t->ssl);
	SSL_free(t->ssl);
	SSL_CTX_free(t->context);
	free(t);
}

/* What else has been received already. A failure is kept for the next call. */
static size_t read_received(struct tls *t, char *data, size_t len)
{
	size_t done = 0, n;
	short events;

	while (done < len && SSL_has_pending(t->ssl)) {
		if (SSL_read_ex(t->ssl, data + done, len - done, &n) != 1) {
			failure(t, &events);
			break;
		}
		done += n;
	}
	return done;
}

ssize_t tls_read(struct tls *t, void *data, size_t len, int timeout_s)
{
	struct patience p = patience(timeout_s, RECORD_PATIENCE);
	short events;
	size_t n;
	int r;

	for (;;) {
		if (t->failed)
			return t->failed == -ESHUTDOWN ? 0 : t->failed;
		forget_errors();
		if (SSL_read_ex(t->ssl, data, len, &n) == 1)
			return (ssize_t)(n + read_received(t, (char *)data + n, len - n));
		r = failure(t, &events);
		if (r == -ESHUTDOWN)
			return 0;
		if (r != -EAGAIN)
			return r;
		r = wait_for_socket(t, events, &p);
		if (r < 0)
			return r;
	}
}

ssize_t tls_write_some(struct tls *t, const void *data, size_t len, short *ret_events)
{
	size_t n;
	int r;

	if (t->failed)
		return t->failed == -ESHUTDOWN ? -ECONNRESET : t->failed;
	forget_errors();
	if (SSL_write_ex(t->ssl, data, len, &n) == 1)
		return (ssize_t)n;
	r = failure(t, ret_events);
	return r == -ESHUTDOWN ? -ECONNRESET : r;
}

static ssize_t write_record(struct tls *t, const void *data, size_t len, int timeout_s)
{
	struct patience p = patience(timeout_s, RECORD_PATIENCE);
	short events;

	for (;;) {
		ssize_t n = tls_write_some(t, data, len, &events);
		int r;

		if (n != -EAGAIN)
			return n;
		r = wait_for_socket(t, events, &p);
		if (r < 0)
			return r;
	}
}

int tls_write(struct tls *t, const void *data, size_t len, int timeout_s)
{
	const char *next = data;

	while (len) {
		ssize_t n = write_record(t, next, len, timeout_s);

		if (n < 0)
			return (int)n;
		next += n;
		len -= (size_t)n;
	}
	return 0;
}

bool tls_pending(struct tls *t)
{
	char byte;
	size_t n;
	short events;

	if (t->failed)
		return true;
	forget_errors();
	if (SSL_peek_ex(t->ssl, &byte, 1, &n) == 1)
		return true;
	return failure(t, &events) != -EAGAIN || events == POLLOUT;
}

const char *tls_description(const struct tls *t)
{
	return t->description;
}

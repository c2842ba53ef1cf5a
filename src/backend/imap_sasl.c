/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_sasl.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <libetpan/libetpan.h>

#include "backend/imap_command.h"

/* Not in an installed header, but exported: keeps Cyrus SASL initialised as long as one reference is held. */
void mailsasl_ref(void);

/* libetpan's own buffers; a response longer than that is copied in pieces. */
enum { SASL_BUFFER = 16 * 1024 };

struct sasl {
	struct imap_session *session; /* borrowed */
	unsigned tag;		      /* of the AUTHENTICATE command */
	bool greeting;		      /* libetpan is to read a greeting, ours */
	bool tagged;		      /* the tagged response has come */
	bool challenged;	      /* the server waits for our next words */
	struct imap_text pending;     /* what libetpan has not read yet: the guard's, or `line` */
	char line[32];
	struct buf challenge; /* own; a continuation as passed on */
	int error;	      /* why a read failed */
};

static pthread_once_t sasl_once = PTHREAD_ONCE_INIT;

static void sasl_init_once(void)
{
	mailsasl_ref();
}

/* ------------------------------------------------------------ what libetpan gets to read */

static void sasl_show_line(struct sasl *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void sasl_show_line(struct sasl *x, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(x->line, sizeof(x->line), format, arguments);
	va_end(arguments);
	x->pending = (struct imap_text){ x->line, (size_t)n };
}

static int sasl_tagged(struct sasl *x, const struct imap_response *response)
{
	static const char *const words[] = { "OK", "NO", "BAD" };
	char tag[16];

	snprintf(tag, sizeof(tag), "%u", x->tag);
	if (!imap_text_is(response->tag, tag))
		return imap_guard_fail(&x->session->guard, -EPROTO, "the server answered another command than the one it was sent");
	x->tagged = true;
	x->challenged = false;
	sasl_show_line(x, "%s %s done\r\n", tag, words[x->session->record.status]);
	return 0;
}

/* A SASL challenge is base64; anything else is shown as an empty one. */
static int sasl_challenge(struct sasl *x, struct imap_text text)
{
	bool plain = true;

	for (size_t i = 0; i < text.len; i++)
		plain = plain && (isalnum((unsigned char)text.data[i]) || (text.data[i] && strchr("+/=", text.data[i])));
	buf_truncate(&x->challenge, 0);
	if (buf_append_str(&x->challenge, "+ ") < 0 || buf_append(&x->challenge, text.data, plain ? text.len : 0) < 0 ||
	    buf_append_str(&x->challenge, "\r\n") < 0)
		return imap_guard_fail(&x->session->guard, -ENOMEM, "no memory to sign in");
	x->challenged = true;
	x->pending = (struct imap_text){ x->challenge.data, x->challenge.len };
	return 0;
}

/* Takes the next response and, where libetpan may see it, makes it pending. */
static int sasl_take(struct sasl *x)
{
	struct imap_response response;
	int r;

	if (x->greeting) {
		sasl_show_line(x, "* OK ready\r\n");
		return 0;
	}
	r = imap_guard_next(&x->session->guard, &response);
	if (r < 0)
		return r;
	imap_record_note(&x->session->record, &response);
	if (response.kind == RESPONSE_TAGGED)
		return sasl_tagged(x, &response);
	return response.kind == RESPONSE_CONTINUATION ? sasl_challenge(x, response.rest) : 0;
}

static ssize_t low_read(mailstream_low *low, void *data, size_t len)
{
	struct sasl *x = low->data;
	size_t n;

	while (!x->pending.len && !x->error)
		x->error = sasl_take(x);
	if (x->error)
		return -1;
	n = x->pending.len < len ? x->pending.len : len;
	memcpy(data, x->pending.data, n);
	x->pending.data += n;
	x->pending.len -= n;
	return (ssize_t)n;
}

static ssize_t low_write(mailstream_low *low, const void *data, size_t len)
{
	struct sasl *x = low->data;

	if (!x->error)
		x->error = imap_guard_write(&x->session->guard, data, len);
	return x->error ? -1 : (ssize_t)len;
}

static int low_close(mailstream_low *low)
{
	(void)low;
	return 0;
}

static int low_get_fd(mailstream_low *low)
{
	(void)low;
	return -1;
}

static void low_free(mailstream_low *low)
{
	free(low);
}

static mailstream_low_driver sasl_driver = {
	.mailstream_read = low_read,
	.mailstream_write = low_write,
	.mailstream_close = low_close,
	.mailstream_get_fd = low_get_fd,
	.mailstream_free = low_free,
};

/* ------------------------------------------------------------ one exchange */

static mailstream *sasl_stream(struct sasl *x)
{
	mailstream_low *low = mailstream_low_new(x, &sasl_driver);
	mailstream *stream;

	if (!low)
		return NULL;
	stream = mailstream_new(low, SASL_BUFFER);
	if (!stream)
		mailstream_low_free(low);
	return stream;
}

/* Not through libetpan alone: mailimap_free() would say LOGOUT, and leave what was written where it is. */
static void sasl_close(mailimap *imap)
{
	if (imap->imap_stream) {
		explicit_bzero(imap->imap_stream->write_buffer, SASL_BUFFER);
		mailstream_close(imap->imap_stream);
	}
	imap->imap_stream = NULL;
	mailimap_free(imap);
}

/* libetpan takes a stream for its own only after a greeting on it. */
static mailimap *sasl_open(struct sasl *x)
{
	mailimap *imap = mailimap_new(0, NULL);
	mailstream *stream = imap ? sasl_stream(x) : NULL;

	x->greeting = true;
	if (stream && mailimap_connect(imap, stream) == MAILIMAP_NO_ERROR_NON_AUTHENTICATED) {
		x->greeting = false;
		return imap;
	}
	if (imap)
		sasl_close(imap);
	return NULL;
}

/* SASL did not like the server's words, and the server waits for ours: RFC 9051 section 6.2.2 has `*` for that. */
static int sasl_cancel(struct sasl *x)
{
	struct imap_session *s = x->session;
	int r;

	if (imap_guard_write(&s->guard, "*\r\n", 3) < 0)
		return imap_session_lost(s);
	r = imap_command_await(s, x->tag, NULL, NULL);
	return r < 0 ? r : -EOPNOTSUPP;
}

/* What libetpan's result `r` means for the session. */
static int sasl_outcome(struct sasl *x, const char *mechanism, int r)
{
	struct imap_session *s = x->session;

	if (x->error)
		return imap_session_lost(s);
	if (x->tagged)
		return 0;
	if (x->challenged)
		return sasl_cancel(x);
	if (r == MAILIMAP_ERROR_LOGIN && s->tag < x->tag)
		return -EOPNOTSUPP; /* nothing was sent */
	imap_guard_fail(&s->guard, -EPROTO, "%s went wrong (libetpan error %d)", mechanism, r);
	return imap_session_lost(s);
}

int imap_sasl_authenticate(struct imap_session *s, const char *mechanism, const char *user, const char *password)
{
	struct sasl x = { .session = s, .tag = s->tag + 1 };
	const char *host = s->base.options->url->host;
	mailimap *imap;
	int r;

	pthread_once(&sasl_once, sasl_init_once);
	imap = sasl_open(&x);
	if (!imap)
		return imap_session_fail(s, -ENOMEM, "no memory to sign in");
	imap->imap_tag = (int)s->tag;
	/* No identity but the one that signs in: some servers refuse even the same one told twice. */
	r = mailimap_authenticate(imap, mechanism, host, NULL, NULL, "", user, password, "");
	s->tag = (unsigned)imap->imap_tag;
	sasl_close(imap);
	r = sasl_outcome(&x, mechanism, r);
	buf_release(&x.challenge);
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_etpan.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <libetpan/libetpan.h>

#include "backend/imap_command.h"

/* Not in an installed header, but exported: keeps Cyrus SASL initialised as long as one reference is held. */
void mailsasl_ref(void);

/* libetpan's own buffers; a response longer than that is copied in pieces. */
enum { ETPAN_BUFFER = 16 * 1024 };

enum etpan_mode { ETPAN_GREETING, ETPAN_SASL };

struct imap_etpan {
	struct imap_session *session; /* borrowed */
	mailimap *imap;		      /* own */
	enum etpan_mode mode;
	unsigned tag;		  /* of the command that libetpan believes in */
	bool tagged;		  /* its tagged response has come */
	bool challenged;	  /* SASL: the server waits for our next words */
	struct imap_text pending; /* what libetpan has not read yet: the guard's, or `line` */
	char line[32];
	struct buf challenge; /* own; a continuation as passed on */
	int error;	      /* why a read failed */
};

static pthread_once_t etpan_once = PTHREAD_ONCE_INIT;

static void etpan_init_once(void)
{
	mailsasl_ref();
}

void imap_etpan_init(void)
{
	pthread_once(&etpan_once, etpan_init_once);
}

/* ------------------------------------------------------------ what libetpan gets to read */

static void etpan_show_line(struct imap_etpan *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void etpan_show_line(struct imap_etpan *e, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(e->line, sizeof(e->line), format, arguments);
	va_end(arguments);
	e->pending = (struct imap_text){ e->line, (size_t)n };
}

static int etpan_tagged(struct imap_etpan *e, const struct imap_response *response)
{
	static const char *const words[] = { "OK", "NO", "BAD" };
	char tag[16];

	snprintf(tag, sizeof(tag), "%u", e->tag);
	if (!imap_text_is(response->tag, tag))
		return imap_guard_fail(&e->session->guard, -EPROTO, "the server answered another command than the one it was sent");
	e->tagged = true;
	e->challenged = false;
	etpan_show_line(e, "%s %s done\r\n", tag, words[e->session->record.status]);
	return 0;
}

/* A SASL challenge is base64; anything else is shown as an empty one. */
static int etpan_challenge(struct imap_etpan *e, struct imap_text text)
{
	bool plain = true;

	for (size_t i = 0; i < text.len; i++)
		plain = plain && (isalnum((unsigned char)text.data[i]) || strchr("+/=", text.data[i]));
	buf_truncate(&e->challenge, 0);
	if (buf_append_str(&e->challenge, "+ ") < 0 || buf_append(&e->challenge, text.data, plain ? text.len : 0) < 0 ||
	    buf_append_str(&e->challenge, "\r\n") < 0)
		return -ENOMEM;
	e->challenged = true;
	e->pending = (struct imap_text){ e->challenge.data, e->challenge.len };
	return 0;
}

/* Takes the next response and, where libetpan may see it, makes it pending. */
static int etpan_take(struct imap_etpan *e)
{
	struct imap_response response;
	int r;

	if (e->mode == ETPAN_GREETING) {
		etpan_show_line(e, "* OK ready\r\n");
		return 0;
	}
	r = imap_guard_next(&e->session->guard, &response);
	if (r < 0)
		return r;
	imap_record_note(&e->session->record, &response);
	if (response.kind == RESPONSE_TAGGED)
		return etpan_tagged(e, &response);
	return response.kind == RESPONSE_CONTINUATION ? etpan_challenge(e, response.rest) : 0;
}

static ssize_t etpan_read(mailstream_low *low, void *data, size_t len)
{
	struct imap_etpan *e = low->data;
	size_t n;

	while (!e->pending.len && !e->error)
		e->error = etpan_take(e);
	if (e->error)
		return -1;
	n = e->pending.len < len ? e->pending.len : len;
	memcpy(data, e->pending.data, n);
	e->pending.data += n;
	e->pending.len -= n;
	return (ssize_t)n;
}

static ssize_t etpan_write(mailstream_low *low, const void *data, size_t len)
{
	struct imap_etpan *e = low->data;

	if (!e->error)
		e->error = imap_guard_write(&e->session->guard, data, len);
	return e->error ? -1 : (ssize_t)len;
}

static int etpan_close(mailstream_low *low)
{
	(void)low;
	return 0;
}

static int etpan_get_fd(mailstream_low *low)
{
	(void)low;
	return -1;
}

static void etpan_free_low(mailstream_low *low)
{
	free(low);
}

static mailstream_low_driver etpan_driver = {
	.mailstream_read = etpan_read,
	.mailstream_write = etpan_write,
	.mailstream_close = etpan_close,
	.mailstream_get_fd = etpan_get_fd,
	.mailstream_free = etpan_free_low,
};

/* ------------------------------------------------------------ its life */

static mailstream *etpan_stream(struct imap_etpan *e)
{
	mailstream_low *low = mailstream_low_new(e, &etpan_driver);
	mailstream *stream;

	if (!low)
		return NULL;
	stream = mailstream_new(low, ETPAN_BUFFER);
	if (!stream)
		mailstream_low_free(low);
	return stream;
}

int imap_etpan_new(struct imap_session *s, struct imap_etpan **ret)
{
	struct imap_etpan *e;
	mailstream *stream;

	imap_etpan_init();
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->session = s;
	e->imap = mailimap_new(0, NULL);
	stream = e->imap ? etpan_stream(e) : NULL;
	if (!stream) {
		imap_etpan_free(e);
		return -ENOMEM;
	}
	/* It needs to have read a greeting to know the stream as its own. */
	if (mailimap_connect(e->imap, stream) != MAILIMAP_NO_ERROR_NON_AUTHENTICATED) {
		imap_etpan_free(e);
		return -ENOMEM;
	}
	*ret = e;
	return 0;
}

void imap_etpan_free(struct imap_etpan *e)
{
	if (!e)
		return;
	if (e->imap) {
		/* Else it would say LOGOUT. */
		if (e->imap->imap_stream)
			mailstream_close(e->imap->imap_stream);
		e->imap->imap_stream = NULL;
		mailimap_free(e->imap);
	}
	buf_release(&e->challenge);
	free(e);
}

static void etpan_begin(struct imap_etpan *e, enum etpan_mode mode, unsigned tag)
{
	e->mode = mode;
	e->tag = tag;
	e->tagged = e->challenged = false;
	e->pending = (struct imap_text){ NULL, 0 };
}

/* ------------------------------------------------------------ SASL */

/* SASL did not like the server's words, and the server waits for ours: RFC 9051 section 6.2.2 has `*` for that. */
static int etpan_cancel(struct imap_etpan *e)
{
	struct imap_session *s = e->session;
	int r;

	if (imap_guard_write(&s->guard, "*\r\n", 3) < 0)
		return imap_session_lost(s);
	r = imap_command_await(s, e->tag, NULL, NULL);
	return r < 0 ? r : -EOPNOTSUPP;
}

int imap_etpan_authenticate(struct imap_etpan *e, const char *mechanism, const char *host, const char *user, const char *password)
{
	struct imap_session *s = e->session;
	unsigned tag = s->tag + 1;
	int r;

	etpan_begin(e, ETPAN_SASL, tag);
	e->imap->imap_state = MAILIMAP_STATE_NON_AUTHENTICATED;
	e->imap->imap_tag = (int)s->tag;
	r = mailimap_authenticate(e->imap, mechanism, host, NULL, NULL, "", user, password, "");
	s->tag = (unsigned)e->imap->imap_tag;
	if (e->error)
		return imap_session_lost(s);
	if (e->tagged)
		return 0;
	if (e->challenged)
		return etpan_cancel(e);
	if (r == MAILIMAP_ERROR_LOGIN && s->tag + 1 == tag)
		return -EOPNOTSUPP; /* nothing was sent */
	imap_guard_fail(&s->guard, -EPROTO, "%s went wrong (libetpan error %d)", mechanism, r);
	return imap_session_lost(s);
}

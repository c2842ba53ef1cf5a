/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_etpan.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include <libetpan/libetpan.h>

#include "backend/imap_command.h"
#include "backend/imap_shape.h"
#include "message/flags.h"

/* Not in an installed header, but exported: keeps Cyrus SASL initialised as long as one reference is held. */
void mailsasl_ref(void);

/* libetpan's own buffers; a response longer than that is copied in pieces. */
enum { ETPAN_BUFFER = 16 * 1024 };

/* libetpan keeps the text of all responses to a command until its tagged line: after so many it is shown one, and asked again. */
enum { ETPAN_CHUNK = 256 };

enum etpan_mode { ETPAN_GREETING, ETPAN_SASL, ETPAN_FETCH };

struct imap_etpan {
	struct imap_session *session; /* borrowed */
	mailimap *imap;		      /* own */
	enum etpan_mode mode;
	unsigned tag;		  /* of the command that libetpan believes in */
	bool tagged;		  /* its tagged response has come */
	bool challenged;	  /* SASL: the server waits for our next words */
	unsigned passed;	  /* FETCH responses since the last tagged line that libetpan was shown */
	struct imap_text pending; /* what libetpan has not read yet: the guard's, or `line` */
	char line[32];
	/* The outcome of a command that was finished before one sent earlier: servers may do both at once (RFC 9051 section 5.5). */
	struct {
		unsigned tag; /* 0: none */
		enum imap_status status;
		int error;
		struct buf text; /* own */
	} early;
	struct buf challenge; /* own; a continuation as passed on */
	int error;	      /* why a read failed */

	int (*each)(void *userdata, const struct imap_items *items);
	void *userdata;
	struct imap_shape shape; /* of the response that libetpan reads, without its body */
	bool body_diverted;
	struct buf raw_flags, last_raw, flags; /* own; `flags` is the canonical form of `last_raw` */
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

/* One command at most is sent ahead of the one whose results are read. */
static bool etpan_is_early(struct imap_etpan *e, const struct imap_response *response)
{
	const struct imap_record *record = &e->session->record;
	char tag[16];

	snprintf(tag, sizeof(tag), "%u", e->tag + 1);
	if (e->mode != ETPAN_FETCH || e->session->tag != e->tag + 1 || e->early.tag || !imap_text_is(response->tag, tag))
		return false;
	e->early.tag = e->session->tag;
	e->early.status = record->status;
	e->early.error = record->error;
	buf_truncate(&e->early.text, 0);
	return buf_append_str(&e->early.text, buf_str(&record->text)) == 0;
}

/* Whether the outcome of `tag` has come already; the record tells it again. */
static bool etpan_was_early(struct imap_etpan *e, unsigned tag)
{
	struct imap_record *record = &e->session->record;

	if (!tag || e->early.tag != tag)
		return false;
	e->early.tag = 0;
	record->status = e->early.status;
	record->error = e->early.error;
	buf_truncate(&record->text, 0);
	buf_append_str(&record->text, buf_str(&e->early.text));
	return true;
}

static int etpan_tagged(struct imap_etpan *e, const struct imap_response *response)
{
	static const char *const words[] = { "OK", "NO", "BAD" };
	char tag[16];

	if (etpan_is_early(e, response))
		return 0;
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

static int etpan_pass_fetch(struct imap_etpan *e, const struct imap_response *response)
{
	if (!imap_shape_read(&e->shape, response))
		return imap_guard_fail(&e->session->guard, -EPROTO, "the server described a message in a way that cannot be read");
	e->body_diverted = response->body_diverted;
	e->pending = (struct imap_text){ e->shape.lean.data, e->shape.lean.len };
	e->passed++;
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
	if (e->mode == ETPAN_FETCH && e->passed == ETPAN_CHUNK) {
		e->passed = 0;
		etpan_show_line(e, "%u OK more\r\n", e->tag);
		return 0;
	}
	r = imap_guard_next(&e->session->guard, &response);
	if (r < 0)
		return r;
	imap_record_note(&e->session->record, &response);
	switch (response.kind) {
	case RESPONSE_TAGGED:
		return etpan_tagged(e, &response);
	case RESPONSE_CONTINUATION:
		if (e->mode == ETPAN_SASL)
			return etpan_challenge(e, response.rest);
		return imap_guard_fail(&e->session->guard, -EPROTO, "the server waits for something that nobody announced");
	case RESPONSE_UNTAGGED:
		if (e->mode == ETPAN_FETCH && response.number && imap_text_is(response.word, "FETCH"))
			return etpan_pass_fetch(e, &response);
	}
	return 0;
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

static void etpan_progress(size_t current, size_t maximum, void *userdata)
{
	(void)current;
	(void)maximum;
	(void)userdata;
}

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
	buf_release(&e->early.text);
	imap_shape_release(&e->shape);
	buf_release(&e->challenge);
	buf_release(&e->raw_flags);
	buf_release(&e->last_raw);
	buf_release(&e->flags);
	free(e);
}

static void etpan_begin(struct imap_etpan *e, enum etpan_mode mode, unsigned tag)
{
	e->mode = mode;
	e->tag = tag;
	e->tagged = e->challenged = false;
	e->passed = 0;
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
	r = mailimap_authenticate(e->imap, mechanism, host, NULL, NULL, user, user, password, "");
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

/* ------------------------------------------------------------ FETCH */

/* NULL for \Recent and for system flags that we do not know. */
static const char *flag_word(const struct mailimap_flag_fetch *f)
{
	if (f->fl_type != MAILIMAP_FLAG_FETCH_OTHER || !f->fl_flag)
		return NULL;
	switch (f->fl_flag->fl_type) {
	case MAILIMAP_FLAG_ANSWERED:
		return "\\Answered";
	case MAILIMAP_FLAG_FLAGGED:
		return "\\Flagged";
	case MAILIMAP_FLAG_DELETED:
		return "\\Deleted";
	case MAILIMAP_FLAG_SEEN:
		return "\\Seen";
	case MAILIMAP_FLAG_DRAFT:
		return "\\Draft";
	case MAILIMAP_FLAG_KEYWORD:
		return f->fl_flag->fl_data.fl_keyword;
	default:
		return NULL;
	}
}

static int etpan_flags(struct imap_etpan *e, const struct mailimap_msg_att_dynamic *dynamic, struct imap_items *items)
{
	clistiter *at;
	int r;

	buf_truncate(&e->raw_flags, 0);
	for (at = dynamic->att_list ? clist_begin(dynamic->att_list) : NULL; at; at = clist_next(at)) {
		const char *word = flag_word(clist_content(at));

		if (!word)
			continue;
		r = buf_append_str(&e->raw_flags, word);
		if (r == 0)
			r = buf_append_char(&e->raw_flags, ' ');
		if (r < 0)
			return r;
	}
	/* Neighbours mostly have the same flags. */
	if (!e->last_raw.data || strcmp(buf_str(&e->raw_flags), e->last_raw.data)) {
		buf_truncate(&e->flags, 0);
		buf_truncate(&e->last_raw, 0);
		r = buf_append_str(&e->last_raw, buf_str(&e->raw_flags));
		if (r == 0)
			r = flags_canonical(buf_str(&e->raw_flags), &e->flags);
		if (r < 0)
			return r;
	}
	items->flags = buf_str(&e->flags);
	return 0;
}

static int64_t etpan_date(const struct mailimap_date_time *date)
{
	struct tm tm = {
		.tm_year = date->dt_year - 1900,
		.tm_mon = date->dt_month - 1,
		.tm_mday = date->dt_day,
		.tm_hour = date->dt_hour,
		.tm_min = date->dt_min,
		.tm_sec = date->dt_sec,
	};
	int zone = date->dt_zone;

	return timegm(&tm) - ((int64_t)(zone / 100) * 3600 + (int64_t)(zone % 100) * 60);
}

static void etpan_static_item(const struct mailimap_msg_att_static *item, struct imap_items *items)
{
	switch (item->att_type) {
	case MAILIMAP_MSG_ATT_UID:
		items->uid = item->att_data.att_uid;
		break;
	case MAILIMAP_MSG_ATT_RFC822_SIZE:
		items->has_size = true;
		items->size_bytes = item->att_data.att_rfc822_size;
		break;
	case MAILIMAP_MSG_ATT_INTERNALDATE:
		items->has_date = true;
		items->date_s = etpan_date(item->att_data.att_internal_date);
		break;
	}
}

static int etpan_items(struct imap_etpan *e, const struct mailimap_msg_att *message, struct imap_items *items)
{
	clistiter *at;
	int r = 0;

	for (at = clist_begin(message->att_list); at && r == 0; at = clist_next(at)) {
		const struct mailimap_msg_att_item *item = clist_content(at);

		if (item->att_type == MAILIMAP_MSG_ATT_ITEM_STATIC)
			etpan_static_item(item->att_data.att_static, items);
		else if (item->att_type == MAILIMAP_MSG_ATT_ITEM_DYNAMIC)
			r = etpan_flags(e, item->att_data.att_dyn, items);
	}
	return r;
}

static void etpan_message(struct mailimap_msg_att *message, void *userdata)
{
	struct imap_etpan *e = userdata;
	struct imap_items items = {
		.has_body = e->shape.has_body,
		.body = e->shape.body,
		.body_diverted = e->body_diverted,
	};
	int r;

	if (e->error)
		return;
	r = etpan_items(e, message, &items);
	if (r == 0)
		r = e->each(e->userdata, &items);
	if (r < 0)
		e->error = imap_guard_fail(&e->session->guard, r, "%s", strerror(-r));
}

int imap_etpan_fetch(struct imap_etpan *e, unsigned tag, int (*each)(void *userdata, const struct imap_items *items),
		     void *userdata)
{
	struct mailimap_response *response;
	int r;

	if (etpan_was_early(e, tag))
		return 0;
	etpan_begin(e, ETPAN_FETCH, tag);
	e->each = each;
	e->userdata = userdata;
	e->imap->imap_tag = (int)tag;
	/* Without a progress callback the handler would never be called. */
	mailimap_set_progress_callback(e->imap, etpan_progress, etpan_progress, NULL);
	mailimap_set_msg_att_handler(e->imap, etpan_message, e);
	while (!e->tagged && !e->error) {
		response = NULL;
		r = mailimap_read_line(e->imap) ? mailimap_parse_response(e->imap, &response) : MAILIMAP_ERROR_STREAM;
		if (response)
			mailimap_response_free(response);
		if (r != MAILIMAP_NO_ERROR && !e->tagged && !e->error)
			e->error = imap_guard_fail(&e->session->guard, -EPROTO,
						   "the server described a message in a way that cannot be read");
	}
	mailimap_set_msg_att_handler(e->imap, NULL, NULL);
	mailimap_set_progress_callback(e->imap, NULL, NULL, NULL);
	return e->error ? imap_session_lost(e->session) : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/bounce.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "message/charset.h"
#include "message/date.h"
#include "message/header.h"
#include "outbox/entry.h"
#include "outbox/sender.h"
#include "outbox/verdict.h"

enum { HEADER_MAX_BYTES = 64 * 1024, LINE_WIDTH = 72, WORD_MAX = 900, STATUS_SIZE = 16 };

static const char given_up[] = "given up";

bool bounce_is_due(const struct entry *e)
{
	bool is_over = e->record.state == OUTBOX_FAILED_STATE || e->record.state == OUTBOX_UNCERTAIN;

	return e->record.is_bounce_due && is_over && !e->is_bouncing;
}

/* ------------------------------------------------------------ its text */

/* A server's words, or a name, may hold anything: what is not printable ASCII becomes `?`. Broken at spaces, each further line begun with `indent`. */
static int append_wrapped(struct buf *out, const char *text, const char *indent)
{
	size_t column = strlen(indent);
	int r = 0;

	while (*text && !r) {
		size_t word = strcspn(text, " ");

		word = word > WORD_MAX ? WORD_MAX : word;
		if (column + word > LINE_WIDTH && column > strlen(indent)) {
			r = buf_printf(out, "\r\n%s", indent);
			column = strlen(indent);
		}
		for (size_t i = 0; i < word && !r; i++)
			r = buf_append_char(out, isprint((unsigned char)text[i]) ? text[i] : '?');
		column += word + 1;
		text += word;
		if (*text == ' ' && !r)
			r = buf_append_char(out, *text++);
	}
	return r;
}

/* Text that may stand as it is in UTF-8. */
static bool is_plain(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return charset_is_utf8(text, strlen(text));
}

static const char *words_for(const struct record *r, size_t i)
{
	return i < r->refusals.n ? r->refusals.items[i] : "";
}

static bool is_reply(const char *words)
{
	return (words[0] == '4' || words[0] == '5') && isdigit((unsigned char)words[1]) && isdigit((unsigned char)words[2]) &&
	       (words[3] == ' ' || !words[3]);
}

/* RFC 3463: the reply's own enhanced code, else what its first digit says; 4.4.7 when the time was over. */
static void find_status(const char *words, char status[STATUS_SIZE])
{
	unsigned class, subject, detail;

	if (is_reply(words) && sscanf(words + 3, " %1u.%3u.%3u", &class, &subject, &detail) == 3 && (class == 4 || class == 5))
		snprintf(status, STATUS_SIZE, "%u.%u.%u", class, subject, detail);
	else
		snprintf(status, STATUS_SIZE, "%s", strncmp(words, given_up, strlen(given_up)) ? "5.0.0" : "4.4.7");
}

static bool is_international(const struct record *r)
{
	return !string_list_is_ascii(&r->refused) || !charset_is_ascii(r->sender, strlen(r->sender));
}

static int append_header(const struct record *r, const char *message_id, const char *date, const char *boundary, struct buf *out)
{
	return buf_printf(out,
			  "Return-Path: <>\r\n"
			  "From: mailfs <mailer-daemon@localhost>\r\n"
			  "To: <%s>\r\n"
			  "Subject: Undelivered Mail Returned to Sender\r\n"
			  "Date: %s\r\n"
			  "Message-ID: %s\r\n"
			  "In-Reply-To: %s\r\n"
			  "References: %s\r\n"
			  "Auto-Submitted: auto-replied\r\n"
			  "MIME-Version: 1.0\r\n"
			  "Content-Type: multipart/report; report-type=%s;\r\n"
			  " boundary=\"%s\"\r\n"
			  "\r\n",
			  r->sender, date, message_id, r->message_id, r->message_id,
			  is_international(r) ? "global-delivery-status" : "delivery-status", boundary);
}

static int append_words(const struct record *r, const char *boundary, struct buf *out)
{
	int e = buf_printf(out,
			   "--%s\r\n"
			   "Content-Type: text/plain; charset=utf-8\r\n"
			   "Content-Transfer-Encoding: 8bit\r\n"
			   "\r\n"
			   "Your message was not sent to these recipients:\r\n",
			   boundary);

	for (size_t i = 0; i < r->refused.n && !e; i++) {
		e = buf_printf(out, "\r\n  <%s>\r\n    ", r->refused.items[i]);
		if (!e)
			e = append_wrapped(out, words_for(r, i), "    ");
		if (!e)
			e = buf_append_str(out, "\r\n");
	}
	if (!e)
		e = buf_append_str(out, "\r\nIt is kept as outbox/failed/");
	if (!e)
		e = is_plain(r->name) ? buf_append_str(out, r->name) : append_wrapped(out, r->name, "");
	return e ? e
		 : buf_append_str(out, ".\r\n"
				       "Moved back to outbox/ it is sent to them once more; removing it gives it up.\r\n\r\n");
}

/* RFC 3464 2.3; RFC 6533 for addresses that are not ASCII. */
static int append_recipient(const char *address, const char *words, const char *server, const char *date, struct buf *out)
{
	char status[STATUS_SIZE];
	int r;

	find_status(words, status);
	r = buf_printf(out, "\r\nFinal-Recipient: %s; %s\r\nAction: failed\r\nStatus: %s\r\n",
		       charset_is_ascii(address, strlen(address)) ? "rfc822" : "utf-8", address, status);
	if (!r && is_reply(words))
		r = buf_printf(out, "Remote-MTA: dns; %s\r\n", server);
	if (!r)
		r = buf_printf(out, "Diagnostic-Code: %s; ", is_reply(words) ? "smtp" : "x-mailfs");
	if (!r)
		r = append_wrapped(out, words, " ");
	return r ? r : buf_printf(out, "\r\nLast-Attempt-Date: %s\r\n", date);
}

static int append_status(const struct record *r, const char *server, const char *date, const char *boundary, struct buf *out)
{
	char arrival[DATE_RFC5322_SIZE];
	int e;

	date_format_rfc5322(r->date_s, arrival);
	e = buf_printf(out,
		       "--%s\r\n"
		       "Content-Type: message/%s\r\n"
		       "%s"
		       "\r\n"
		       "Reporting-MTA: x-local; mailfs\r\n"
		       "Arrival-Date: %s\r\n",
		       boundary, is_international(r) ? "global-delivery-status" : "delivery-status",
		       is_international(r) ? "Content-Transfer-Encoding: 8bit\r\n" : "", arrival);
	for (size_t i = 0; i < r->refused.n && !e; i++)
		e = append_recipient(r->refused.items[i], words_for(r, i), server, date, out);
	return e;
}

int bounce_format(const struct record *r, const char *message_id, const char *server, int64_t date_s, const struct buf *header,
		  struct buf *out)
{
	char date[DATE_RFC5322_SIZE], boundary[64];
	int e;

	date_format_rfc5322(date_s, date);
	snprintf(boundary, sizeof boundary, "=_mailfs-report-%" PRId64, r->date_s);
	e = append_header(r, message_id, date, boundary, out);
	if (!e)
		e = append_words(r, boundary, out);
	if (!e)
		e = append_status(r, server, date, boundary, out);
	if (!e)
		e = buf_printf(out,
			       "\r\n--%s\r\n"
			       "Content-Type: %s\r\n"
			       "Content-Transfer-Encoding: 8bit\r\n"
			       "\r\n",
			       boundary, is_international(r) ? "message/global-headers" : "text/rfc822-headers; charset=utf-8");
	if (!e)
		e = buf_append(out, header->data, header->len);
	return e ? e : buf_printf(out, "\r\n--%s--\r\n", boundary);
}

/* ------------------------------------------------------------ its way into the inbox */

/* Stable over a crash, and another one when the message is tried and refused again. */
static int make_message_id(const struct entry *e, struct buf *out)
{
	const char *at = strrchr(e->record.sender, '@');

	return buf_printf(out, "<mailfs-report.%" PRId64 ".%" PRId64 ".%d%s>", e->record.date_s, e->id, e->record.attempts,
			  at ? at : "@localhost");
}

/* The header as it was sent, without Bcc; of one that is beyond reason what fits, of a message that makes no sense nothing. */
static int read_header(struct outbox *o, struct entry *e, struct buf *out)
{
	const struct prepare_options options = {
		.own = o->own, .message_id = e->record.message_id, .date_s = e->record.date_s, .takes_eightbit = true
	};
	CLEANUP(survey) struct survey s = { .header = BUF_INIT };
	CLEANUP(buf) struct buf why = BUF_INIT;
	CLEANUP(fd) int fd = -1;
	int r = entry_open_message(o->dirfd, e->id, O_RDONLY, &fd);

	if (!r)
		r = survey_message(fd, &s, &why);
	if (!r)
		r = prepare_header(&s, &options, PART_AS_IS, out, &why);
	if (out->len > HEADER_MAX_BYTES)
		buf_truncate(out, header_length(out->data, HEADER_MAX_BYTES));
	return r == -EINVAL ? 0 : r;
}

static int make(struct outbox *o, struct entry *e, const struct buf *message_id, int *ret_fd, int64_t *ret_size_bytes)
{
	CLEANUP(buf) struct buf header = BUF_INIT, text = BUF_INIT;
	CLEANUP(fd) int fd = -1;
	int r = read_header(o, e, &header);

	if (!r)
		r = bounce_format(&e->record, buf_str(message_id), o->options.configuration->smtp.host, clock_realtime_s(), &header,
				  &text);
	if (!r)
		r = entry_temporary(o->dirfd, e->id, &fd);
	if (r < 0)
		return r;
	if (write(fd, text.data, text.len) != (ssize_t)text.len)
		return -ENOSPC;
	*ret_size_bytes = (int64_t)text.len;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Claimed again. An account that files nothing has no inbox for it. */
static void note_outcome(struct outbox *o, struct entry *e, int result)
{
	if (result == 0 || result == -EOPNOTSUPP) {
		e->record.is_bounce_due = false;
		queue_save(o, e);
		fault_point("bounce: recorded");
		return;
	}
	if (e->record.failures++ == 0)
		log_warning("outbox: filing the notice on %s is tried again: %s", e->record.name, strerror(-result));
	e->record.next_s = clock_realtime_s() + verdict_wait_s(e->record.failures);
}

/* `attempts` tells it from the notice of another refusal. */
static void end(struct outbox *o, int64_t id, int attempts, int result)
{
	int busy;
	struct entry *e = queue_claim(o, id, CLAIM_CHANGE, &busy), *still_there;

	/* Claimed first: nobody else begins to file it between the two. */
	pthread_mutex_lock(&o->lock);
	still_there = queue_find(o, id);
	if (still_there)
		still_there->is_bouncing = false;
	pthread_mutex_unlock(&o->lock);
	if (!e)
		return; /* removed, or queued again: then nothing is due any more */
	if (bounce_is_due(e) && e->record.attempts == attempts)
		note_outcome(o, e, result);
	queue_release(o, e);
}

void bounce_file(struct outbox *o, struct entry *e)
{
	CLEANUP(buf) struct buf message_id = BUF_INIT;
	CLEANUP(fd) int fd = -1;
	int64_t id = e->id, size_bytes = 0;
	int attempts = e->record.attempts;
	int r = make_message_id(e, &message_id);

	if (!r)
		r = make(o, e, &message_id, &fd, &size_bytes);
	pthread_mutex_lock(&o->lock);
	e->is_bouncing = true;
	pthread_mutex_unlock(&o->lock);
	queue_release(o, e);
	fault_point("bounce: before it is filed");
	if (!r)
		r = o->options.file_bounce(o->options.userdata, fd, size_bytes, buf_str(&message_id), clock_realtime_s());
	fault_point("bounce: filed");
	end(o, id, attempts, r);
}

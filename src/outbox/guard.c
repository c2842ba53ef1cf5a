/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a message may be sent, judged when its writer closes it: it is one, it has recipients, it is one's own, and it was not sent before.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "outbox/entry.h"
#include "outbox/envelope.h"
#include "outbox/guard.h"
#include "outbox/prepare.h"

enum { SENT_RECORD_DAYS = 30 };

static int refuse(struct buf *why, int error, const char *what)
{
	int r = buf_append_str(why, what);

	return r < 0 ? r : error;
}

/* Whatever would stop it at the server's door anyway: better known now, while somebody listens. */
static int judge_form(struct outbox *o, const struct entry *e, int fd, const struct survey *s, struct buf *why)
{
	const struct prepare_options options = { .own = o->own, .message_id = "<>", .takes_eightbit = true };
	CLEANUP(buf) struct buf header = BUF_INIT;
	CLEANUP(parts) struct parts parts = { .list = NULL };
	struct stat st;
	int r = parts_plan(fd, s, true, &parts, why);

	if (!r)
		r = prepare_header(s, &options, parts_encoding(&parts, 0), &header, why);
	if (!r)
		r = entry_stat_message(o->dirfd, e->id, &st);
	if (r < 0 || o->size_max_bytes <= 0 || st.st_size <= o->size_max_bytes)
		return r;
	r = buf_printf(why, "it has %" PRId64 " bytes, and the server takes %" PRId64 " at most", (int64_t)st.st_size,
		       o->size_max_bytes);
	return r < 0 ? r : -EFBIG;
}

/* Entries first, the database second: an entry's key is in the database before the entry goes. */
static int judge_novelty(struct outbox *o, struct entry *e, const char *message_id, bool is_exempt, bool may_ask, struct buf *why)
{
	static const char sent_before[] =
		"this Message-ID was sent to these recipients before; setfattr -n user.mail.force -v 1 sends it all the same";
	CLEANUP(buf) struct buf key = BUF_INIT;
	int64_t since_s = clock_realtime_s() - (int64_t)SENT_RECORD_DAYS * 86400;
	int r = envelope_key(message_id, &e->record.recipients, &key);

	if (!r)
		r = queue_take_key(o, e, buf_str(&key), is_exempt);
	if (!r && !is_exempt)
		r = state_sent_has(o->options.state, buf_str(&key), since_s);
	if (r == -EEXIST || r > 0)
		return refuse(why, -EEXIST, sent_before);
	if (r < 0)
		return r;
	e->record.is_unchecked = !is_exempt && o->options.sent_contains;
	if (!e->record.is_unchecked || !may_ask)
		return 0;
	r = o->options.sent_contains(o->options.userdata, record_id_field(&e->record), message_id);
	if (r > 0)
		return refuse(why, -EEXIST,
			      "this Message-ID is in the sent folder; setfattr -n user.mail.force -v 1 sends it all the same");
	/* Out of reach: the sender asks again before it sends. */
	e->record.is_unchecked = r < 0;
	return 0;
}

/* The envelope and what its message is given go into the record. */
static int fill_record(struct outbox *o, struct entry *e, struct envelope *envelope, bool is_repeat)
{
	CLEANUP(buf) struct buf message_id = BUF_INIT;
	struct record *record = &e->record;
	int r = 0;

	if (!envelope->message_id && !record->message_id)
		r = envelope_new_message_id(envelope->sender, &message_id);
	pthread_mutex_lock(&o->lock);
	if (!r && envelope->message_id)
		r = record_set(&record->message_id, envelope->message_id);
	else if (!r && message_id.len)
		r = record_set(&record->message_id, message_id.data);
	if (!r)
		r = record_set(&record->sender, envelope->sender);
	if (!r) {
		string_list_release(&record->refused);
		string_list_release(&record->refusals);
		record->is_bounce_due = false;
		string_list_release(&record->recipients);
		record->recipients = envelope->recipients;
		envelope->recipients = (struct string_list){ NULL, 0 };
		record->is_resent = envelope->is_resent;
		record->is_repeat = is_repeat;
		record->date_s = clock_realtime_s();
		record->failures = 0;
		/* Due, it is for those who took the message before: it is filed first. */
		if (record->copy != RECORD_COPY_DUE)
			record->copy = RECORD_COPY_NONE;
	}
	pthread_mutex_unlock(&o->lock);
	return r;
}

int guard_judge(struct outbox *o, struct entry *e, bool may_ask, bool is_retry, struct buf *why)
{
	CLEANUP(envelope) struct envelope envelope = { .sender = NULL };
	CLEANUP(survey) struct survey s = { .header = BUF_INIT };
	CLEANUP(fd) int fd = -1;
	bool is_repeat = is_retry || e->record.is_forced, is_exempt;
	int r = entry_open_message(o->dirfd, e->id, O_RDONLY, &fd);

	if (!r)
		r = survey_message(fd, &s, why);
	if (!r)
		r = envelope_read(&s.header, o->own, e->record.rcpt, e->record.is_forced, &envelope, why);
	if (!r)
		r = judge_form(o, e, fd, &s, why);
	if (r < 0)
		return r;
	/* A Message-ID that is made here is new by itself. */
	is_exempt = is_repeat || !envelope.message_id;
	r = fill_record(o, e, &envelope, is_repeat);
	return r < 0 ? r : judge_novelty(o, e, e->record.message_id, is_exempt, may_ask, why);
}

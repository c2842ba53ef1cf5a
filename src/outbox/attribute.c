/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a file of the outbox has besides bytes and name: times, mode, extended attributes, its line in the status.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "outbox/dsn.h"
#include "outbox/entry.h"
#include "outbox/sender.h"

/* Those that a commit takes in are its own from then on. */
static bool is_settable(const struct entry *e)
{
	return e->record.state == OUTBOX_WRITING || e->record.state == OUTBOX_SCRATCH || e->record.state == OUTBOX_FAILED_STATE ||
	       e->record.state == OUTBOX_UNCERTAIN;
}

int outbox_set_times(struct outbox *o, int64_t id, const struct timespec *mtime)
{
	int r;

	pthread_mutex_lock(&o->lock);
	r = queue_find(o, id) ? entry_set_times(o->dirfd, id, mtime) : -ENOENT;
	pthread_mutex_unlock(&o->lock);
	return r;
}

/* Written down with the next change: who loses a mode to a crash loses nothing. */
int outbox_set_mode(struct outbox *o, int64_t id, mode_t mode)
{
	struct entry *e;

	pthread_mutex_lock(&o->lock);
	e = queue_find(o, id);
	if (e)
		e->record.mode = mode & 07777;
	pthread_mutex_unlock(&o->lock);
	return e ? 0 : -ENOENT;
}

/* Nothing is promised: what another one's attempt finds out about the server may change it. */
static int append_next(const struct outbox *o, const struct entry *e, struct buf *out)
{
	int64_t next_s = e->record.next_s;

	if (!sender_waits(e) || e->is_sending)
		return -ENODATA;
	if (next_s < o->sender.not_before_s)
		next_s = o->sender.not_before_s;
	return buf_printf(out, "%" PRId64, next_s);
}

static int append_attribute(const struct outbox *o, const struct entry *e, const char *name, struct buf *out)
{
	const struct record *r = &e->record;
	const char *text = NULL;

	if (!strcmp(name, "next"))
		return append_next(o, e, out);
	if (!strcmp(name, "state"))
		text = outbox_state_name(queue_state(e));
	else if (!strcmp(name, "error"))
		text = r->error;
	else if (!strcmp(name, "rcpt"))
		text = r->rcpt;
	else if (!strcmp(name, "dsn"))
		text = r->dsn;
	else if (!strcmp(name, "force"))
		text = r->is_forced ? "1" : NULL;
	else if (!strcmp(name, "message-id"))
		text = r->message_id;
	return text ? buf_append_str(out, text) : -ENODATA;
}

int outbox_get_attribute(struct outbox *o, int64_t id, const char *name, struct buf *out)
{
	const struct entry *e;
	int r;

	pthread_mutex_lock(&o->lock);
	e = queue_find(o, id);
	r = e ? append_attribute(o, e, name, out) : -ENOENT;
	pthread_mutex_unlock(&o->lock);
	return r;
}

static int set(struct outbox *o, struct entry *e, const char *name, const char *value)
{
	int r = 0;

	pthread_mutex_lock(&o->lock);
	if (!strcmp(name, "rcpt"))
		r = record_set(&e->record.rcpt, *value ? value : NULL);
	else if (!strcmp(name, "dsn"))
		r = record_set(&e->record.dsn, *value ? value : NULL);
	else
		e->record.is_forced = *value && strcmp(value, "0");
	pthread_mutex_unlock(&o->lock);
	/* On disk, since without it a scratch file might go to others than it was meant for. */
	return r < 0 ? r : entry_save(o->dirfd, e->id, &e->record);
}

/* What waits is due now, and so is the server. Not on disk: after a crash it waits as before. */
static int hurry(struct outbox *o, int64_t id)
{
	struct entry *e;
	bool waits;
	int r;

	e = queue_claim(o, id, CLAIM_CHANGE, &r);
	if (!e)
		return r;
	waits = sender_waits(e);
	if (waits) {
		pthread_mutex_lock(&o->lock);
		e->record.next_s = clock_realtime_s();
		pthread_mutex_unlock(&o->lock);
	}
	queue_release(o, e);
	if (!waits)
		return -EINVAL;
	outbox_wake(o);
	return 0;
}

static bool is_acceptable(const char *name, const struct buf *value)
{
	struct dsn dsn;

	if (value->len && memchr(value->data, '\0', value->len))
		return false;
	return strcmp(name, "dsn") || !value->len || dsn_parse(value->data, &dsn) == 0;
}

int outbox_set_attribute(struct outbox *o, int64_t id, const char *name, const char *value, size_t len)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct entry *e;
	int r;

	if (!strcmp(name, "state") || !strcmp(name, "error"))
		return -EPERM;
	if (!strcmp(name, "retry"))
		return hurry(o, id);
	/* What a message's copy carries along: uid, flags and the like. */
	if (strcmp(name, "rcpt") && strcmp(name, "dsn") && strcmp(name, "force"))
		return 0;
	r = buf_append(&text, value, len);
	if (r < 0)
		return r;
	if (!is_acceptable(name, &text))
		return -EINVAL;
	e = queue_claim(o, id, CLAIM_CHANGE, &r);
	if (!e)
		return r;
	r = is_settable(e) ? set(o, e, name, buf_str(&text)) : -EBUSY;
	queue_release(o, e);
	return r;
}

static json_t *describe(struct outbox *o, const struct entry *e)
{
	struct outbox_entry shown;
	json_t *json = json_object();

	queue_describe_entry(o, e, &shown);
	json_object_set_new(json, "name", json_string(shown.name) ?: json_string_nocheck("?"));
	json_object_set_new(json, "state", json_string(outbox_state_name(shown.state)));
	json_object_set_new(json, "size", json_integer(shown.size_bytes));
	if (e->record.error)
		json_object_set_new(json, "error", json_string(e->record.error) ?: json_string("not valid UTF-8"));
	return json;
}

int outbox_describe(struct outbox *o, struct buf *out)
{
	json_t *list = json_array();
	char *text;
	int r;

	if (!list)
		return -ENOMEM;
	pthread_mutex_lock(&o->lock);
	for (const struct entry *e = o->first; e; e = e->next)
		if (queue_is_listed(e))
			json_array_append_new(list, describe(o, e));
	pthread_mutex_unlock(&o->lock);
	text = json_dumps(list, JSON_COMPACT);
	r = text ? buf_append_str(out, text) : -ENOMEM;
	free(text);
	json_decref(list);
	return r;
}

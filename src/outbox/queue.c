/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "outbox/entry.h"
#include "outbox/name.h"
#include "store/durable.h"

enum { IDS_AT_A_TIME = 1000, HURRIED_WAIT_S = 60 };

static const char next_id_file[] = "next-id";

/* The keys of one account: what its user is called, where that is an address. */
static const char *own_addresses(const struct configuration *c)
{
	if (c->from)
		return c->from;
	if (c->smtp.user && strchr(c->smtp.user, '@'))
		return c->smtp.user;
	return c->imap.user && strchr(c->imap.user, '@') ? c->imap.user : NULL;
}

static void init_conditions(struct outbox *o)
{
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->claims, NULL);
	pthread_cond_init(&o->commits, NULL);
	pthread_cond_init(&o->work, NULL);
}

static int open_directory(const char *state_dir, int *ret_fd)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	int fd, r = buf_printf(&path, "%s/outbox", state_dir);

	if (!r)
		r = directory_make(buf_str(&path));
	if (r < 0)
		return r;
	fd = open(buf_str(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int make_submitters(struct outbox *o, const struct configuration *c)
{
	o->n_submitters = c->connections > 1 ? (size_t)c->connections : 1;
	o->submitters = calloc(o->n_submitters, sizeof *o->submitters);
	if (c->rate_limit)
		o->sender.started_ms = calloc((size_t)c->rate_limit, sizeof *o->sender.started_ms);
	if (!o->submitters || (c->rate_limit && !o->sender.started_ms))
		return -ENOMEM;
	for (size_t i = 0; i < o->n_submitters; i++)
		o->submitters[i].o = o;
	return 0;
}

int queue_open(const char *state_dir, const struct outbox_options *options, const struct submission_ops *submission,
	       struct outbox **ret)
{
	struct outbox *o = calloc(1, sizeof *o);
	int r;

	if (!o)
		return -ENOMEM;
	o->dirfd = -1;
	o->options = *options;
	o->own = own_addresses(options->configuration);
	o->submission = submission;
	init_conditions(o);
	r = cancel_init(&o->cancel);
	if (!r)
		r = make_submitters(o, options->configuration);
	if (!r)
		r = open_directory(state_dir, &o->dirfd);
	if (!r)
		r = queue_recover(o);
	if (r < 0) {
		queue_free(o);
		return r;
	}
	*ret = o;
	return 0;
}

static void entry_free(struct entry *e)
{
	record_release(&e->record);
	free(e);
}

void queue_free(struct outbox *o)
{
	while (o->first) {
		struct entry *e = o->first;

		o->first = e->next;
		entry_free(e);
	}
	if (o->dirfd >= 0)
		close(o->dirfd);
	cancel_release(&o->cancel);
	free(o->submitters);
	free(o->sender.started_ms);
	pthread_cond_destroy(&o->work);
	pthread_cond_destroy(&o->commits);
	pthread_cond_destroy(&o->claims);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

struct entry *queue_find(const struct outbox *o, int64_t id)
{
	struct entry *e;

	for (e = o->first; e && e->id < id; e = e->next)
		;
	return e && e->id == id ? e : NULL;
}

bool queue_is_listed(const struct entry *e)
{
	return e->record.state != OUTBOX_SENT;
}

struct entry *queue_find_name(struct outbox *o, enum outbox_place place, const char *name)
{
	for (struct entry *e = o->first; e; e = e->next)
		if (e->record.place == place && queue_is_listed(e) && !strcmp(e->record.name, name))
			return e;
	return NULL;
}

void queue_add(struct outbox *o, struct entry *e)
{
	struct entry **at = &o->first;

	while (*at && (*at)->id < e->id)
		at = &(*at)->next;
	e->next = *at;
	*at = e;
}

/* Reserved on disk by the thousand, so that an id is never used twice, not even after its entry is gone. */
int queue_new_id(struct outbox *o, int64_t *ret_id)
{
	char text[32];
	int r;

	if (o->next_id >= o->reserved_id) {
		snprintf(text, sizeof text, "%" PRId64 "\n", o->next_id + IDS_AT_A_TIME);
		r = durable_write(o->dirfd, next_id_file, text, strlen(text));
		if (r < 0)
			return r;
		o->reserved_id = o->next_id + IDS_AT_A_TIME;
	}
	*ret_id = o->next_id++;
	return 0;
}

struct entry *queue_claim(struct outbox *o, int64_t id, enum entry_claim claim, int *ret_error)
{
	struct entry *e;

	pthread_mutex_lock(&o->lock);
	while ((e = queue_find(o, id)) && e->claim == CLAIM_CHANGE)
		pthread_cond_wait(&o->claims, &o->lock);
	*ret_error = 0;
	if (!e || (!queue_is_listed(e) && claim != CLAIM_SEND))
		*ret_error = -ENOENT;
	else if (e->claim != CLAIM_NONE)
		*ret_error = -EBUSY;
	else
		e->claim = claim;
	pthread_mutex_unlock(&o->lock);
	return *ret_error ? NULL : e;
}

void queue_release(struct outbox *o, struct entry *e)
{
	pthread_mutex_lock(&o->lock);
	e->claim = CLAIM_NONE;
	pthread_cond_broadcast(&o->claims);
	pthread_mutex_unlock(&o->lock);
}

void queue_show(struct outbox *o, struct entry *e)
{
	pthread_mutex_lock(&o->lock);
	e->claim = CLAIM_CHANGE;
	pthread_mutex_unlock(&o->lock);
	queue_announce(o, e);
}

static void call_changed(struct outbox *o, const struct outbox_entry *e, bool is_gone)
{
	if (o->options.changed)
		o->options.changed(o->options.userdata, e, is_gone);
}

void queue_forget(struct outbox *o, struct entry *e)
{
	struct entry **at = &o->first;

	pthread_mutex_lock(&o->lock);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	pthread_cond_broadcast(&o->claims);
	pthread_mutex_unlock(&o->lock);
	entry_free(e);
}

bool queue_is_stopping(struct outbox *o)
{
	bool is_stopping;

	pthread_mutex_lock(&o->lock);
	is_stopping = o->is_stopping;
	pthread_mutex_unlock(&o->lock);
	return is_stopping;
}

int queue_remove(struct outbox *o, struct entry *e)
{
	struct outbox_entry gone = { .id = e->id, .place = e->shown_place, .state = e->record.state };
	bool was_shown = e->is_shown;
	int r = entry_remove(o->dirfd, e->id);

	if (r < 0 && r != -ENOENT)
		return r;
	memcpy(gone.name, e->shown_name, sizeof gone.name);
	queue_forget(o, e);
	if (was_shown)
		call_changed(o, &gone, true);
	return 0;
}

enum outbox_state queue_state(const struct entry *e)
{
	/* A commit shows when it is on disk: a state other than WRITING is a promise. */
	if (e->claim == CLAIM_COMMIT && e->record.state != OUTBOX_WRITING)
		return e->shown_state;
	return e->is_sending ? OUTBOX_SENDING : e->record.state;
}

void queue_describe_entry(struct outbox *o, const struct entry *e, struct outbox_entry *ret)
{
	struct stat st = { .st_size = 0 };

	entry_stat_message(o->dirfd, e->id, &st);
	*ret = (struct outbox_entry){ .id = e->id,
				      .place = e->record.place,
				      .state = queue_state(e),
				      .size_bytes = st.st_size,
				      .mtime = st.st_mtim,
				      .mode = e->record.mode };
	memcpy(ret->name, e->record.name, sizeof ret->name);
}

void queue_move(struct outbox *o, struct entry *e, enum outbox_place place, const char *name)
{
	char free_name[NAME_MAX + 1];
	const struct entry *other;
	unsigned n = 0;

	pthread_mutex_lock(&o->lock);
	do {
		name_alternative(name, ++n, free_name);
		other = queue_find_name(o, place, free_name);
	} while (other && other != e);
	memcpy(e->record.name, free_name, sizeof free_name);
	e->record.place = place;
	pthread_mutex_unlock(&o->lock);
}

void queue_set_state(struct outbox *o, struct entry *e, enum outbox_state state)
{
	pthread_mutex_lock(&o->lock);
	e->record.state = state;
	e->is_sending = false;
	pthread_mutex_unlock(&o->lock);
}

void queue_set_error(struct outbox *o, struct entry *e, const char *text)
{
	pthread_mutex_lock(&o->lock);
	record_set(&e->record.error, text);
	pthread_mutex_unlock(&o->lock);
}

void queue_fail(struct outbox *o, struct entry *e, enum outbox_state state, const char *why)
{
	char name[NAME_MAX + 1];

	memcpy(name, e->record.name, sizeof name);
	queue_set_error(o, e, why);
	queue_move(o, e, OUTBOX_FAILED, name);
	queue_set_state(o, e, state);
	/* The words may name recipients, so they stay out of the log. */
	log_warning("outbox: %s %s: see user.mail.error of failed/%s", name,
		    state == OUTBOX_UNCERTAIN ? "may have been sent" : "was not sent", e->record.name);
}

int queue_set_rcpt(struct outbox *o, struct entry *e, const struct string_list *recipients)
{
	CLEANUP(buf) struct buf rcpt = BUF_INIT;
	int r = string_list_join(recipients, ", ", &rcpt);

	if (r < 0)
		return r;
	pthread_mutex_lock(&o->lock);
	r = record_set(&e->record.rcpt, buf_str(&rcpt));
	pthread_mutex_unlock(&o->lock);
	return r;
}

/* Under the lock. An entry's directory stays where it is when its name changes: the time is for outbox_mtime(). */
static void remember_shown(struct outbox *o, struct entry *e)
{
	if (e->is_shown && (e->shown_place != e->record.place || strcmp(e->shown_name, e->record.name)))
		futimens(o->dirfd, NULL);
	memcpy(e->shown_name, e->record.name, sizeof e->shown_name);
	e->shown_place = e->record.place;
	e->shown_state = queue_state(e);
	e->is_shown = queue_is_listed(e);
}

void queue_note(struct outbox *o, struct entry *e)
{
	pthread_mutex_lock(&o->lock);
	remember_shown(o, e);
	pthread_mutex_unlock(&o->lock);
}

void queue_announce(struct outbox *o, struct entry *e)
{
	struct outbox_entry before = { .id = e->id }, now;
	bool is_other_name, is_changed, was_shown;

	pthread_mutex_lock(&o->lock);
	queue_describe_entry(o, e, &now);
	was_shown = e->is_shown;
	before.place = e->shown_place;
	before.state = now.state;
	memcpy(before.name, e->shown_name, sizeof before.name);
	is_other_name = before.place != now.place || strcmp(before.name, now.name);
	is_changed = is_other_name || e->shown_state != now.state || was_shown != queue_is_listed(e);
	remember_shown(o, e);
	pthread_mutex_unlock(&o->lock);

	if (was_shown && (is_other_name || now.state == OUTBOX_SENT))
		call_changed(o, &before, true);
	if (is_changed && now.state != OUTBOX_SENT)
		call_changed(o, &now, false);
}

int queue_save(struct outbox *o, struct entry *e)
{
	int r = entry_save(o->dirfd, e->id, &e->record);

	e->is_unsaved = r < 0;
	return r;
}

/* A commit that is under way counts as well: two of one message may run at a time. */
static bool counts_as_sent(const struct entry *e)
{
	static const bool states[] = {
		[OUTBOX_HELD] = true, [OUTBOX_QUEUED] = true, [OUTBOX_RETRY] = true, [OUTBOX_UNCERTAIN] = true, [OUTBOX_SENT] = true
	};

	return states[e->record.state] || e->claim == CLAIM_COMMIT;
}

int queue_take_key(struct outbox *o, struct entry *e, const char *key, bool is_exempt)
{
	const struct entry *other;
	int r = 0;

	pthread_mutex_lock(&o->lock);
	for (other = o->first; other && !r && !is_exempt; other = other->next)
		if (other != e && counts_as_sent(other) && other->record.key && !strcmp(other->record.key, key))
			r = -EEXIST;
	if (!r)
		r = record_set(&e->record.key, key);
	pthread_mutex_unlock(&o->lock);
	return r;
}

void queue_wake_sender(struct outbox *o, bool is_new)
{
	pthread_mutex_lock(&o->lock);
	if (is_new && o->sender.failures && !o->sender.is_refused &&
	    o->sender.not_before_s > o->sender.last_failure_s + HURRIED_WAIT_S)
		o->sender.not_before_s = o->sender.last_failure_s + HURRIED_WAIT_S;
	o->sender.wakes++;
	pthread_cond_broadcast(&o->work);
	pthread_mutex_unlock(&o->lock);
}

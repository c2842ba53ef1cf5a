/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of the outbox as the kernel sees them: made, opened, listed, removed. Renames: rename.c; attributes: attribute.c.
 */
#include "outbox/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "outbox/commit.h"
#include "outbox/entry.h"
#include "outbox/sender.h"

int outbox_start(struct outbox *o)
{
	int r = commit_start(o);

	if (r < 0)
		return r;
	r = sender_start(o);
	if (r < 0) {
		pthread_mutex_lock(&o->lock);
		o->is_stopping = true;
		pthread_cond_signal(&o->commits);
		pthread_mutex_unlock(&o->lock);
		pthread_join(o->committer, NULL);
		o->is_stopping = false;
		return r;
	}
	o->is_started = true;
	return 0;
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	o->is_stopping = true;
	pthread_cond_signal(&o->commits);
	pthread_mutex_unlock(&o->lock);
	if (o->is_started) {
		sender_stop(o);
		pthread_join(o->committer, NULL);
	}
	commit_stop(o);
	session_close(o->submitters);
	queue_free(o);
}

void outbox_wake(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	o->sender.not_before_s = 0;
	pthread_mutex_unlock(&o->lock);
	queue_wake_sender(o, false);
}

int outbox_get(struct outbox *o, int64_t id, struct outbox_entry *ret)
{
	const struct entry *e;
	int r = -ENOENT;

	pthread_mutex_lock(&o->lock);
	e = queue_find(o, id);
	if (e && queue_is_listed(e)) {
		queue_describe_entry(o, e, ret);
		r = 0;
	}
	pthread_mutex_unlock(&o->lock);
	return r;
}

int outbox_lookup(struct outbox *o, enum outbox_place place, const char *name, struct outbox_entry *ret)
{
	const struct entry *e;

	pthread_mutex_lock(&o->lock);
	e = queue_find_name(o, place, name);
	if (e)
		queue_describe_entry(o, e, ret);
	pthread_mutex_unlock(&o->lock);
	return e ? 0 : -ENOENT;
}

void outbox_mtime(struct outbox *o, struct timespec *ret)
{
	struct stat st = { 0 };

	fstat(o->dirfd, &st);
	*ret = st.st_mtim;
}

/* The next one of a place behind `after`. `each` is called without the lock, so the list is entered anew by id. */
static bool next_of_place(struct outbox *o, enum outbox_place place, int64_t after, struct outbox_entry *ret)
{
	const struct entry *e;

	pthread_mutex_lock(&o->lock);
	for (e = o->first; e; e = e->next)
		if (e->id > after && e->record.place == place && queue_is_listed(e))
			break;
	if (e)
		queue_describe_entry(o, e, ret);
	pthread_mutex_unlock(&o->lock);
	return e != NULL;
}

int outbox_each(struct outbox *o, enum outbox_place place, int64_t after, int (*each)(void *userdata, const struct outbox_entry *e),
		void *userdata)
{
	struct outbox_entry e;

	while (next_of_place(o, place, after, &e)) {
		int r = each(userdata, &e);

		if (r)
			return r < 0 ? r : 0;
		after = e.id;
	}
	return 0;
}

/* In the list, claimed, before it is on disk: two creators of one name cannot both succeed. */
static int add_new(struct outbox *o, enum outbox_place place, const char *name, mode_t mode, struct entry **ret)
{
	CLEANUP(free) struct entry *e = calloc(1, sizeof *e);
	int r = 0;

	if (!e)
		return -ENOMEM;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(e->record.name, name, strlen(name) + 1);
	e->record.place = place;
	e->record.mode = mode & 07777;
	e->record.state = OUTBOX_WRITING;
	e->claim = CLAIM_CHANGE;
	pthread_mutex_lock(&o->lock);
	if (queue_find_name(o, place, name))
		r = -EEXIST;
	if (!r)
		r = queue_new_id(o, &e->id);
	if (!r) {
		queue_add(o, e);
		*ret = steal_pointer(&e);
	}
	pthread_mutex_unlock(&o->lock);
	return r;
}

int outbox_create(struct outbox *o, enum outbox_place place, const char *name, mode_t mode, int64_t *ret_id, int *ret_fd)
{
	struct entry *e = NULL;
	int r = add_new(o, place, name, mode, &e);

	if (r < 0)
		return r;
	*ret_id = e->id;
	r = entry_make(o->dirfd, e->id, &e->record, ret_fd);
	if (r < 0) {
		queue_forget(o, e);
		return r;
	}
	queue_note(o, e);
	queue_release(o, e);
	return 0;
}

static int may_write(const struct entry *e)
{
	if (e->claim == CLAIM_COMMIT || e->claim == CLAIM_SEND)
		return -EBUSY;
	return e->record.state == OUTBOX_WRITING || e->record.state == OUTBOX_SCRATCH || e->record.state == OUTBOX_FAILED_STATE
		       ? 0
		       : -EACCES;
}

int outbox_open(struct outbox *o, int64_t id, bool write, int *ret_fd)
{
	struct entry *e;
	int r = 0;

	pthread_mutex_lock(&o->lock);
	while ((e = queue_find(o, id)) && e->claim == CLAIM_CHANGE)
		pthread_cond_wait(&o->claims, &o->lock);
	if (!e || !queue_is_listed(e))
		r = -ENOENT;
	else if (write)
		r = may_write(e);
	if (!r)
		r = entry_open_message(o->dirfd, id, write ? O_RDWR : O_RDONLY, ret_fd);
	if (!r && write) {
		e->record.state = OUTBOX_WRITING;
		e->shown_state = OUTBOX_WRITING;
	}
	pthread_mutex_unlock(&o->lock);
	return r;
}

/* Some recipients took it: the rest is cancelled, the copy and the record of what was sent still follow. */
static int cancel_rest(struct outbox *o, struct entry *e)
{
	int r;

	pthread_mutex_lock(&o->lock);
	string_list_release(&e->record.recipients);
	string_list_release(&e->record.refused);
	string_list_release(&e->record.refusals);
	e->record.next_s = clock_realtime_s();
	pthread_mutex_unlock(&o->lock);
	queue_set_state(o, e, OUTBOX_SENT);
	r = queue_save(o, e);
	queue_note(o, e);
	queue_release(o, e);
	queue_wake_sender(o, false);
	return r;
}

int outbox_unlink(struct outbox *o, int64_t id)
{
	int r;
	struct entry *e = queue_claim(o, id, CLAIM_CHANGE, &r);

	if (!e)
		return r;
	if (e->record.copy == RECORD_COPY_DUE || (e->record.copy != RECORD_COPY_NONE && sender_waits(e)))
		return cancel_rest(o, e);
	/* The caller knows: nobody is told. */
	e->is_shown = false;
	r = queue_remove(o, e);
	if (r < 0) {
		queue_note(o, e);
		queue_release(o, e);
	}
	return r;
}

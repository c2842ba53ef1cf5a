/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rename in the outbox: of a scratch file into a message, out of failed/ for another try, or of nothing but the name.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "message/scratch_name.h"
#include "outbox/commit.h"
#include "outbox/entry.h"
#include "outbox/sender.h"

/* A claimed entry on its way over another one, claimed as well. */
struct move {
	struct entry *entry, *over; /* over: NULL if the name is free */
	enum outbox_place place;
	const char *name;
	struct record before; /* only place and name */
};

static bool is_tried_again(const struct entry *e)
{
	return e->record.state == OUTBOX_FAILED_STATE || e->record.state == OUTBOX_UNCERTAIN;
}

/* Whether the new name makes a message of it that is to be judged. */
static bool is_commit(struct outbox *o, const struct entry *e, enum outbox_place place, const char *name)
{
	struct stat st;

	if (place != OUTBOX_QUEUE || scratch_name(name))
		return false;
	if (is_tried_again(e))
		return e->record.place == OUTBOX_FAILED;
	return e->record.state == OUTBOX_SCRATCH && entry_stat_message(o->dirfd, e->id, &st) == 0 && st.st_size > 0;
}

/* The state that an uncommitted move leaves it in. */
static enum outbox_state state_after(const struct entry *e, enum outbox_place place, const char *name)
{
	if (e->record.state == OUTBOX_WRITING)
		return OUTBOX_WRITING;
	if (scratch_name(name))
		return OUTBOX_SCRATCH;
	if (place == OUTBOX_FAILED && e->record.state != OUTBOX_UNCERTAIN)
		return OUTBOX_FAILED_STATE;
	return e->record.state;
}

/* Claims both and takes the name in memory. -ENOENT, -EBUSY, -EEXIST. */
static int begin(struct outbox *o, int64_t id, bool replace, struct move *m)
{
	struct entry *e, *over;
	int r = 0;

	pthread_mutex_lock(&o->lock);
	for (;;) {
		e = queue_find(o, id);
		over = queue_find_name(o, m->place, m->name);
		if (!(e && e->claim == CLAIM_CHANGE) && !(over && over->claim == CLAIM_CHANGE))
			break;
		pthread_cond_wait(&o->claims, &o->lock);
	}
	if (!e || !queue_is_listed(e))
		r = -ENOENT;
	else if (over == e)
		over = NULL;
	else if (over && !replace)
		r = -EEXIST;
	if (!r && (e->claim != CLAIM_NONE || (over && over->claim != CLAIM_NONE)))
		r = -EBUSY;
	/* Some have it already: what is left cannot be taken back into a file. */
	if (!r && e->record.copy != RECORD_COPY_NONE && sender_waits(e) && (m->place == OUTBOX_FAILED || scratch_name(m->name)))
		r = -EBUSY;
	if (!r && over && over->record.copy != RECORD_COPY_NONE && sender_waits(over))
		r = -EBUSY;
	if (!r) {
		e->claim = is_commit(o, e, m->place, m->name) ? CLAIM_COMMIT : CLAIM_CHANGE;
		if (over)
			over->claim = CLAIM_CHANGE;
		m->entry = e;
		m->over = over;
	}
	pthread_mutex_unlock(&o->lock);
	return r;
}

static void take_name(struct outbox *o, struct move *m, enum outbox_state state)
{
	struct record *record = &m->entry->record;

	pthread_mutex_lock(&o->lock);
	m->before.place = record->place;
	m->before.state = record->state;
	memcpy(m->before.name, record->name, sizeof m->before.name);
	record->place = m->place;
	memcpy(record->name, m->name, strlen(m->name) + 1);
	record->state = state;
	record->replaces = m->over ? m->over->id : 0;
	pthread_mutex_unlock(&o->lock);
}

static void give_name_back(struct outbox *o, struct move *m)
{
	struct record *record = &m->entry->record;

	pthread_mutex_lock(&o->lock);
	record->place = m->before.place;
	record->state = m->before.state;
	record->replaces = 0;
	memcpy(record->name, m->before.name, sizeof record->name);
	pthread_mutex_unlock(&o->lock);
}

/* What was renamed over goes; the caller knows of that. Where the disk does not let it, it goes at the next start, and is not sent should the one that says so
 * be gone by then. */
static void remove_replaced(struct outbox *o, struct entry *over)
{
	if (!over)
		return;
	over->is_shown = false;
	if (queue_remove(o, over) == 0)
		return;
	queue_set_state(o, over, OUTBOX_SCRATCH);
	if (queue_save(o, over) < 0)
		log_error("outbox: what %s replaced cannot be removed", over->record.name);
	queue_forget(o, over);
}

static int commit_moved(struct outbox *o, struct move *m)
{
	bool is_retry = is_tried_again(m->entry);
	int r;

	take_name(o, m, m->entry->record.state);
	r = commit_entry(o, m->entry, false, is_retry);
	fault_point("rename: queued beside what it replaces");
	if (r < 0 && m->over)
		queue_release(o, m->over);
	if (r < 0 || !m->over)
		return r;
	remove_replaced(o, m->over);
	queue_wake_sender(o, true); /* it waited for that */
	return 0;
}

int outbox_rename(struct outbox *o, int64_t id, enum outbox_place place, const char *name, bool replace)
{
	struct move m = { .place = place, .name = name };
	int r;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	r = begin(o, id, replace, &m);
	if (r < 0)
		return r;
	if (m.entry->claim == CLAIM_COMMIT)
		return commit_moved(o, &m);
	take_name(o, &m, state_after(m.entry, place, name));
	r = entry_save(o->dirfd, m.entry->id, &m.entry->record);
	if (r < 0) {
		give_name_back(o, &m);
		if (m.over)
			queue_release(o, m.over);
	} else {
		queue_note(o, m.entry);
		remove_replaced(o, m.over);
	}
	queue_release(o, m.entry);
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a folder is asked about, and who waits for the answer: the first look since the start waits for a sync, later ones start one in the
 * background when the last is old. The folder list likewise.
 */
#include "mailbox/mailbox_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "mailbox/replay.h"
#include "mailbox/restore.h"

enum { CHECK_AFTER_MS = 10 * 1000 };

struct look {
	struct job job;
	struct mailbox *mb;
	int64_t folder;
	int64_t checked_ms; /* when the last sync that succeeded ended; 0: none since the start */
	bool is_running;
	struct waiter *waiters;
	struct sync_progress progress;
};

static struct look *look_of_job(struct job *j)
{
	return (struct look *)j; /* its first member */
}

static int run_sync(struct job *j, struct backend **session)
{
	struct look *l = look_of_job(j);

	return sync_folder(l->mb, session, l->folder, &l->progress);
}

static bool is_complete(struct mailbox *mb, int64_t folder)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };

	return index_folder_get(mb->index, folder, &f) == 0 && (f.complete || f.attributes & FOLDER_NOSELECT);
}

/* A failed check is no news to those who wait where an earlier sync was complete: that is what they get. */
static void sync_done(struct job *j, int result, const char *why)
{
	struct look *l = look_of_job(j);
	struct mailbox *mb = l->mb;
	struct waiter *waiters;

	if (result < 0)
		log_warning("%s: folder %lld not synced: %s", mb->configuration->account, (long long)l->folder, why);
	pthread_mutex_lock(&mb->lock);
	l->is_running = false;
	if (result == 0)
		l->checked_ms = clock_monotonic_ms();
	waiters = l->waiters;
	l->waiters = NULL;
	pthread_mutex_unlock(&mb->lock);
	if (result == -ENXIO)
		look_at_folder_list(mb, true, NULL);
	if (result < 0 && is_complete(mb, l->folder))
		result = 0;
	if (result == -ENXIO) /* the folder went meanwhile */
		result = -ENOENT;
	waiters_answer(waiters, result);
}

/* Lock held. */
static struct look *look_get(struct mailbox *mb, int64_t folder)
{
	struct look *l = table_get(&mb->looks, folder);

	if (l)
		return l;
	l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	*l = (struct look){ .job = { .run = run_sync, .done = sync_done }, .mb = mb, .folder = folder };
	if (table_set(&mb->looks, folder, l) < 0) {
		free(l);
		return NULL;
	}
	return l;
}

/* Lock held. 0 or why the server cannot be asked. */
static int start(struct look *l, enum job_priority priority)
{
	int r;

	if (l->is_running)
		return 0;
	atomic_store(&l->progress.done, 0);
	atomic_store(&l->progress.total, 0);
	l->job.priority = priority;
	l->is_running = true;
	r = workers_submit(l->mb->workers, &l->job);
	if (r < 0)
		l->is_running = false;
	return r;
}

/* Lock held. A folder that was begun anew since it was looked at is waited for like one that never was. */
static int look_locked(struct mailbox *mb, int64_t folder, bool is_complete, struct waiter *w)
{
	struct look *l = look_get(mb, folder);
	int r;

	if (!l)
		return -ENOMEM;
	if (l->checked_ms && is_complete) {
		if (clock_monotonic_ms() - l->checked_ms > CHECK_AFTER_MS)
			start(l, JOB_SYNC);
		return 0;
	}
	r = start(l, JOB_INTERACTIVE);
	if (r < 0)
		return r;
	waiters_push(&l->waiters, w);
	return -EINPROGRESS;
}

/* A look that must wait until the server knows the folder by the name that it has here. */
struct late_look {
	struct waiter waiter; /* first */
	struct mailbox *mb;
	int64_t folder;
	struct waiter *asked;
};

static void look_late(struct waiter *w, int result)
{
	struct late_look *late = (struct late_look *)w;
	struct waiter *asked = late->asked;
	int r = mailbox_look(late->mb, late->folder, asked);

	(void)result; /* a change that was refused is not this folder's affair */
	free(late);
	if (r != -EINPROGRESS)
		asked->done(asked, r < 0 ? r : 0);
}

/* 0: there is nothing to wait for. */
static int wait_for_name(struct mailbox *mb, int64_t folder, struct waiter *w)
{
	struct late_look *late;
	int r = replay_changes_folders(mb);

	if (r <= 0 || !w)
		return r < 0 ? r : 0;
	late = calloc(1, sizeof *late);
	if (!late)
		return -ENOMEM;
	*late = (struct late_look){ .waiter.done = look_late, .mb = mb, .folder = folder, .asked = w };
	r = changing_settle_all(mb, &late->waiter);
	if (r != -EINPROGRESS)
		free(late);
	return r;
}

bool mailbox_was_looked_at(struct mailbox *mb, int64_t folder)
{
	struct look *l;
	bool was;

	pthread_mutex_lock(&mb->lock);
	l = table_get(&mb->looks, folder);
	was = folder == INDEX_ROOT ? mb->listed_ms : l && l->checked_ms;
	pthread_mutex_unlock(&mb->lock);
	return was;
}

int mailbox_look(struct mailbox *mb, int64_t folder, struct waiter *w)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = index_folder_get(mb->index, folder, &f);

	if (r < 0)
		return r;
	if (folder != INDEX_ROOT && !(f.attributes & FOLDER_NOSELECT) && !mailbox_was_looked_at(mb, folder)) {
		r = wait_for_name(mb, folder, w);
		if (r < 0)
			return r;
	}
	if (folder == INDEX_ROOT)
		return look_at_folder_list(mb, false, w);
	look_at_folder_list(mb, false, NULL);
	if (f.attributes & FOLDER_NOSELECT)
		return 0;
	pthread_mutex_lock(&mb->lock);
	r = look_locked(mb, folder, f.complete, w);
	pthread_mutex_unlock(&mb->lock);
	return r < 0 && r != -EINPROGRESS && f.complete ? 0 : r;
}

/* Listing the folders. */

struct list_job {
	struct job job;
	struct mailbox *mb;
	bool is_vain;
};

static int start_listing(struct mailbox *mb);

/* For df. A server that has no quota tells none. */
static int learn_quota(struct mailbox *mb, struct backend **session)
{
	struct backend_quota q = { 0 };
	int r = backend_quota(session, &q);

	atomic_store(&mb->append_limit, backend_append_limit(*session));
	atomic_store(&mb->has_labels, (*session)->abilities & BACKEND_TRASH_FIRST);
	if (r == 0) {
		atomic_store(&mb->quota_used, q.used_bytes);
		atomic_store(&mb->quota_limit, q.limit_bytes);
	}
	return (*session)->broken ? r : 0;
}

static int run_list(struct job *j, struct backend **session)
{
	struct list_job *l = (struct list_job *)j;
	int r = folder_list_update(l->mb, session);

	l->is_vain = r > 0;
	return r < 0 ? r : learn_quota(l->mb, session);
}

static void list_done(struct job *j, int result, const char *why)
{
	struct mailbox *mb = ((struct list_job *)j)->mb;
	bool is_useful = result == 0 && !((struct list_job *)j)->is_vain;
	struct waiter *waiters = NULL;

	pthread_mutex_lock(&mb->lock);
	mb->is_listing = false;
	if (is_useful)
		mb->listed_ms = clock_monotonic_ms();
	if (!mb->list_again || result < 0 || start_listing(mb) < 0) {
		waiters = mb->list_waiters;
		mb->list_waiters = NULL;
	}
	mb->list_again = false;
	pthread_mutex_unlock(&mb->lock);
	if (is_useful && restore_unplaced(mb) < 0)
		log_warning("%s: some local files are not shown", mb->configuration->account);
	if (result < 0 && !waiters)
		log_warning("%s: folders not listed: %s", mb->configuration->account, why);
	free(j);
	waiters_answer(waiters, result);
}

/* Lock held. */
static int start_listing(struct mailbox *mb)
{
	struct list_job *j;
	int r;

	if (mb->is_listing)
		return 0;
	j = calloc(1, sizeof *j);
	if (!j)
		return -ENOMEM;
	*j = (struct list_job){ .job = { .priority = JOB_INTERACTIVE, .run = run_list, .done = list_done }, .mb = mb };
	mb->is_listing = true;
	r = workers_submit(mb->workers, &j->job);
	if (r < 0) {
		mb->is_listing = false;
		free(j);
	}
	return r;
}

int look_at_folder_list(struct mailbox *mb, bool force, struct waiter *w)
{
	bool is_known = folder_list_is_known(mb);
	int r = 0;

	pthread_mutex_lock(&mb->lock);
	is_known |= mb->listed_ms != 0; /* an account may have no folder to show */
	if (force && mb->is_listing)
		mb->list_again = true;
	if (force || !mb->listed_ms || clock_monotonic_ms() - mb->listed_ms > CHECK_AFTER_MS)
		r = start_listing(mb);
	if (r == 0 && w && (force || !is_known)) {
		waiters_push(&mb->list_waiters, w);
		r = -EINPROGRESS;
	}
	pthread_mutex_unlock(&mb->lock);
	return r < 0 && r != -EINPROGRESS && is_known && !force ? 0 : r;
}

void look_forget(struct mailbox *mb, int64_t folder)
{
	struct look *l;

	pthread_mutex_lock(&mb->lock);
	l = table_get(&mb->looks, folder);
	if (l)
		l->checked_ms = 0;
	pthread_mutex_unlock(&mb->lock);
}

bool look_interrupt(struct mailbox *mb, struct waiter *w)
{
	struct look *l;
	size_t i = 0;

	if (waiters_remove(&mb->list_waiters, w))
		return true;
	while ((l = table_next(&mb->looks, &i)))
		if (waiters_remove(&l->waiters, w))
			return true;
	return false;
}

void look_each_running(struct mailbox *mb, void (*each)(void *userdata, int64_t folder, uint32_t done, uint32_t total),
		       void *userdata)
{
	struct look *l;
	size_t i = 0;

	pthread_mutex_lock(&mb->lock);
	while ((l = table_next(&mb->looks, &i)))
		if (l->is_running)
			each(userdata, l->folder, atomic_load(&l->progress.done), atomic_load(&l->progress.total));
	pthread_mutex_unlock(&mb->lock);
}

void look_release_all(struct mailbox *mb)
{
	struct look *l;
	size_t i = 0;

	while ((l = table_next(&mb->looks, &i)))
		free(l);
	table_release(&mb->looks);
}

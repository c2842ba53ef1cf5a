/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From written to queued: the thread that judges what a last close leaves, makes it durable, and answers the close.
 *
 * A thread of its own because it may ask the sent folder, and because the sender may be busy with a server for minutes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "message/scratch_name.h"
#include "outbox/commit.h"
#include "outbox/entry.h"
#include "outbox/guard.h"
#include "outbox/name.h"

int commit_abandon(struct outbox *o, struct entry *e)
{
	char name[NAME_MAX + 1];
	int r;

	if (scratch_name(e->record.name))
		memcpy(name, e->record.name, sizeof name);
	else
		name_partial(e->record.name, name);
	queue_move(o, e, e->record.place, name);
	queue_set_state(o, e, OUTBOX_SCRATCH);
	/* Unsaved it is `writing` on disk, which the next start takes for the same. */
	r = entry_save(o->dirfd, e->id, &e->record);
	queue_show(o, e);
	return r;
}

static bool is_refusal(int r)
{
	return r == -EINVAL || r == -EPERM || r == -EEXIST || r == -EFBIG;
}

static void keep_in_failed(struct outbox *o, struct entry *e, const char *why)
{
	queue_fail(o, e, OUTBOX_FAILED_STATE, why);
	if (entry_publish(o->dirfd, e->id, &e->record) < 0)
		e->is_unsaved = true;
	queue_show(o, e);
}

static int queue_it(struct outbox *o, struct entry *e)
{
	int64_t hold_s = o->options.configuration->outbox_hold_s;
	int r;

	queue_set_error(o, e, NULL);
	e->record.next_s = clock_realtime_s() + hold_s;
	queue_set_state(o, e, hold_s > 0 ? OUTBOX_HELD : OUTBOX_QUEUED);
	fault_point("commit: judged");
	r = entry_publish(o->dirfd, e->id, &e->record);
	fault_point("commit: published");
	if (!r)
		queue_show(o, e);
	return r;
}

int commit_entry(struct outbox *o, struct entry *e, bool may_ask, bool is_retry)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r = guard_judge(o, e, may_ask, is_retry, &why);
	bool is_refused = is_refusal(r);

	if (!r)
		r = queue_it(o, e);
	if (r < 0)
		e->record.replaces = 0;
	if (is_refused)
		keep_in_failed(o, e, buf_str(&why));
	else if (r < 0)
		commit_abandon(o, e);
	queue_release(o, e);
	if (!r)
		queue_wake_sender(o, true);
	return r;
}

static void append_job(struct commit_job **list, struct commit_job *job)
{
	while (*list)
		list = &(*list)->next;
	job->next = NULL;
	*list = job;
}

/* Takes the first job that `id` names out of the list, or that is over at `now_ms`; NULL if there is none. */
static struct commit_job *take_job(struct commit_job **list, int64_t id, int64_t now_ms)
{
	for (; *list; list = &(*list)->next) {
		struct commit_job *job = *list;

		if (job->id != id && job->deadline_ms > now_ms)
			continue;
		*list = job->next;
		return job;
	}
	return NULL;
}

static void answer(struct commit_job *job, int result)
{
	job->waiter->done(job->waiter, result);
	free(job);
}

bool commit_run_one(struct outbox *o)
{
	int64_t wait_ms = o->options.configuration->outbox_wait_s * 1000;
	struct commit_job *job;
	struct entry *e = NULL;
	bool may_ask;
	int64_t id;
	int r;

	pthread_mutex_lock(&o->lock);
	job = o->jobs;
	may_ask = !o->is_stopping;
	if (job) {
		o->jobs = job->next;
		e = queue_find(o, job->id);
		/* In the list of those who wait before the sender can have a verdict. */
		job->deadline_ms = INT64_MAX;
		if (wait_ms > 0 && may_ask)
			append_job(&o->waiting, job);
	}
	pthread_mutex_unlock(&o->lock);
	if (!job)
		return false;
	id = job->id;
	r = commit_entry(o, e, may_ask, false);
	if (wait_ms <= 0 || !may_ask) {
		answer(job, r);
		return true;
	}
	pthread_mutex_lock(&o->lock);
	job = take_job(&o->waiting, id, INT64_MIN);
	if (job && !r) {
		job->deadline_ms = clock_monotonic_ms() + wait_ms;
		append_job(&o->waiting, job);
		job = NULL;
	}
	pthread_mutex_unlock(&o->lock);
	if (job)
		answer(job, r);
	return true;
}

void commit_answer_verdict(struct outbox *o, int64_t id, int result)
{
	struct commit_job *job;

	pthread_mutex_lock(&o->lock);
	job = take_job(&o->waiting, id, INT64_MIN);
	pthread_mutex_unlock(&o->lock);
	if (job)
		answer(job, result);
}

/* The entry, claimed for its commit; NULL where there is nothing to commit. */
static struct entry *claim_written(struct outbox *o, int64_t id)
{
	int r;
	struct entry *e = queue_claim(o, id, CLAIM_COMMIT, &r);

	if (!e || e->record.state == OUTBOX_WRITING)
		return e;
	queue_release(o, e);
	return NULL;
}

/* What is not to be sent: in failed/ it stays what it is, elsewhere it is scratch. The caller knows. */
static int keep_unsent(struct outbox *o, struct entry *e, bool is_scratch)
{
	int r = 0;

	queue_set_state(o, e, is_scratch ? OUTBOX_SCRATCH : OUTBOX_FAILED_STATE);
	if (!is_scratch)
		r = entry_publish(o->dirfd, e->id, &e->record);
	queue_note(o, e);
	queue_release(o, e);
	return r;
}

int outbox_commit(struct outbox *o, int64_t id, struct waiter *w)
{
	struct entry *e = claim_written(o, id);
	struct commit_job *job;
	struct stat st;
	bool is_scratch;
	int r;

	if (!e)
		return 0;
	r = entry_stat_message(o->dirfd, id, &st);
	is_scratch = r < 0 || st.st_size == 0 || scratch_name(e->record.name);
	if (is_scratch || e->record.place == OUTBOX_FAILED)
		return keep_unsent(o, e, is_scratch);
	job = calloc(1, sizeof *job);
	if (!job) {
		queue_release(o, e);
		return -ENOMEM;
	}
	*job = (struct commit_job){ .id = id, .waiter = w };
	pthread_mutex_lock(&o->lock);
	append_job(&o->jobs, job);
	pthread_cond_signal(&o->commits);
	pthread_mutex_unlock(&o->lock);
	return -EINPROGRESS;
}

int outbox_abandon(struct outbox *o, int64_t id)
{
	int r;
	struct entry *e = queue_claim(o, id, CLAIM_CHANGE, &r);

	if (!e)
		return r == -ENOENT ? 0 : r;
	if (e->record.state == OUTBOX_WRITING)
		r = commit_abandon(o, e);
	queue_release(o, e);
	return r;
}

static int64_t first_deadline_ms(const struct outbox *o)
{
	int64_t first_ms = INT64_MAX;

	for (const struct commit_job *job = o->waiting; job; job = job->next)
		if (job->deadline_ms < first_ms)
			first_ms = job->deadline_ms;
	return first_ms;
}

static void wait_for_job(struct outbox *o)
{
	int64_t until_ms = first_deadline_ms(o);

	if (until_ms == INT64_MAX)
		pthread_cond_wait(&o->commits, &o->lock);
	else
		clock_wait(&o->commits, &o->lock, until_ms - clock_monotonic_ms());
}

static void *run(void *userdata)
{
	struct outbox *o = userdata;
	struct commit_job *late;

	pthread_mutex_lock(&o->lock);
	while (!o->is_stopping || o->jobs) {
		late = take_job(&o->waiting, 0, clock_monotonic_ms());
		if (!late && !o->jobs) {
			wait_for_job(o);
			continue;
		}
		pthread_mutex_unlock(&o->lock);
		if (late)
			answer(late, 0);
		else
			commit_run_one(o);
		pthread_mutex_lock(&o->lock);
	}
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

int commit_start(struct outbox *o)
{
	return -pthread_create(&o->committer, NULL, run, o);
}

void commit_stop(struct outbox *o)
{
	struct commit_job *job;

	while (commit_run_one(o))
		;
	/* Queued durably, without a verdict yet. */
	while ((job = take_job(&o->waiting, 0, INT64_MAX)))
		answer(job, 0);
}

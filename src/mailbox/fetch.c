/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies on their way from the server into the cache: the job that brings them, from its start to those who waited.
 *
 * A body's fetch has one job at a time; bytes go to an unnamed file as they arrive, waiting readers are told, and only the whole gets a name.
 */
#include "mailbox/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { FAIL_AGAIN_MS = 5000 }; /* a failed READ comes back page by page: it gets the same answer for this long */

static struct fetch *fetch_new(struct mailbox *mb, enum job_priority priority, struct body **bodies, size_t n)
{
	struct fetch *f = calloc(1, sizeof *f + n * sizeof(struct body *));

	if (!f)
		return NULL;
	f->mb = mb;
	f->folder_changes = atomic_load(&mb->folder_changes);
	f->job.priority = priority;
	f->fd = -1;
	f->n = n;
	for (size_t i = 0; i < n; i++) {
		f->bodies[i] = bodies[i];
		bodies[i]->refs++;
		bodies[i]->fetch = f;
	}
	return f;
}

/* Lock held. */
static void fetch_free(struct fetch *f)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->bodies[i]->fetch == f)
			f->bodies[i]->fetch = NULL;
		body_put(f->mb, f->bodies[i]);
	}
	if (!f->body && f->fd >= 0)
		close(f->fd);
	index_folder_release(&f->folder);
	free(f);
}

/* Whether a message still stands where it stood when its body was asked for. */
static int check_place(struct mailbox *mb, const struct body *b)
{
	struct index_message m;
	int r = index_message_get(mb->index, b->row, &m);

	return r == 0 && (m.server_folder ? m.server_folder : m.folder) != b->folder ? -ENOENT : r;
}

/*
 * With the UIDVALIDITY that the bodies' UIDs belong to: where a folder was begun anew all its messages went at once, so one of them that is still
 * there, asked after the folder, vouches for the others.
 */
static int find_folder(struct fetch *f)
{
	int r = index_folder_get(f->mb->index, f->bodies[0]->folder, &f->folder);

	if (r < 0)
		return r;
	r = -ENOENT;
	for (size_t i = 0; i < f->n && r == -ENOENT && f->folder.wire; i++)
		r = check_place(f->mb, f->bodies[i]);
	return r;
}

static int run(struct job *j, struct backend **session)
{
	struct fetch *f = (struct fetch *)j;
	int r = find_folder(f);

	if (r < 0)
		return r;
	return f->bodies[0]->blocks ? fetch_ranges(f, session) : fetch_whole(f, session);
}

/* Lock held. A connection that broke under a message is made again, once; were the server out of reach, that would fail at once. */
static bool start_again(struct fetch *f, struct body *b, int result)
{
	if (f->is_again || result != -EHOSTUNREACH || fetch_start(f->mb, b) < 0)
		return false;
	b->fetch->is_again = true;
	return true;
}

/* Lock held. What a body without all its bytes has left to do: those who wait start anew one by one, or learn why not. */
static struct waiter *settle(struct fetch *f, struct body *b, int result, bool *later)
{
	bool is_settled = b->is_complete || b->fetch != f;

	if (!is_settled)
		b->fetch = NULL;
	if (is_settled || (!b->openers && !b->readers)) {
		*later = false;
		return NULL;
	}
	if (*later) {
		b->refs++;
		b->waits_for_place = true;
		return NULL;
	}
	if (f->n > 1 ? fetch_start(f->mb, b) == 0 : start_again(f, b, result))
		return NULL;
	b->error = result < 0 ? result : -ENOENT;
	b->error_until_ms = clock_monotonic_ms() + FAIL_AGAIN_MS;
	return body_take_all(b);
}

/* One whose message, or folder, gets another place by a change of this mount's. */
struct later {
	struct waiter waiter; /* first */
	struct mailbox *mb;
	struct body *body; /* own reference */
};

/* Where it is now; `error`: nowhere that could be waited for. Takes the reference. */
static void fetch_anew(struct mailbox *mb, struct body *b, int error)
{
	struct waiter *failed = NULL;
	struct index_message m;
	int r = error < 0 ? error : index_message_get(mb->index, b->row, &m);

	pthread_mutex_lock(&mb->lock);
	b->waits_for_place = false;
	if (r == 0) {
		b->folder = m.server_folder ? m.server_folder : m.folder;
		b->uid = m.server_folder ? m.server_uid : m.uid;
		r = b->uid ? fetch_start(mb, b) : -ENOENT;
	}
	if (r == 0)
		b->fetch->is_again = true;
	else
		failed = body_take_all(b);
	body_put(mb, b);
	pthread_mutex_unlock(&mb->lock);
	waiters_answer(failed, r);
}

static void fetch_later(struct waiter *w, int result)
{
	struct later *l = (struct later *)w;

	(void)result; /* a change that was refused leaves the message where it was */
	fetch_anew(l->mb, l->body, 0);
	free(l);
}

/* Once what is in the journal now is settled. */
static void wait_for_place(struct mailbox *mb, struct body *b)
{
	struct later *l = calloc(1, sizeof *l);
	int r;

	if (!l) {
		fetch_anew(mb, b, -ENOMEM);
		return;
	}
	*l = (struct later){ .waiter.done = fetch_later, .mb = mb, .body = b };
	r = changing_settle_all(mb, &l->waiter);
	if (r != -EINPROGRESS)
		fetch_later(&l->waiter, r);
}

/* Not where it was looked for, which changes of this mount's may explain. */
static bool may_have_moved(const struct fetch *f, const struct body *b, int result)
{
	struct index_message m;

	if (f->is_again || (result < 0 && result != -ENXIO && result != -ENOENT))
		return false;
	if (!journal_is_empty(f->mb->index) || f->folder_changes != atomic_load(&f->mb->folder_changes))
		return true;
	return index_message_get(f->mb->index, b->row, &m) == 0 && (m.server_folder ? m.server_folder : m.folder) != b->folder;
}

/* Worth a line for people where somebody waited in vain. */
static void log_failure(const struct fetch *f, bool is_told, const char *why)
{
	CLEANUP(buf) struct buf line = BUF_INIT;

	/* Without its folder the server was not asked: its last words are about something else. */
	if (!f->folder.wire)
		buf_printf(&line, "%s: message UID %u%s not fetched: its place has gone", f->mb->configuration->account,
			   f->bodies[0]->uid, f->n > 1 ? " and others" : "");
	else
		buf_printf(&line, "%s: %s: message UID %u%s not fetched: %s", f->mb->configuration->account, f->folder.name,
			   f->bodies[0]->uid, f->n > 1 ? " and others" : "", why);
	if (is_told)
		log_warning("%s", buf_str(&line));
	else
		log_debug("%s", buf_str(&line));
}

int fetch_error_for_readers(struct mailbox *mb, int result)
{
	if (result == -ENXIO)
		look_at_folder_list(mb, true, NULL);
	return result == -ENXIO || result == -ESTALE ? -ENOENT : result;
}

static void fetch_done(struct job *j, int result, const char *why)
{
	struct fetch *f = (struct fetch *)j;
	struct mailbox *mb = f->mb;
	bool is_told = false;
	int told = fetch_error_for_readers(mb, result);

	for (size_t i = 0; i < f->n; i++) {
		struct body *b = f->bodies[i];
		bool later = may_have_moved(f, b, result);
		struct waiter *failed;
		int error;

		pthread_mutex_lock(&mb->lock);
		failed = settle(f, b, told, &later);
		error = b->error;
		pthread_mutex_unlock(&mb->lock);
		if (later)
			wait_for_place(mb, b);
		is_told |= failed != NULL;
		waiters_answer(failed, error);
	}
	if (result < 0)
		log_failure(f, is_told, why);
	pthread_mutex_lock(&mb->lock);
	fetch_free(f);
	pthread_mutex_unlock(&mb->lock);
}

/* Lock held. */
static int submit(struct fetch *f)
{
	int r;

	f->job.run = run;
	f->job.done = fetch_done;
	r = workers_submit(f->mb->workers, &f->job);
	if (r < 0)
		fetch_free(f);
	return r;
}

int fetch_start(struct mailbox *mb, struct body *b)
{
	bool is_large = b->blocks || b->size > BODY_WHOLE_MAX;
	struct fetch *f;

	if (is_large && !b->blocks)
		b->blocks = calloc((size_t)(b->size / BODY_BLOCK + 1), 1);
	if (is_large && !b->blocks)
		return -ENOMEM;
	f = fetch_new(mb, JOB_INTERACTIVE, &b, 1);
	if (!f)
		return -ENOMEM;
	return submit(f);
}

int fetch_start_ahead(struct mailbox *mb, struct body **bodies, size_t n)
{
	struct fetch *f = fetch_new(mb, JOB_BACKGROUND, bodies, n);

	if (!f)
		return -ENOMEM;
	return submit(f);
}

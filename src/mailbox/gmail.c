/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Gmail has of a message beside it: asked when somebody asks, since no listing needs it and others change it at any time. One question a message
 * however many ask, and its answer serves those who ask next: a program asks name by name, each first for its length.
 */
#include "mailbox/mailbox_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { ANSWER_SERVES_MS = 2000 };

struct gmail {
	struct job job; /* first */
	struct mailbox *mb;
	int64_t row, folder;	   /* constant */
	uint32_t uid;		   /* constant */
	struct backend_gmail told; /* own; constant once answered */
	int refs;		   /* the lock's, as what follows: those who ask, the job, gmail_last */
	int64_t answered_ms;
	struct waiter *waiters;
	struct gmail *next; /* in mb->gmail */
};

/* Lock held. */
static void gmail_put(struct gmail *g)
{
	if (!g || --g->refs > 0)
		return;
	buf_release(&g->told.labels);
	free(g);
}

static int run(struct job *j, struct backend **session)
{
	struct gmail *g = (struct gmail *)j;
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message m;
	int r = index_folder_get(g->mb->index, g->folder, &f);

	/* Asked after the folder, a message that is still there vouches for its UIDVALIDITY. */
	if (r == 0)
		r = index_message_get(g->mb->index, g->row, &m);
	if (r < 0)
		return r;
	if (m.folder != g->folder || !f.wire)
		return -ENOENT;
	r = backend_gmail(session, f.wire, f.uidvalidity, g->uid, &g->told);
	return r == -EOPNOTSUPP ? 0 : r;
}

/* Lock held. */
static struct waiter *settle(struct gmail *g, int result)
{
	struct mailbox *mb = g->mb;
	struct waiter *waiters = g->waiters;
	struct gmail **at = &mb->gmail;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	g->waiters = NULL;
	g->answered_ms = clock_monotonic_ms();
	if (result == 0) {
		gmail_put(mb->gmail_last);
		mb->gmail_last = g;
		g->refs++;
	}
	return waiters;
}

static void done(struct job *j, int result, const char *why)
{
	struct gmail *g = (struct gmail *)j;
	struct mailbox *mb = g->mb;
	struct waiter *waiters;

	result = fetch_error_for_readers(mb, result);
	if (result < 0)
		log_warning("%s: Gmail's attributes of message UID %u: %s", mb->configuration->account, g->uid, why);
	pthread_mutex_lock(&mb->lock);
	waiters = settle(g, result);
	pthread_mutex_unlock(&mb->lock);
	waiters_answer(waiters, result);
	pthread_mutex_lock(&mb->lock);
	gmail_put(g);
	pthread_mutex_unlock(&mb->lock);
}

/* Lock held. A new question on its way to the server. */
static int ask(struct mailbox *mb, const struct index_message *m, struct gmail **ret)
{
	struct gmail *g = calloc(1, sizeof *g);
	int r;

	if (!g)
		return -ENOMEM;
	*g = (struct gmail){
		.job = { .priority = JOB_INTERACTIVE, .run = run, .done = done },
		.mb = mb,
		.row = m->row,
		.folder = m->folder,
		.uid = m->uid,
		.told = { .labels = BUF_INIT },
		.refs = 1,
		.next = mb->gmail,
	};
	r = workers_submit(mb->workers, &g->job);
	if (r < 0) {
		free(g);
		return r;
	}
	mb->gmail = g;
	*ret = g;
	return 0;
}

/* Lock held. The question under way. NULL: there is none. */
static struct gmail *find(struct mailbox *mb, int64_t row)
{
	struct gmail *g = mb->gmail;

	while (g && g->row != row)
		g = g->next;
	return g;
}

/* Lock held. */
static int open_locked(struct mailbox *mb, const struct index_message *m, struct waiter *w, struct gmail **ret)
{
	struct gmail *g = mb->gmail_last;
	int r = 0;

	if (g && g->row == m->row && clock_monotonic_ms() - g->answered_ms < ANSWER_SERVES_MS) {
		g->refs++;
		*ret = g;
		return 0;
	}
	g = find(mb, m->row);
	if (!g)
		r = ask(mb, m, &g);
	if (r < 0)
		return r;
	waiters_push(&g->waiters, w);
	g->refs++;
	*ret = g;
	return -EINPROGRESS;
}

int mailbox_gmail_open(struct mailbox *mb, int64_t row, struct waiter *w, struct gmail **ret)
{
	struct index_message m;
	int r = index_message_get(mb->index, row, &m);

	if (r < 0)
		return r;
	if (!m.folder)
		return -ENOENT;
	pthread_mutex_lock(&mb->lock);
	r = open_locked(mb, &m, w, ret);
	pthread_mutex_unlock(&mb->lock);
	return r;
}

void mailbox_gmail_close(struct mailbox *mb, struct gmail *g)
{
	pthread_mutex_lock(&mb->lock);
	gmail_put(g);
	pthread_mutex_unlock(&mb->lock);
}

bool gmail_interrupt(struct mailbox *mb, struct waiter *w)
{
	for (struct gmail *g = mb->gmail; g; g = g->next)
		if (waiters_remove(&g->waiters, w))
			return true;
	return false;
}

void gmail_release_all(struct mailbox *mb)
{
	gmail_put(mb->gmail_last);
	mb->gmail_last = NULL;
}

static int append_labels(const struct backend_gmail *told, struct buf *out)
{
	return told->labels.data ? buf_append(out, told->labels.data, told->labels.len) : -ENODATA;
}

static int append_number(uint64_t number, struct buf *out)
{
	return number ? buf_printf(out, "%" PRIu64, number) : -ENODATA;
}

static int append_message_id(const struct backend_gmail *told, struct buf *out)
{
	return append_number(told->message_id, out);
}

static int append_thread_id(const struct backend_gmail *told, struct buf *out)
{
	return append_number(told->thread_id, out);
}

static const struct {
	const char *name;
	int (*append)(const struct backend_gmail *told, struct buf *out);
} attributes[] = {
	{ "gmail-labels", append_labels },
	{ "gmail-msgid", append_message_id },
	{ "gmail-thrid", append_thread_id },
};

bool mailbox_gmail_has(const char *name)
{
	for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
		if (!strcmp(attributes[i].name, name))
			return true;
	return false;
}

int gmail_attribute(const struct gmail *g, const char *name, struct buf *out)
{
	for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
		if (!strcmp(attributes[i].name, name))
			return attributes[i].append(&g->told, out);
	return -ENODATA;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#define FUSE_USE_VERSION 314
#include "fs/notify.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "fs/inode.h"
#include "mailbox/mailbox.h"

/* More than this, and a folder's changes become one. */
#define QUEUE_LIMIT 8192
/* How far back an equal notice is looked for: what changes a message twice says so twice. */
#define REPEAT_DEPTH 4
/* A burst changes a folder's own attributes once in so long. */
#define FOLDER_DELAY_MS 10

static int tell_attributes(const struct notifier *n, const struct notice *notice)
{
	return fuse_lowlevel_notify_inval_inode(n->session, notice->ino, -1, 0);
}

static int tell_entry(const struct notifier *n, const struct notice *notice)
{
	return fuse_lowlevel_notify_inval_entry(n->session, notice->parent, notice->name, strlen(notice->name));
}

/* It moved, or a change that the server refused was taken back. */
static bool lives_on(struct mailbox *mailbox, uint64_t ino)
{
	struct mailbox_message message;
	struct mailbox_folder folder;

	if (inode_kind(ino) == INODE_FOLDER)
		return mailbox_folder(mailbox, inode_row(ino), &folder) == 0;
	return mailbox_message(mailbox, inode_row(ino), &message) == 0 && message.folder != 0;
}

/* Gone for good: those who have it open see a link count of 0. A folder that somebody stands in is only forgotten. */
static int tell_delete(const struct notifier *n, const struct notice *notice)
{
	int r;

	if (lives_on(n->mailbox, notice->ino))
		return tell_entry(n, notice);
	r = fuse_lowlevel_notify_delete(n->session, notice->parent, notice->ino, notice->name, strlen(notice->name));
	return r == -ENOTEMPTY || r == -EBUSY ? tell_entry(n, notice) : r;
}

static void free_notice(struct notice *notice)
{
	free(notice->name);
	free(notice);
}

static void queue_init(struct notice_queue *queue)
{
	*queue = (struct notice_queue){ 0 };
	queue->last = &queue->first;
}

static void queue_put(struct notice_queue *queue, struct notice *notice)
{
	notice->next = NULL;
	*queue->last = notice;
	queue->last = &notice->next;
	queue->n++;
}

static struct notice *queue_take(struct notice_queue *queue)
{
	struct notice *notice = queue->first;

	if (!notice)
		return NULL;
	queue->first = notice->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->n--;
	return notice;
}

static bool is_same(const struct notice *a, const struct notice *b)
{
	return a->tell == b->tell && a->ino == b->ino && a->parent == b->parent && !a->name == !b->name &&
	       (!a->name || strcmp(a->name, b->name) == 0);
}

/* Whether one of the next `depth` says the same: it is told later than now, so it does. */
static bool queue_has(const struct notice_queue *queue, const struct notice *notice, size_t depth)
{
	const struct notice *at;

	for (at = queue->first; at && depth > 0; at = at->next, depth--)
		if (is_same(at, notice))
			return true;
	return false;
}

void notifier_init(struct notifier *n)
{
	*n = (struct notifier){ 0 };
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->more, NULL);
	queue_init(&n->queue);
	queue_init(&n->folders);
}

/* Under the lock. False: there is something to tell, or nothing will come any more. */
static bool wait_for_more(struct notifier *n)
{
	int64_t left_ms = n->folders_due_ms - clock_monotonic_ms();

	if (n->queue.first || n->is_stopping || (n->folders.first && left_ms <= 0))
		return false;
	if (n->folders.first)
		clock_wait(&n->more, &n->lock, left_ms);
	else
		pthread_cond_wait(&n->more, &n->lock);
	return true;
}

static struct notice *take(struct notifier *n)
{
	struct notice *notice;

	pthread_mutex_lock(&n->lock);
	while (wait_for_more(n))
		;
	notice = queue_take(&n->queue);
	if (!notice)
		notice = queue_take(&n->folders);
	if (!notice)
		n->is_running = false;
	pthread_mutex_unlock(&n->lock);
	return notice;
}

static bool is_stopping(struct notifier *n)
{
	bool stopping;

	pthread_mutex_lock(&n->lock);
	stopping = n->is_stopping;
	pthread_mutex_unlock(&n->lock);
	return stopping;
}

static void *run(void *userdata)
{
	struct notifier *n = userdata;
	struct notice *notice;

	while ((notice = take(n))) {
		if (!is_stopping(n))
			notice->tell(n, notice); /* what the kernel does not know it need not forget */
		notice->told(notice);
	}
	return NULL;
}

int notifier_start(struct notifier *n, struct fuse_session *session, struct mailbox *mailbox)
{
	sigset_t all, before;
	int r;

	n->session = session;
	n->mailbox = mailbox;
	n->is_running = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&n->thread, NULL, run, n);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	n->was_started = r == 0;
	if (r < 0)
		n->is_running = false;
	return r;
}

bool notifier_stop(struct notifier *n, int timeout_ms)
{
	struct timespec until;

	pthread_mutex_lock(&n->lock);
	n->is_stopping = true;
	pthread_cond_signal(&n->more);
	pthread_mutex_unlock(&n->lock);
	if (!n->was_started)
		return true;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += timeout_ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return pthread_timedjoin_np(n->thread, NULL, &until) == 0;
}

static bool accepts(const struct notifier *n)
{
	return n->is_running && !n->is_stopping;
}

/* Puts a copy into one of the queues unless it would be said anyway. */
static void tell_in(struct notifier *n, struct notice_queue *queue, size_t depth, const struct notice *what)
{
	struct notice *notice = calloc(1, sizeof(*notice));
	bool kept;

	if (!notice)
		return;
	*notice = *what;
	notice->told = free_notice;
	if (what->name && !(notice->name = strdup(what->name))) {
		free(notice);
		return;
	}
	pthread_mutex_lock(&n->lock);
	kept = accepts(n) && !queue_has(queue, notice, depth);
	if (kept && queue == &n->folders && !queue->first)
		n->folders_due_ms = clock_monotonic_ms() + FOLDER_DELAY_MS;
	if (kept) {
		queue_put(queue, notice);
		pthread_cond_signal(&n->more);
	}
	pthread_mutex_unlock(&n->lock);
	if (!kept)
		free_notice(notice);
}

static void tell(struct notifier *n, const struct notice *what)
{
	tell_in(n, &n->queue, REPEAT_DEPTH, what);
}

void notify_attributes(struct notifier *n, uint64_t ino)
{
	tell(n, &(struct notice){ .tell = tell_attributes, .ino = ino });
}

static void folder_attributes(struct notifier *n, int64_t row)
{
	tell_in(n, &n->folders, SIZE_MAX, &(struct notice){ .tell = tell_attributes, .ino = inode_make(INODE_FOLDER, 0, row) });
}

static void gone(struct notifier *n, int64_t folder, uint64_t ino, const char *name)
{
	uint64_t parent = inode_make(INODE_FOLDER, 0, folder);

	tell(n, &(struct notice){ .tell = tell_delete, .parent = parent, .ino = ino, .name = (char *)name });
	folder_attributes(n, folder);
}

static void renamed(struct notifier *n, int64_t folder, const char *name)
{
	notify_name_gone(n, inode_make(INODE_FOLDER, 0, folder), name);
	folder_attributes(n, folder);
}

/*
 * Every name in the folder is to be asked again. There is no notice for that, but forgetting the folder's own name drops what the
 * kernel knows below it; who stands in it or has files of it open keeps them.
 */
static void forget_folder(struct notifier *n, int64_t row)
{
	struct mailbox_folder folder;
	struct notice what;

	folder_attributes(n, row);
	if (row == MAILBOX_ROOT || mailbox_folder(n->mailbox, row, &folder) < 0)
		return;
	what = (struct notice){ .tell = tell_entry, .parent = inode_make(INODE_FOLDER, 0, folder.parent), .name = folder.name };
	tell_in(n, &n->folders, SIZE_MAX, &what);
}

enum room { ROOM_NONE, ROOM_SCARCE, ROOM_AMPLE };

static enum room room(struct notifier *n)
{
	enum room room = ROOM_NONE;

	pthread_mutex_lock(&n->lock);
	if (accepts(n))
		room = n->queue.n >= QUEUE_LIMIT ? ROOM_SCARCE : ROOM_AMPLE;
	pthread_mutex_unlock(&n->lock);
	return room;
}

static bool concerns_one_name(enum change_kind kind)
{
	return kind == CHANGE_MESSAGE_GONE || kind == CHANGE_MESSAGE_RENAMED || kind == CHANGE_MESSAGE_ADDED;
}

void notify_change(struct notifier *n, const struct change *change)
{
	enum change_kind kind = change->kind;
	enum room left = room(n);

	if (left == ROOM_NONE)
		return;
	if (left == ROOM_SCARCE && concerns_one_name(kind))
		kind = CHANGE_LISTING;
	switch (kind) {
	case CHANGE_MESSAGE_GONE:
		gone(n, change->folder, inode_make(INODE_MESSAGE, 0, change->row), change->name);
		break;
	case CHANGE_MESSAGE_RENAMED:
		renamed(n, change->folder, change->name);
		break;
	case CHANGE_FOLDER_GONE:
		gone(n, change->folder, inode_make(INODE_FOLDER, 0, change->row), change->name);
		break;
	case CHANGE_MESSAGE_ADDED: /* names that are not there are not remembered: the folder's time is all */
	case CHANGE_FOLDER_ADDED:
		folder_attributes(n, change->folder);
		break;
	case CHANGE_MESSAGE_ATTRIBUTES:
		notify_attributes(n, inode_make(INODE_MESSAGE, 0, change->row));
		break;
	case CHANGE_FOLDER_ATTRIBUTES:
		folder_attributes(n, change->row);
		break;
	case CHANGE_LISTING:
		forget_folder(n, change->folder);
		break;
	}
}

void notify_name_gone(struct notifier *n, uint64_t parent, const char *name)
{
	tell(n, &(struct notice){ .tell = tell_entry, .parent = parent, .name = (char *)name });
}

void notify_attributes_then(struct notifier *n, uint64_t ino, struct notice *notice, void (*told)(struct notice *notice))
{
	bool kept;

	*notice = (struct notice){ .told = told, .tell = tell_attributes, .ino = ino };
	pthread_mutex_lock(&n->lock);
	kept = accepts(n);
	if (kept) {
		queue_put(&n->queue, notice);
		pthread_cond_signal(&n->more);
	}
	pthread_mutex_unlock(&n->lock);
	if (!kept)
		told(notice);
}

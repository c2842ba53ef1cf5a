/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/wait.h"

#include "fs/requester.h"
#include "fs/session.h"

void waits_init(struct waits *waits)
{
	pthread_mutex_init(&waits->lock, NULL);
	waits->head.next = waits->head.previous = &waits->head;
	atomic_init(&waits->unanswered, 0);
}

static void link_wait(struct waits *waits, struct wait *w)
{
	pthread_mutex_lock(&waits->lock);
	w->next = &waits->head;
	w->previous = waits->head.previous;
	w->previous->next = w;
	waits->head.previous = w;
	pthread_mutex_unlock(&waits->lock);
}

static void unlink_wait(struct waits *waits, struct wait *w)
{
	pthread_mutex_lock(&waits->lock);
	w->previous->next = w->next;
	w->next->previous = w->previous;
	pthread_mutex_unlock(&waits->lock);
}

/* libfuse calls this with the request locked, so it only leaves a note. */
static void on_interrupt(fuse_req_t req, void *data)
{
	struct wait *w = data;

	(void)req;
	atomic_store(&w->is_interrupted, true);
	fs_wake(w->fs);
}

/* From here on waits_look() and on_interrupt() know the wait no more. */
static void forget(struct wait *w)
{
	unlink_wait(&w->fs->waits, w);
	if (w->req)
		fuse_req_interrupt_func(w->req, NULL, NULL);
}

void wait_end(struct wait *w)
{
	forget(w);
	if (!w->may_leave)
		atomic_fetch_sub(&w->fs->waits.unanswered, 1);
}

static void done(struct waiter *waiter, int result)
{
	struct wait *w = (struct wait *)waiter;
	struct waits *waits = &w->fs->waits;
	bool counts = !w->may_leave;

	forget(w);
	w->answered(w, result);
	if (counts)
		atomic_fetch_sub(&waits->unanswered, 1);
}

void wait_start(struct wait *w, struct fs *fs, struct fuse_req *req, void (*answered)(struct wait *w, int result))
{
	w->waiter = (struct waiter){ .done = done };
	w->fs = fs;
	w->req = req;
	w->answered = answered;
	atomic_init(&w->is_interrupted, false);
	if (!w->may_leave)
		atomic_fetch_add(&fs->waits.unanswered, 1);
	link_wait(&fs->waits, w);
	fuse_req_interrupt_func(req, on_interrupt, w);
}

/* The request leaves, the work goes on. Replies are made outside the lock: the wait is not touched after it. */
static void answer_left(fuse_req_t req, int result)
{
	fuse_req_interrupt_func(req, NULL, NULL);
	fuse_reply_err(req, -result);
}

/* One that may leave, or NULL; ends others on the way. */
static fuse_req_t look_once(struct fs *fs, bool everybody, bool *ret_more, int *ret_result)
{
	fuse_req_t leaving = NULL;
	struct wait *w;

	*ret_more = false;
	pthread_mutex_lock(&fs->waits.lock);
	for (w = fs->waits.head.next; w != &fs->waits.head && !leaving; w = w->next) {
		if (!w->req || !(everybody || atomic_load(&w->is_interrupted)))
			continue;
		*ret_more = true;
		if (!everybody && !requester_gives_up(fuse_req_ctx(w->req)->pid))
			continue;
		if (!w->may_leave) {
			mailbox_interrupt(fs->mailbox, &w->waiter);
		} else if (w->may_leave(w, ret_result)) {
			leaving = w->req;
			w->req = NULL;
		}
	}
	pthread_mutex_unlock(&fs->waits.lock);
	return leaving;
}

static bool look(struct fs *fs, bool everybody)
{
	fuse_req_t leaving;
	int result = 0;
	bool more;

	while ((leaving = look_once(fs, everybody, &more, &result)))
		answer_left(leaving, result);
	return more;
}

bool waits_look(struct fs *fs)
{
	return look(fs, false);
}

bool waits_end_all(struct fs *fs)
{
	look(fs, true);
	return atomic_load(&fs->waits.unanswered) > 0;
}

void waits_end_of(struct fs *fs, const void *owner)
{
	struct wait *w;

	pthread_mutex_lock(&fs->waits.lock);
	for (w = fs->waits.head.next; w != &fs->waits.head; w = w->next)
		if (w->owner == owner)
			mailbox_interrupt(fs->mailbox, &w->waiter);
	pthread_mutex_unlock(&fs->waits.lock);
}

bool waits_has(struct fs *fs, const void *owner)
{
	struct wait *w;
	bool found = false;

	pthread_mutex_lock(&fs->waits.lock);
	for (w = fs->waits.head.next; w != &fs->waits.head && !found; w = w->next)
		found = w->owner == owner;
	pthread_mutex_unlock(&fs->waits.lock);
	return found;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies on their way from the server into the cache: one message for those who wait, many for a reader who will come to them, ranges of a large one.
 *
 * A body's fetch has one job at a time; bytes go to an unnamed file as they arrive, waiting readers are told, and only the whole gets a name.
 */
#include "mailbox/mailbox_private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { FAIL_AGAIN_MS = 5000 }; /* a failed READ comes back page by page: it gets the same answer for this long */

struct fetch {
	struct job job;
	struct mailbox *mb;
	struct index_folder folder; /* own; filled in when it runs */
	/* The literal that is arriving: */
	struct body *body; /* whose it is; NULL while the server has not told */
	int fd;		   /* own while `body` is NULL, else the body's */
	int64_t offset, announced, written;
	size_t n;
	struct body *bodies[]; /* own references; ascending by UID */
};

static struct fetch *fetch_new(struct mailbox *mb, enum job_priority priority, struct body **bodies, size_t n)
{
	struct fetch *f = calloc(1, sizeof *f + n * sizeof(struct body *));

	if (!f)
		return NULL;
	f->mb = mb;
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

	return r == 0 && m.folder != b->folder ? -ENOENT : r;
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

static struct body *find_body(const struct fetch *f, uint32_t uid)
{
	size_t low = 0, high = f->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (f->bodies[middle]->uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->n && f->bodies[low]->uid == uid ? f->bodies[low] : NULL;
}

/* What the server's literal said goes to the index, so that the next stat is right. */
static int record_size(struct mailbox *mb, int64_t row, int64_t size)
{
	int r = index_begin(mb->index);

	return r < 0 ? r : index_end(mb->index, index_message_prove_size(mb->index, row, size));
}

static void remember_lies(struct mailbox *mb)
{
	if (atomic_exchange(&mb->sizes_lie, true))
		return;
	log_info("%s: the server's sizes are not exact: each message's is proven before it is opened", mb->configuration->account);
	if (state_set(mb->state, "sizes-lie", "1") < 0)
		log_debug("not recorded that sizes lie");
}

/* The true size is known: openers may go on. */
static int settle_size(struct mailbox *mb, struct body *b, int64_t size)
{
	struct waiter *satisfied;
	bool was_wrong = size != b->size;
	int r = 0;

	if (b->is_proven && was_wrong)
		return -EPROTO; /* readers were told another size: none of them may see these bytes */
	if (was_wrong)
		remember_lies(mb);
	if (!b->is_proven && (was_wrong || b->blocks || atomic_load(&mb->sizes_lie)))
		r = record_size(mb, b->row, size);
	if (r < 0)
		return r;
	pthread_mutex_lock(&mb->lock);
	b->was_wrong = b->was_wrong || was_wrong;
	b->size = size;
	b->is_proven = true;
	satisfied = body_take_satisfied(b);
	pthread_mutex_unlock(&mb->lock);
	if (was_wrong)
		mailbox_tell(mb, CHANGE_MESSAGE_ATTRIBUTES, b->folder, b->row, "");
	waiters_answer(satisfied, 0);
	return 0;
}

/* The bytes so far, to those who wait for them. */
static void announce_bytes(struct mailbox *mb, struct body *b, int64_t until)
{
	struct waiter *satisfied;

	pthread_mutex_lock(&mb->lock);
	if (until > b->until)
		b->until = until;
	satisfied = body_take_satisfied(b);
	pthread_mutex_unlock(&mb->lock);
	waiters_answer(satisfied, 0);
}

/* A descriptor for the body's bytes, made once. */
static int give_file(struct mailbox *mb, struct body *b, int *fd)
{
	int made = *fd >= 0 ? *fd : body_begin(mb->bodies);

	if (made < 0)
		return made;
	pthread_mutex_lock(&mb->lock);
	b->fd = made;
	b->from = b->until = 0;
	pthread_mutex_unlock(&mb->lock);
	*fd = made;
	return 0;
}

static int write_at(int fd, const void *data, size_t len, int64_t offset)
{
	const char *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

/* Everything is there: into the cache. Without room for a name it still serves those who have it open. */
static void publish(struct mailbox *mb, struct body *b)
{
	struct waiter *satisfied;
	int r = body_publish(mb->bodies, b->fd, b->row, b->size);

	if (r < 0)
		log_debug("a body was not kept in the cache: error %d", -r);
	pthread_mutex_lock(&mb->lock);
	b->is_complete = true;
	satisfied = body_take_satisfied(b);
	pthread_mutex_unlock(&mb->lock);
	waiters_answer(satisfied, 0);
}

/* Whole messages. */

static int whole_begin(void *userdata, uint32_t uid, int64_t size)
{
	struct fetch *f = userdata;
	int r;

	f->body = f->n == 1 ? f->bodies[0] : uid ? find_body(f, uid) : NULL;
	f->offset = 0;
	f->announced = size;
	f->written = 0;
	f->fd = f->body ? f->body->fd : -1;
	if (!f->body) {
		f->fd = body_begin(f->mb->bodies);
		return f->fd < 0 ? f->fd : 0;
	}
	r = f->fd >= 0 ? 0 : give_file(f->mb, f->body, &f->fd);
	return r < 0 ? r : settle_size(f->mb, f->body, size);
}

static int on_data(void *userdata, const void *data, size_t len)
{
	struct fetch *f = userdata;
	int r;

	if ((int64_t)len > f->announced - f->written)
		return -EPROTO;
	r = write_at(f->fd, data, len, f->offset + f->written);
	if (r < 0)
		return r;
	f->written += (int64_t)len;
	if (f->body && f->written < f->announced)
		announce_bytes(f->mb, f->body, f->offset + f->written);
	return 0;
}

static int whole_end(void *userdata, uint32_t uid)
{
	struct fetch *f = userdata;
	struct body *b = f->body;
	int r = 0;

	if (f->written != f->announced)
		return -EPROTO;
	if (!b) {
		b = find_body(f, uid);
		if (!b || b->fd >= 0) { /* not asked for, or told twice */
			close(steal_fd(&f->fd));
			return 0;
		}
		r = give_file(f->mb, b, &f->fd);
		f->fd = -1;
		if (r == 0)
			r = settle_size(f->mb, b, f->announced);
	}
	if (r == 0 && !b->is_complete)
		publish(f->mb, b);
	f->body = NULL;
	f->fd = -1;
	return r;
}

static int fetch_whole(struct fetch *f, struct backend **session)
{
	struct backend_fetch_sink sink = { .userdata = f, .begin = whole_begin, .data = on_data, .end = whole_end };
	CLEANUP(free) uint32_t *uids = calloc(f->n, sizeof *uids);
	struct backend_fetch what = { .uids = uids, .n = f->n };

	if (!uids)
		return -ENOMEM;
	for (size_t i = 0; i < f->n; i++)
		uids[i] = f->bodies[i]->uid;
	return backend_fetch(session, f->folder.wire, f->folder.uidvalidity, &what, &sink);
}

static int run_whole(struct job *j, struct backend **session)
{
	struct fetch *f = (struct fetch *)j;
	int r = find_folder(f);

	return r < 0 ? r : fetch_whole(f, session);
}

/* Ranges of a large message. */

static int count_begin(void *userdata, uint32_t uid, int64_t size)
{
	(void)uid;
	*(int64_t *)userdata = size;
	return 0;
}

static int count_data(void *userdata, const void *data, size_t len)
{
	(void)userdata, (void)data, (void)len;
	return 0;
}

static int count_end(void *userdata, uint32_t uid)
{
	(void)userdata, (void)uid;
	return 0;
}

/* Asked for two bytes from the last one on, the server gives exactly one when the size is what it claimed. */
static int prove_large(struct fetch *f, struct backend **session)
{
	struct body *b = f->bodies[0];
	int64_t n = -1;
	struct backend_fetch_sink sink = { .userdata = &n, .begin = count_begin, .data = count_data, .end = count_end };
	struct backend_fetch what = { .uids = &b->uid, .n = 1, .offset = b->size - 1, .length = 2 };
	int r = backend_fetch(session, f->folder.wire, f->folder.uidvalidity, &what, &sink);

	if (r < 0)
		return r;
	if (n < 0)
		return -ENOENT;
	return n == 1 ? settle_size(f->mb, b, b->size) : -ERANGE;
}

static int range_begin(void *userdata, uint32_t uid, int64_t size)
{
	struct fetch *f = userdata;

	(void)uid;
	if (size != f->announced)
		return -EPROTO;
	f->written = 0;
	return 0;
}

static int range_end(void *userdata, uint32_t uid)
{
	struct fetch *f = userdata;

	(void)uid;
	return f->written == f->announced ? 0 : -EPROTO;
}

/* Lock held. The first block that somebody waits for, or that a sequential reader will come to; -1: none. */
static int64_t next_block(const struct body *b)
{
	int64_t i, end;

	for (const struct waiter *w = b->readers; w; w = w->next)
		for (i = w->from / BODY_BLOCK; i * BODY_BLOCK < w->until; i++)
			if (!b->blocks[i])
				return i;
	if (b->wanted < 0)
		return -1;
	end = (b->size + BODY_BLOCK - 1) / BODY_BLOCK;
	i = b->wanted / BODY_BLOCK;
	return i < end && !b->blocks[i] ? i : -1;
}

/* Lock held. Sets the range to fetch next; a reader who goes on where the last range ended gets twice as much. False: nobody wants any. */
static bool plan_range(struct fetch *f)
{
	struct body *b = f->bodies[0];
	int64_t block = next_block(b), from = block * BODY_BLOCK, until;

	if (block < 0)
		return false;
	if (from && from == b->until)
		b->window = b->window * 2 < BODY_WINDOW_MAX ? b->window * 2 : BODY_WINDOW_MAX;
	else
		b->window = BODY_BLOCK;
	until = from;
	while (until < b->size && until < from + b->window && !b->blocks[until / BODY_BLOCK])
		until += BODY_BLOCK;
	if (until > b->size)
		until = b->size;
	b->wanted = -1;
	b->from = b->until = from;
	f->body = b;
	f->fd = b->fd;
	f->offset = from;
	f->announced = until - from;
	return true;
}

/* Lock held. True when no block is missing any more. */
static bool mark_blocks(struct fetch *f)
{
	struct body *b = f->bodies[0];
	int64_t n = (b->size + BODY_BLOCK - 1) / BODY_BLOCK;

	b->until = f->offset + f->announced;
	for (int64_t i = f->offset / BODY_BLOCK; i * BODY_BLOCK < b->until; i++)
		b->blocks[i] = 1;
	for (int64_t i = 0; i < n; i++)
		if (!b->blocks[i])
			return false;
	return true;
}

static int fetch_range(struct fetch *f, struct backend **session)
{
	struct backend_fetch_sink sink = { .userdata = f, .begin = range_begin, .data = on_data, .end = range_end };
	struct body *b = f->bodies[0];
	struct backend_fetch what = { .uids = &b->uid, .n = 1, .offset = f->offset, .length = f->announced };
	struct waiter *satisfied;
	bool is_whole;
	int r;

	f->written = -1;
	r = backend_fetch(session, f->folder.wire, f->folder.uidvalidity, &what, &sink);
	if (r == 0 && f->written < 0)
		r = -ENOENT;
	if (r < 0)
		return r;
	pthread_mutex_lock(&f->mb->lock);
	is_whole = mark_blocks(f);
	satisfied = body_take_satisfied(b);
	pthread_mutex_unlock(&f->mb->lock);
	waiters_answer(satisfied, 0);
	if (is_whole)
		publish(f->mb, b);
	return 0;
}

/* A large message whose size is not what the server said: read in one piece, whose literal tells. */
static int fetch_unproven(struct fetch *f, struct backend **session)
{
	pthread_mutex_lock(&f->mb->lock);
	free(f->bodies[0]->blocks);
	f->bodies[0]->blocks = NULL;
	pthread_mutex_unlock(&f->mb->lock);
	return fetch_whole(f, session);
}

static int run_ranges(struct job *j, struct backend **session)
{
	struct fetch *f = (struct fetch *)j;
	struct body *b = f->bodies[0];
	bool more;
	int fd = b->fd, r = find_folder(f);

	if (r == 0 && !b->is_proven)
		r = prove_large(f, session);
	if (r == -ERANGE)
		return fetch_unproven(f, session);
	if (r == 0 && fd < 0)
		r = give_file(f->mb, b, &fd);
	while (r == 0) {
		pthread_mutex_lock(&f->mb->lock);
		more = !b->is_complete && plan_range(f);
		if (!more)
			b->fetch = NULL; /* in one step with the decision, so that no reader waits for nobody */
		pthread_mutex_unlock(&f->mb->lock);
		if (!more)
			break;
		r = fetch_range(f, session);
	}
	return r;
}

/* The end of both. */

/* Lock held. What a body without all its bytes has left to do: those who wait start anew one by one, or learn why not. */
static struct waiter *settle(struct fetch *f, struct body *b, int result)
{
	if (b->is_complete || b->fetch != f)
		return NULL;
	b->fetch = NULL;
	if (!b->openers && !b->readers)
		return NULL;
	if (f->n > 1 && fetch_start(f->mb, b) == 0)
		return NULL;
	b->error = result < 0 ? result : -ENOENT;
	b->error_until_ms = clock_monotonic_ms() + FAIL_AGAIN_MS;
	return body_take_all(b);
}

static void fetch_done(struct job *j, int result, const char *why)
{
	struct fetch *f = (struct fetch *)j;
	struct mailbox *mb = f->mb;

	if (result < 0)
		log_warning("%s: %s: message UID %u%s not fetched: %s", mb->configuration->account, f->folder.name, f->bodies[0]->uid,
			    f->n > 1 ? " and others" : "", why);
	for (size_t i = 0; i < f->n; i++) {
		struct body *b = f->bodies[i];
		struct waiter *failed;
		int error;

		pthread_mutex_lock(&mb->lock);
		failed = settle(f, b, result);
		error = b->error;
		pthread_mutex_unlock(&mb->lock);
		waiters_answer(failed, error);
	}
	pthread_mutex_lock(&mb->lock);
	fetch_free(f);
	pthread_mutex_unlock(&mb->lock);
}

/* Lock held. */
static int submit(struct fetch *f)
{
	int r;

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
	f->job.run = is_large ? run_ranges : run_whole;
	return submit(f);
}

int fetch_start_ahead(struct mailbox *mb, struct body **bodies, size_t n)
{
	struct fetch *f = fetch_new(mb, JOB_BACKGROUND, bodies, n);

	if (!f)
		return -ENOMEM;
	f->job.run = run_whole;
	return submit(f);
}

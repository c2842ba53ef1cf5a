/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What arrives of a body: its true size to those who open it, its bytes to an unnamed file and those who read, the whole into the cache.
 */
#include "mailbox/fetch.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"

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

int fetch_settle_size(struct mailbox *mb, struct body *b, int64_t size)
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

int fetch_give_file(struct mailbox *mb, struct body *b, int *fd)
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

void fetch_publish(struct mailbox *mb, struct body *b)
{
	struct waiter *satisfied;
	int r = b->row > 0 ? body_publish(mb->bodies, b->fd, b->row, b->size) : -ESTALE;

	if (r < 0)
		log_debug("a body was not kept in the cache: error %d", -r);
	pthread_mutex_lock(&mb->lock);
	b->is_complete = true;
	satisfied = body_take_satisfied(b);
	pthread_mutex_unlock(&mb->lock);
	waiters_answer(satisfied, 0);
}

int fetch_on_data(void *userdata, const void *data, size_t len)
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

/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/imap.h"
#include "base/clock.h"
#include "base/log.h"

enum { IDLE_MS = 20 * 1000 }; /* after so long, a call that is not repeated asks first whether anybody is there */

const struct backend_ops *backend_for(const struct url *url)
{
	return url->protocol == URL_IMAP ? &imap_backend : NULL;
}

int backend_open(const struct backend_ops *ops, const struct backend_options *options, struct backend **ret, struct buf *why)
{
	int r = ops->open(options, ret, why);

	log_debug("%s: open %s: %s", ops->name, options->url->host, r < 0 ? buf_str(why) : "ok");
	return r;
}

void backend_close(struct backend *b)
{
	if (b)
		b->ops->close(b);
}

const char *backend_why(const struct backend *b)
{
	return buf_str(&b->why);
}

unsigned backend_abilities(const struct backend *b)
{
	return b->abilities;
}

int64_t backend_append_limit(const struct backend *b)
{
	return b->append_limit;
}

void backend_copied_release(struct backend_copied *copied)
{
	free(copied->uids);
	*copied = (struct backend_copied){ 0 };
}

/* Whether the connection was dead before the call began. */
static bool was_dead(const struct backend *b, bool used, int error)
{
	return b->broken && used && !b->answered && (error == -ENOTCONN || error == -ECONNRESET || error == -EPIPE);
}

/* Makes the session fit for a call. */
static int begin(struct backend *b)
{
	b->answered = b->refused = false;
	return b->broken ? b->ops->reopen(b) : 0;
}

/*
 * The same for a call that must not be repeated. A connection that nobody has used for a while may have died unnoticed, and that
 * is better found out with a question than with an answer that never comes.
 */
static int begin_once(struct backend *b)
{
	int r = begin(b);

	if (r < 0 || !b->used || !b->ops->noop || clock_monotonic_ms() - b->used_ms < IDLE_MS)
		return r;
	b->ops->noop(b);
	return begin(b);
}

static int end(struct backend *b, const char *what, const char *folder, int r)
{
	if (r == 0) {
		b->used = true;
		b->used_ms = clock_monotonic_ms();
	}
	log_debug("%s: %s %s: %s", b->ops->name, what, folder ? folder : "", r < 0 ? buf_str(&b->why) : "ok");
	return r;
}

/* `call` once, or twice when the session turns out to have died while nobody looked. */
#define CALL(b, name, folder, repeatable, call)                                                   \
	({                                                                                        \
		int r_ = !(b)->ops->name ? -EOPNOTSUPP : (repeatable) ? begin(b) : begin_once(b); \
		bool used_ = (b)->used;                                                           \
		if (r_ == 0) {                                                                    \
			r_ = (call);                                                              \
			if ((repeatable) && was_dead((b), used_, r_) && (r_ = begin(b)) == 0)     \
				r_ = (call);                                                      \
		}                                                                                 \
		end((b), #name, (folder), r_);                                                    \
	})

int backend_list(struct backend **b, int (*each)(void *userdata, const struct backend_folder *folder), void *userdata)
{
	return CALL(*b, list, NULL, true, (*b)->ops->list(*b, each, userdata));
}

int backend_status(struct backend **b, const char *folder, struct backend_status *ret)
{
	return CALL(*b, status, folder, true, (*b)->ops->status(*b, folder, ret));
}

int backend_sync(struct backend **b, const char *folder, const struct backend_known *known, const struct backend_sync_sink *sink)
{
	return CALL(*b, sync, folder, true, (*b)->ops->sync(*b, folder, known, sink));
}

int backend_fetch(struct backend **b, const char *folder, uint32_t uidvalidity, const struct backend_fetch *fetch,
		  const struct backend_fetch_sink *sink)
{
	return CALL(*b, fetch, folder, true, (*b)->ops->fetch(*b, folder, uidvalidity, fetch, sink));
}

int backend_store(struct backend **b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *add,
		  const char *remove)
{
	return CALL(*b, store, folder, true, (*b)->ops->store(*b, folder, uidvalidity, uids, n, add, remove));
}

int backend_copy(struct backend **b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
		 struct backend_copied *ret)
{
	*ret = (struct backend_copied){ 0 };
	return CALL(*b, copy, folder, false, (*b)->ops->copy(*b, folder, uidvalidity, uids, n, to, ret));
}

int backend_move(struct backend **b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
		 struct backend_copied *ret)
{
	*ret = (struct backend_copied){ 0 };
	return CALL(*b, move, folder, false, (*b)->ops->move(*b, folder, uidvalidity, uids, n, to, ret));
}

int backend_expunge(struct backend **b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n)
{
	return CALL(*b, expunge, folder, true, (*b)->ops->expunge(*b, folder, uidvalidity, uids, n));
}

int backend_uids_from(struct backend **b, const char *folder, uint32_t uidvalidity, uint32_t first, uint32_t **ret_uids,
		      size_t *ret_n)
{
	return CALL(*b, uids_from, folder, true, (*b)->ops->uids_from(*b, folder, uidvalidity, first, ret_uids, ret_n));
}

int backend_append(struct backend **b, const char *folder, const struct backend_append *message, uint32_t *ret_uidvalidity,
		   uint32_t *ret_uid)
{
	return CALL(*b, append, folder, false, (*b)->ops->append(*b, folder, message, ret_uidvalidity, ret_uid));
}

int backend_append_many(struct backend **b, const char *folder, const struct backend_append *messages, size_t n,
			uint32_t *ret_uidvalidity, uint32_t *ret_uids)
{
	return CALL(*b, append_many, folder, false, (*b)->ops->append_many(*b, folder, messages, n, ret_uidvalidity, ret_uids));
}

int backend_create(struct backend **b, const char *folder, enum special_use use)
{
	return CALL(*b, create, folder, false, (*b)->ops->create(*b, folder, use));
}

int backend_remove(struct backend **b, const char *folder)
{
	return CALL(*b, remove, folder, false, (*b)->ops->remove(*b, folder));
}

int backend_rename(struct backend **b, const char *from, const char *to)
{
	return CALL(*b, rename, from, false, (*b)->ops->rename(*b, from, to));
}

int backend_subscribe(struct backend **b, const char *folder, bool on)
{
	return CALL(*b, subscribe, folder, false, (*b)->ops->subscribe(*b, folder, on));
}

int backend_search_message_id(struct backend **b, const char *folder, const char *field, const char *message_id,
			      uint32_t **ret_uids, size_t *ret_n)
{
	return CALL(*b, search_message_id, folder, true,
		    (*b)->ops->search_message_id(*b, folder, field, message_id, ret_uids, ret_n));
}

int backend_quota(struct backend **b, struct backend_quota *ret)
{
	return CALL(*b, quota, NULL, true, (*b)->ops->quota(*b, ret));
}

int backend_gmail(struct backend **b, const char *folder, uint32_t uidvalidity, uint32_t uid, struct backend_gmail *ret)
{
	return CALL(*b, gmail, folder, true, (*b)->ops->gmail(*b, folder, uidvalidity, uid, ret));
}

int backend_rights(struct backend **b, const char *folder, struct buf *ret)
{
	return CALL(*b, rights, folder, true, (*b)->ops->rights(*b, folder, ret));
}

int backend_noop(struct backend **b)
{
	return CALL(*b, noop, NULL, true, (*b)->ops->noop(*b));
}

int backend_describe(struct backend **b, struct buf *ret)
{
	return CALL(*b, describe, NULL, true, (*b)->ops->describe(*b, ret));
}

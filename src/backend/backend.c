/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/backend.h"

#include <errno.h>
#include <string.h>

#include "backend/imap.h"
#include "base/log.h"

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

void backend_abort(struct backend *b)
{
	if (b)
		b->ops->abort(b);
}

const char *backend_why(const struct backend *b)
{
	return buf_str(&b->why);
}

/* Whether the connection was dead before the call began. */
static bool was_dead(const struct backend *b, bool used, int error)
{
	return b->broken && used && !b->answered && (error == -ENOTCONN || error == -ECONNRESET || error == -EPIPE);
}

/* Makes the session fit for a call. */
static int begin(struct backend *b)
{
	b->answered = false;
	return b->broken ? b->ops->reopen(b) : 0;
}

static int end(struct backend *b, const char *what, const char *folder, int r)
{
	if (r == 0)
		b->used = true;
	log_debug("%s: %s %s: %s", b->ops->name, what, folder ? folder : "", r < 0 ? buf_str(&b->why) : "ok");
	return r;
}

/* `call` once, or twice when the session turns out to have died while nobody looked. */
#define CALL(b, name, folder, repeatable, call)                                               \
	({                                                                                    \
		int r_ = (b)->ops->name ? begin(b) : -EOPNOTSUPP;                             \
		bool used_ = (b)->used;                                                       \
		if (r_ == 0) {                                                                \
			r_ = (call);                                                          \
			if ((repeatable) && was_dead((b), used_, r_) && (r_ = begin(b)) == 0) \
				r_ = (call);                                                  \
		}                                                                             \
		end((b), #name, (folder), r_);                                                \
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

int backend_append(struct backend **b, const char *folder, const struct backend_append *message, uint32_t *ret_uid)
{
	return CALL(*b, append, folder, false, (*b)->ops->append(*b, folder, message, ret_uid));
}

int backend_create(struct backend **b, const char *folder, enum special_use use)
{
	return CALL(*b, create, folder, false, (*b)->ops->create(*b, folder, use));
}

int backend_search_message_id(struct backend **b, const char *folder, const char *message_id, uint32_t **ret_uids, size_t *ret_n)
{
	return CALL(*b, search_message_id, folder, true, (*b)->ops->search_message_id(*b, folder, message_id, ret_uids, ret_n));
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

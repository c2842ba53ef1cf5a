/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_sync.h"

#include <errno.h>

#include "backend/imap_describe.h"
#include "backend/imap_search.h"
#include "backend/imap_select.h"
#include "backend/uid_set.h"

enum {
	SYNC_FEW = 2000,    /* so many UIDs are asked for without first asking which of them exist */
	SYNC_RECOUNTS = 3,  /* until the server's numbers agree with each other */
	SYNC_MISSING = 100, /* messages that are asked for one by one */
};

struct sync {
	struct imap_session *session; /* borrowed */
	struct backend_known known;   /* nothing, when UIDVALIDITY is another */
	struct backend_status status; /* as of EXAMINE */
	const struct backend_sync_sink *sink;
	struct imap_describe describe;
	uint64_t found; /* new messages told of */
};

/* As many messages as UIDs: all of them exist, as far as can be said before the count. */
static bool sync_is_dense(const struct sync *y, uint32_t first, uint32_t last)
{
	return y->status.messages >= y->known.messages && y->status.messages - y->known.messages == last - first + 1;
}

/* The UIDs to be described: those that the caller has not seen yet. */
static int sync_new_uids(struct sync *y, struct uid_set *ret)
{
	uint32_t first = y->known.uidnext, last = y->status.uidnext - 1;

	if (first > last || !y->status.messages)
		return 0;
	if (last - first < SYNC_FEW || sync_is_dense(y, first, last))
		return uid_set_add(ret, first, last);
	return imap_search_uids(y->session, first, last, ret);
}

static int sync_new(struct sync *y)
{
	CLEANUP(uid_set) struct uid_set uids = { 0 };
	int r;

	r = sync_new_uids(y, &uids);
	if (r == 0)
		r = imap_describe_messages(&y->describe, &uids, true);
	if (r == 0 && y->status.uidnext > y->known.uidnext && (!uids.n || uids.ranges[uids.n - 1].last + 1 < y->status.uidnext))
		r = y->sink->batch(y->sink->userdata, y->status.uidnext);
	y->found = uid_set_count(&y->describe.seen);
	return r;
}

/* Only what changed where both sides know modification sequences (RFC 7162 section 3.1.4.1), else the flags of all. */
static int sync_flags(struct sync *y)
{
	bool modseq = y->known.highestmodseq && y->status.highestmodseq >= y->known.highestmodseq;

	if (!y->known.messages || y->known.uidnext <= 1 || !y->status.messages)
		return 0;
	if (modseq && y->status.highestmodseq == y->known.highestmodseq)
		return 0;
	y->describe.since = modseq ? y->known.highestmodseq : 0;
	return imap_describe_flags(&y->describe, 1, y->known.uidnext - 1);
}

/* All UIDs, as many as EXISTS says. */
static int sync_recount(struct sync *y, struct uid_set *ret)
{
	struct imap_session *s = y->session;
	int r;

	for (int i = 0; i < SYNC_RECOUNTS; i++) {
		uid_set_release(ret);
		r = s->record.exists ? imap_search_uids(s, 1, UINT32_MAX, ret) : 0;
		if (r < 0)
			return r;
		if (uid_set_count(ret) == s->record.exists)
			return 0;
		r = imap_session_noop(&s->base); /* brings what the server had yet to say */
		if (r < 0)
			return r;
	}
	return imap_session_fail(s, -EAGAIN, "the server counts %u messages, but lists %llu", s->record.exists,
				 (unsigned long long)uid_set_count(ret));
}

static int sync_subtract(const struct uid_set *from, const struct uid_set *what, struct uid_set *ret)
{
	int r = 0;

	for (size_t i = 0; i < from->n; i++)
		for (uint64_t uid = from->ranges[i].first; uid <= from->ranges[i].last && r == 0; uid++)
			if (!uid_set_has(what, (uint32_t)uid))
				r = uid_set_add(ret, (uint32_t)uid, (uint32_t)uid);
	return r;
}

/* Messages of `all` from `first` on that nobody was told of. */
static int sync_missing(struct sync *y, const struct uid_set *all, uint32_t first)
{
	CLEANUP(uid_set) struct uid_set missing = { 0 }, still = { 0 };
	int r;

	r = sync_subtract(all, &y->describe.seen, &missing);
	if (r < 0)
		return r;
	uid_set_clip(&missing, first, y->status.uidnext - 1);
	if (!missing.n)
		return 0;
	r = imap_describe_messages(&y->describe, &missing, false);
	if (r == 0)
		r = sync_subtract(&missing, &y->describe.seen, &still);
	if (r == 0 && uid_set_count(&still) > SYNC_MISSING)
		return imap_session_fail(y->session, -EAGAIN, "the server lists %llu messages that it does not describe",
					 (unsigned long long)uid_set_count(&still));
	return r == 0 ? imap_describe_missing(&y->describe, &still) : r;
}

/* The counts do not explain themselves: everything that exists is told, below known.uidnext by present(). */
static int sync_reconcile(struct sync *y)
{
	CLEANUP(uid_set) struct uid_set all = { 0 };
	uint64_t below;
	int r;

	r = sync_recount(y, &all);
	if (r < 0)
		return r;
	uid_set_clip(&all, 1, y->status.uidnext - 1); /* what came meanwhile is for the next time */
	y->status.messages = (uint32_t)uid_set_count(&all);
	below = 0;
	for (size_t i = 0; i < all.n && all.ranges[i].first < y->known.uidnext; i++)
		below += (all.ranges[i].last < y->known.uidnext ? all.ranges[i].last + 1 : y->known.uidnext) - all.ranges[i].first;
	/* More than the caller knows: which ones nobody can tell, so it hears of all. */
	r = sync_missing(y, &all, below > y->known.messages ? 1 : y->known.uidnext);
	if (r < 0)
		return r;
	if (y->known.uidnext > 1)
		uid_set_clip(&all, 1, y->known.uidnext - 1);
	for (size_t i = 0; y->known.uidnext > 1 && i < all.n && r == 0; i++)
		r = y->sink->present(y->sink->userdata, all.ranges[i].first, all.ranges[i].last);
	return r == 0 ? y->sink->complete(y->sink->userdata, &y->status, true) : r;
}

static int sync_rest(struct sync *y)
{
	int r = sync_new(y);

	if (r == 0)
		r = sync_flags(y);
	if (r < 0)
		return r;
	/* Nothing old can come and nothing new can go unnoticed: if the numbers add up, nothing is gone. */
	if (!y->describe.disturbed && !y->session->record.expunged && y->status.messages == y->known.messages + y->found)
		return y->sink->complete(y->sink->userdata, &y->status, false);
	return sync_reconcile(y);
}

int imap_sync(struct backend *b, const char *folder, const struct backend_known *known, const struct backend_sync_sink *sink)
{
	struct imap_session *s = imap_session_of(b);
	struct sync y = { .session = s, .known = *known, .sink = sink };
	int r;

	r = imap_select_examine(s, folder);
	if (r < 0)
		return r;
	y.status = s->selected_status;
	r = sink->state(sink->userdata, &y.status);
	if (r < 0)
		return r;
	if (y.known.uidvalidity != y.status.uidvalidity || !y.known.uidnext) {
		y.known.uidnext = 1;
		y.known.messages = 0;
		y.known.highestmodseq = 0;
	}
	y.describe = (struct imap_describe){
		.session = s,
		.folder = folder,
		.known = &y.known,
		.sink = sink,
		.uidvalidity = y.status.uidvalidity,
	};
	r = sync_rest(&y);
	imap_describe_release(&y.describe);
	return r;
}

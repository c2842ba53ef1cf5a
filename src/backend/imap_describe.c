/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_describe.h"

#include <errno.h>
#include <string.h>

#include "backend/imap_command.h"
#include "backend/imap_items.h"
#include "backend/imap_search.h"
#include "backend/imap_select.h"
#include "base/log.h"

enum {
	DESCRIBE_RANGE = 5000,	  /* messages a command */
	DESCRIBE_HEADER = 2048,	  /* bytes of header fields */
	DESCRIBE_RECONNECTS = 64, /* while looking for what cannot be read */
	DESCRIBE_STRAY = 100000,  /* answers that nobody asked for */
};

/* What is asked of a message. Each later one is for a message that the earlier ones did not bring. */
enum describe_kind { KIND_WHOLE, KIND_NO_HEADER, KIND_NO_DATE, KIND_FLAGS };

void imap_describe_release(struct imap_describe *d)
{
	uid_set_release(&d->seen);
}

/* ------------------------------------------------------------ one command */

static const char *describe_items(const struct imap_describe *d, enum describe_kind kind)
{
	if (kind == KIND_FLAGS)
		return "(UID FLAGS)";
	if (kind == KIND_NO_DATE)
		return "(UID FLAGS RFC822.SIZE)";
	if (kind == KIND_NO_HEADER || !d->known->want_headers)
		return "(UID FLAGS INTERNALDATE RFC822.SIZE)";
	if (d->known->outgoing)
		return "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (TO CC SUBJECT)]<0.2048>)";
	return "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)]<0.2048>)";
}

static int describe_send(struct imap_describe *d, enum describe_kind kind, uint32_t first, uint32_t last, unsigned *ret_tag)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };

	imap_command_init(&c, d->session, "UID FETCH %u:%u %s", first, last, describe_items(d, kind));
	if (kind == KIND_FLAGS && d->since)
		imap_command_add(&c, " (CHANGEDSINCE %llu)", (unsigned long long)d->since);
	imap_command_add(&c, "\r\n");
	*ret_tag = d->session->tag;
	return imap_command_send(&c, NULL, NULL, NULL);
}

static int describe_tell(struct imap_describe *d, const struct imap_items *items)
{
	bool header = d->known->want_headers;
	struct backend_message message = {
		.uid = items->uid,
		.flags = items->flags,
		.internaldate_s = items->date_s,
		.size_bytes = items->size_bytes,
		.header = header ? (items->body.data ? items->body.data : "") : NULL,
		.header_len = !header				  ? 0
			      : items->body.len < DESCRIBE_HEADER ? items->body.len
								  : DESCRIBE_HEADER,
	};
	int r = uid_set_add(&d->seen, items->uid, items->uid);

	return r < 0 ? r : d->sink->message(d->sink->userdata, &message);
}

/* Whether this answers the command, and is not news of a flag that somebody changed meanwhile. */
static bool describe_is_answer(const struct imap_describe *d, const struct imap_items *items)
{
	if (items->uid < d->first || items->uid > d->last || !items->flags)
		return false;
	if (d->kind == KIND_FLAGS)
		return true;
	return items->has_size && (items->has_date || d->kind == KIND_NO_DATE) && !uid_set_has(&d->seen, items->uid);
}

static int describe_answer(void *userdata, const struct imap_items *items)
{
	struct imap_describe *d = userdata;

	if (++d->answers > (uint64_t)d->last - d->first + 1 + DESCRIBE_STRAY)
		return -EPROTO;
	if (!describe_is_answer(d, items))
		return 0;
	if (d->kind == KIND_FLAGS)
		return d->sink->flags(d->sink->userdata, items->uid, items->flags);
	return describe_tell(d, items);
}

/* `last` is that of the next command where one was sent already: the server may mix the answers. */
static int describe_receive(struct imap_describe *d, enum describe_kind kind, uint32_t first, uint32_t last, unsigned tag)
{
	struct imap_session *s = d->session;
	int r;

	d->kind = kind;
	d->first = first;
	d->last = last;
	d->answers = 0;
	r = imap_items_await(s, tag, describe_answer, d);
	if (r == 0)
		r = imap_command_result(s, "cannot list the messages");
	if (s->record.expunged)
		d->disturbed = true;
	/* What the next command, already sent, still brings has no reader any more. */
	if (r < 0)
		s->base.broken = true;
	return r;
}

static int describe_range(struct imap_describe *d, enum describe_kind kind, uint32_t first, uint32_t last)
{
	unsigned tag;
	int r = describe_send(d, kind, first, last, &tag);

	return r == 0 ? describe_receive(d, kind, first, last, tag) : r;
}

/* ------------------------------------------------------------ around what cannot be read */

static int describe_reconnect(struct imap_describe *d)
{
	struct imap_session *s = d->session;
	int r;

	d->disturbed = true;
	if (++d->reconnects > DESCRIBE_RECONNECTS)
		return imap_session_fail(s, -EPROTO, "too many messages of this folder cannot be read");
	r = imap_session_reopen(&s->base);
	if (r == 0)
		r = imap_select_examine(s, d->folder);
	if (r == 0 && s->selected_status.uidvalidity != d->uidvalidity)
		r = imap_session_fail(s, -ESTALE, "the folder was replaced while it was read");
	return r;
}

static int describe_single(struct imap_describe *d, uint32_t uid)
{
	const struct imap_items nothing = { .uid = uid, .flags = "" };
	enum describe_kind kind;
	int r;

	for (kind = KIND_WHOLE; kind < KIND_FLAGS; kind++) {
		r = describe_range(d, kind, uid, uid);
		if (r == -EPROTO)
			r = describe_reconnect(d);
		if (r < 0 || uid_set_has(&d->seen, uid))
			return r;
	}
	log_warning("%s: the server has message %u, but does not describe it in a way that can be read", d->folder, uid);
	return describe_tell(d, &nothing);
}

static int describe_single_flags(struct imap_describe *d, uint32_t uid)
{
	int r = describe_range(d, KIND_FLAGS, uid, uid);

	if (r == 0 || r != -EPROTO)
		return r;
	log_warning("%s: the flags of message %u cannot be read", d->folder, uid);
	return describe_reconnect(d);
}

static int describe_copy(const struct uid_set *set, uint32_t first, uint32_t last, struct uid_set *ret)
{
	int r = 0;

	for (size_t i = 0; i < set->n && r == 0; i++)
		r = uid_set_add(ret, set->ranges[i].first, set->ranges[i].last);
	uid_set_clip(ret, first, last);
	return r;
}

static int describe_halves(struct imap_describe *d, enum describe_kind kind, const struct uid_set *uids);

/* `uids` all exist. The depth of the recursion is the logarithm of their number. */
static int describe_carefully(struct imap_describe *d, enum describe_kind kind, const struct uid_set *uids)
{
	int r;

	if (!uids->n)
		return 0;
	if (uid_set_count(uids) == 1)
		return kind == KIND_FLAGS ? describe_single_flags(d, uids->ranges[0].first)
					  : describe_single(d, uids->ranges[0].first);
	r = describe_range(d, kind, uids->ranges[0].first, uids->ranges[uids->n - 1].last);
	if (r == 0 || r != -EPROTO)
		return r;
	r = describe_reconnect(d);
	return r == 0 ? describe_halves(d, kind, uids) : r;
}

static int describe_halves(struct imap_describe *d, enum describe_kind kind, const struct uid_set *uids)
{
	CLEANUP(uid_set) struct uid_set left = { 0 }, right = { 0 };
	uint64_t half = (uid_set_count(uids) + 1) / 2;
	uint32_t first = uids->ranges[0].first, last = uids->ranges[uids->n - 1].last, middle;
	int r;

	uid_set_span(uids, first, half > UINT32_MAX ? UINT32_MAX : (uint32_t)half, &middle);
	r = describe_copy(uids, first, middle, &left);
	if (r == 0 && middle < last)
		r = describe_copy(uids, middle + 1, last, &right);
	if (r == 0)
		r = describe_carefully(d, kind, &left);
	return r == 0 ? describe_carefully(d, kind, &right) : r;
}

/* first..last gave an answer that could not be read, and the connection is lost. */
static int describe_recover(struct imap_describe *d, enum describe_kind kind, uint32_t first, uint32_t last)
{
	CLEANUP(uid_set) struct uid_set uids = { 0 };
	int r;

	r = describe_reconnect(d);
	if (r == 0)
		r = imap_search_uids(d->session, first, last, &uids);
	if (r < 0 || !uids.n)
		return r;
	return describe_halves(d, kind, &uids);
}

/* ------------------------------------------------------------ all of them */

struct range {
	uint32_t first, last;
	unsigned tag;
	bool sent;
};

/* Asks for the range of `uids` behind `after`, if there is one. */
static int describe_next(struct imap_describe *d, const struct uid_set *uids, uint32_t after, struct range *ret)
{
	*ret = (struct range){ .first = after + 1 };
	if (after == UINT32_MAX || !uid_set_span(uids, after + 1, DESCRIBE_RANGE, &ret->last))
		return 0;
	ret->sent = true;
	return describe_send(d, KIND_WHOLE, ret->first, ret->last, &ret->tag);
}

int imap_describe_messages(struct imap_describe *d, const struct uid_set *uids, bool batches)
{
	struct range now, next;
	int r;

	r = describe_next(d, uids, uids->n ? uids->ranges[0].first - 1 : UINT32_MAX, &now);
	while (r == 0 && now.sent) {
		r = describe_next(d, uids, now.last, &next);
		if (r == 0)
			r = describe_receive(d, KIND_WHOLE, now.first, next.sent ? next.last : now.last, now.tag);
		if (r == -EPROTO) {
			r = describe_recover(d, KIND_WHOLE, now.first, now.last);
			if (r == 0 && next.sent)
				r = describe_next(d, uids, now.last, &next);
		}
		if (r == 0 && batches)
			r = d->sink->batch(d->sink->userdata, now.last + 1);
		now = next;
	}
	if (r < 0)
		d->session->base.broken = true; /* a command may be under way */
	return r;
}

int imap_describe_missing(struct imap_describe *d, const struct uid_set *uids)
{
	int r = 0;

	for (size_t i = 0; i < uids->n; i++)
		for (uint64_t uid = uids->ranges[i].first; uid <= uids->ranges[i].last && r == 0; uid++)
			r = uid_set_has(&d->seen, (uint32_t)uid) ? 0 : describe_single(d, (uint32_t)uid);
	return r;
}

int imap_describe_flags(struct imap_describe *d, uint32_t first, uint32_t last)
{
	int r = describe_range(d, KIND_FLAGS, first, last);

	return r == -EPROTO ? describe_recover(d, KIND_FLAGS, first, last) : r;
}

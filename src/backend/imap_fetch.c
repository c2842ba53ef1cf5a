/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_fetch.h"

#include <errno.h>

#include "backend/imap_command.h"
#include "backend/imap_items.h"
#include "backend/imap_select.h"

/* Bytes of a UID set in one command: some servers refuse long ones. */
enum { FETCH_SET_MAX = 900 };

struct fetch {
	struct imap_session *session; /* borrowed, as all but `done` */
	const struct backend_fetch *request;
	const struct backend_fetch_sink *sink;
	bool *done; /* own; for each of request->uids whether it was delivered */
};

/* A command on its way. */
struct piece {
	size_t next; /* the first of request->uids behind it */
	unsigned tag;
	bool sent;
};

/* ------------------------------------------------------------ results */

static int compare_uids(const void *a, const void *b)
{
	const uint32_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

/* Where `uid` stands among those asked for, if it was not delivered yet; else n. */
static size_t fetch_find(const struct fetch *f, uint32_t uid)
{
	const struct backend_fetch *q = f->request;
	const uint32_t *found = bsearch(&uid, q->uids, q->n, sizeof(*q->uids), compare_uids);
	size_t i = found ? (size_t)(found - q->uids) : q->n;

	return i < q->n && f->done[i] ? q->n : i;
}

static int fetch_begin(void *userdata, uint32_t uid, int64_t origin, int64_t size)
{
	struct fetch *f = userdata;
	const struct backend_fetch *q = f->request;
	bool ours = q->length ? !size || ((origin == q->offset || (origin < 0 && !q->offset)) && size <= q->length) : origin < 0;

	/* Other bytes than asked for, or of another message. */
	if (!ours || (uid && fetch_find(f, uid) == q->n))
		return -EPROTO;
	return f->sink->begin(f->sink->userdata, q->n == 1 ? q->uids[0] : uid, size);
}

static int fetch_data(void *userdata, const void *data, size_t len)
{
	struct fetch *f = userdata;

	return f->sink->data(f->sink->userdata, data, len);
}

/* A body in quotes is in the response. */
static int fetch_quoted(struct fetch *f, const struct imap_items *items)
{
	int r = fetch_begin(f, items->uid, f->request->length ? f->request->offset : -1, (int64_t)items->body.len);

	return r == 0 && items->body.len ? fetch_data(f, items->body.data, items->body.len) : r;
}

static int fetch_each(void *userdata, const struct imap_items *items)
{
	struct fetch *f = userdata;
	size_t i = fetch_find(f, items->uid);
	int r = 0;

	/*
	 * A body that went to the sink must be told whose it is. NIL means that the message has gone, no body at all is news of
	 * a flag.
	 */
	if (i == f->request->n)
		return items->body_diverted ? -EPROTO : 0;
	if (!items->body.data)
		return 0;
	if (!items->body_diverted)
		r = fetch_quoted(f, items);
	if (r < 0)
		return r;
	f->done[i] = true;
	return f->sink->end(f->sink->userdata, items->uid);
}

/* ------------------------------------------------------------ commands */

/* Appends as many of the UIDs from *i on as a command takes, those delivered already left out. */
static int fetch_set(const struct fetch *f, size_t *i, struct buf *out)
{
	const struct backend_fetch *q = f->request;
	size_t before = out->len, last;
	int r = 0;

	while (r == 0 && *i < q->n && out->len - before < FETCH_SET_MAX) {
		last = *i;
		if (f->done[last]) {
			(*i)++;
			continue;
		}
		while (last + 1 < q->n && q->uids[last + 1] == q->uids[last] + 1 && !f->done[last + 1])
			last++;
		r = buf_printf(out, last > *i ? "%s%u:%u" : "%s%u", out->len > before ? "," : "", q->uids[*i], q->uids[last]);
		*i = last + 1;
	}
	return r;
}

static int fetch_send(struct fetch *f, size_t from, struct piece *ret)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	CLEANUP(buf) struct buf set = BUF_INIT;
	int r;

	*ret = (struct piece){ .next = from };
	r = fetch_set(f, &ret->next, &set);
	if (r < 0 || !set.len)
		return r;
	imap_command_init(&c, f->session, "UID FETCH ");
	imap_command_add(&c, "%s (UID BODY.PEEK[]", buf_str(&set));
	if (f->request->length)
		imap_command_add(&c, "<%lld.%lld>", (long long)f->request->offset, (long long)f->request->length);
	imap_command_add(&c, ")\r\n");
	ret->tag = f->session->tag;
	ret->sent = true;
	return imap_command_send(&c, NULL, NULL, NULL);
}

/* Everything that is not done yet, the next command always on its way before the present one's results are read. */
static int fetch_pass(struct fetch *f)
{
	struct imap_session *s = f->session;
	const struct imap_body_sink body = { fetch_begin, fetch_data, f };
	struct piece now, next;
	int r;

	s->guard.body = &body;
	r = fetch_send(f, 0, &now);
	while (r == 0 && now.sent) {
		r = fetch_send(f, now.next, &next);
		if (r == 0)
			r = imap_items_await(s, now.tag, fetch_each, f);
		if (r == 0)
			r = imap_command_result(s, "cannot read messages");
		if (r < 0 && next.sent)
			s->base.broken = true; /* nobody will read what it brings */
		now = next;
	}
	s->guard.body = NULL;
	return r;
}

static bool fetch_is_done(const struct fetch *f)
{
	for (size_t i = 0; i < f->request->n; i++)
		if (!f->done[i])
			return false;
	return true;
}

static int fetch_all(struct fetch *f, bool fresh)
{
	int r = fetch_pass(f);

	/* What this session has not heard of yet may have come since the folder was opened. */
	if (r < 0 || fresh || fetch_is_done(f))
		return r;
	r = imap_session_noop(&f->session->base);
	return r == 0 ? fetch_pass(f) : r;
}

int imap_fetch(struct backend *b, const char *folder, uint32_t uidvalidity, const struct backend_fetch *fetch,
	       const struct backend_fetch_sink *sink)
{
	struct imap_session *s = imap_session_of(b);
	struct fetch f = { .session = s, .request = fetch, .sink = sink };
	bool fresh;
	int r;

	if (!fetch->n || (fetch->length && fetch->n != 1))
		return imap_session_fail(s, -EINVAL, "no such fetch");
	r = imap_select(s, folder, uidvalidity, &fresh);
	if (r < 0)
		return r;
	f.done = calloc(fetch->n, sizeof(*f.done));
	if (!f.done)
		return -ENOMEM;
	r = fetch_all(&f, fresh);
	free(f.done);
	return r;
}

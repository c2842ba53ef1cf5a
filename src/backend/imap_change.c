/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_change.h"

#include <errno.h>
#include <string.h>

#include "backend/imap_command.h"
#include "backend/imap_select.h"
#include "backend/imap_uidplus.h"
#include "backend/uid_set.h"

/* ------------------------------------------------------------ commands that may overtake their answers */

/* UID verb SET item (flags) */
struct step {
	const char *verb;
	const char *item, *flags; /* NULL: neither */
};

/* Steps, each done to a piece of the UIDs before the next piece has its turn. All borrowed but `set`. */
struct change {
	struct imap_session *session;
	const uint32_t *uids;
	size_t n, at; /* `at`: the first that is in no piece yet */
	struct step steps[2];
	size_t n_steps, step; /* `step`: the next one of this piece */
	struct buf set;	      /* own; this piece */
};

/* *ret_tag 0: nothing is left to be sent. */
static int change_send(struct change *c, unsigned *ret_tag)
{
	CLEANUP(imap_command) struct imap_command command = { 0 };
	const struct step *step;
	int r = 0;

	*ret_tag = 0;
	if (c->step == c->n_steps && c->at < c->n) {
		c->step = 0;
		buf_truncate(&c->set, 0);
		r = uid_list_format(c->uids, c->n, &c->at, &c->set);
	}
	if (r < 0 || c->step == c->n_steps)
		return r;
	step = &c->steps[c->step++];
	imap_command_init(&command, c->session, "UID %s ", step->verb);
	imap_command_add(&command, "%s", buf_str(&c->set));
	if (step->item)
		imap_command_add(&command, " %s (%s)", step->item, step->flags);
	imap_command_add(&command, "\r\n");
	*ret_tag = c->session->tag;
	return imap_command_send(&command, NULL, NULL, NULL);
}

/* One command is always on its way while the one before it is waited for. After a refusal no more are sent. */
static int change_run(struct change *c, const char *what)
{
	struct imap_session *s = c->session;
	unsigned now = 0, next = 0;
	int r;

	c->step = c->n_steps;
	r = c->n ? imap_select_catch_up(s, c->uids[c->n - 1]) : 0;
	if (r == 0)
		r = change_send(c, &now);
	while (r == 0 && now) {
		r = change_send(c, &next);
		if (r < 0)
			s->base.broken = true; /* nobody waits for the one before it any more */
		if (r == 0)
			r = imap_command_await(s, now, NULL, NULL);
		if (r == 0)
			r = imap_command_result(s, what);
		if (r < 0 && next && !s->base.broken)
			imap_command_await(s, next, NULL, NULL);
		now = next;
	}
	buf_release(&c->set);
	return r;
}

/* ------------------------------------------------------------ STORE, EXPUNGE */

static int change_permitted(struct imap_session *s, const char *flags, int error)
{
	int r = imap_select_permits(s, flags);

	return r ? (r < 0 ? r : 0) : imap_session_fail(s, error, "the folder does not permit to change %s", flags);
}

int imap_store(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *add,
	       const char *remove)
{
	struct imap_session *s = imap_session_of(b);
	struct change c = { .session = s, .uids = uids, .n = n, .set = BUF_INIT };
	int r;

	if (*add)
		c.steps[c.n_steps++] = (struct step){ "STORE", "+FLAGS.SILENT", add };
	if (*remove)
		c.steps[c.n_steps++] = (struct step){ "STORE", "-FLAGS.SILENT", remove };
	r = imap_select_for_change(s, folder, uidvalidity);
	if (r == 0)
		r = change_permitted(s, add, -ENOTSUP);
	if (r == 0)
		r = change_permitted(s, remove, -ENOTSUP);
	return r == 0 ? change_run(&c, "cannot change the flags") : r;
}

/* One step of all UIDs has been answered before the next one is sent. */
static int expunge_run(struct imap_session *s, const uint32_t *uids, size_t n)
{
	static const struct step steps[] = { { "STORE", "+FLAGS.SILENT", "\\Deleted" }, { "EXPUNGE", NULL, NULL } };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct change c = { .session = s, .uids = uids, .n = n, .steps = { steps[i] }, .n_steps = 1, .set = BUF_INIT };

		r = change_run(&c, "cannot remove the messages");
	}
	return r;
}

/*
 * UID EXPUNGE waits for the answer to the STORE: what a STORE changes must not be asked about before (RFC 9051 section 5.5), and Dovecot, in
 * a folder with thousands of messages, would look for \Deleted ones before it knows of the STORE, expunge none, and say OK.
 */
int imap_expunge(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n)
{
	struct imap_session *s = imap_session_of(b);
	int r;

	if (!(s->base.abilities & BACKEND_EXPUNGE_UID))
		return imap_session_fail(s, -EOPNOTSUPP,
					 "the server has no UIDPLUS: only all marked messages at once could be removed");
	r = imap_select_for_change(s, folder, uidvalidity);
	if (r == 0)
		r = change_permitted(s, "\\Deleted", -EACCES);
	return r == 0 ? expunge_run(s, uids, n) : r;
}

/* ------------------------------------------------------------ COPY, MOVE */

/* What was told of uids[from, to) goes into *ret. */
static void copy_learn(struct imap_session *s, const uint32_t *uids, size_t from, size_t to, struct backend_copied *ret)
{
	const char *line = buf_str(&s->record.uidplus), *end;
	uint32_t uidvalidity;

	for (; (end = strchr(line, '\n')); line = end + 1) {
		const struct imap_text text = { line, (size_t)(end - line) };

		if (!imap_uidplus_copied(text, uids + from, to - from, &uidvalidity, ret->uids + from))
			continue;
		/* Another folder of that name took the place of the one that got the earlier ones. */
		if (ret->uidvalidity && ret->uidvalidity != uidvalidity)
			memset(ret->uids, 0, from * sizeof(*ret->uids));
		ret->uidvalidity = uidvalidity;
	}
}

/* The source is open, so what does not exist is the destination. */
static int copy_errno(const struct imap_session *s, int r)
{
	return r == -ENXIO && !s->base.broken ? -ENOLINK : r;
}

static int copy_piece(struct imap_session *s, const char *verb, const char *set, const char *to)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };

	buf_truncate(&s->record.uidplus, 0);
	imap_command_init(&c, s, "UID %s ", verb);
	c.is_once = true;
	imap_command_add(&c, "%s ", set);
	imap_command_string(&c, to);
	return copy_errno(s, imap_command_run(&c, NULL, NULL, strcmp(verb, "MOVE") ? "cannot copy" : "cannot move"));
}

/* One after the other: after a refusal or a loss it must be known which ones are meant. */
static int copy_run(struct imap_session *s, const char *verb, const uint32_t *uids, size_t n, const char *to,
		    struct backend_copied *ret)
{
	CLEANUP(buf) struct buf set = BUF_INIT;
	size_t at = 0;
	int r;

	ret->uids = calloc(n ? n : 1, sizeof(*ret->uids));
	if (!ret->uids)
		return imap_session_fail(s, -ENOMEM, "no memory");
	r = n ? imap_select_catch_up(s, uids[n - 1]) : 0;
	while (r == 0 && at < n) {
		size_t from = at;

		buf_truncate(&set, 0);
		r = uid_list_format(uids, n, &at, &set);
		if (r == 0)
			r = copy_piece(s, verb, buf_str(&set), to);
		/* Also after an error: a UID told is a message copied. */
		copy_learn(s, uids, from, at, ret);
		if (r == 0)
			ret->done = at;
	}
	return r;
}

int imap_copy(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
	      struct backend_copied *ret)
{
	struct imap_session *s = imap_session_of(b);
	bool fresh;
	int r;

	r = imap_select(s, folder, uidvalidity, &fresh);
	return r == 0 ? copy_run(s, "COPY", uids, n, to, ret) : r;
}

int imap_move(struct backend *b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
	      struct backend_copied *ret)
{
	struct imap_session *s = imap_session_of(b);
	int r;

	if (!(s->base.abilities & BACKEND_MOVE))
		return imap_session_fail(s, -EOPNOTSUPP, "the server has no MOVE");
	r = imap_select_for_change(s, folder, uidvalidity);
	return r == 0 ? copy_run(s, "MOVE", uids, n, to, ret) : r;
}

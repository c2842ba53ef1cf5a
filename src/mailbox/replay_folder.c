/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folders made, deleted and renamed on the server. Each may be said again: what is as it was to be is done.
 */
#include "mailbox/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int send_create(struct backend **session, const struct journal_entry *e)
{
	int r = backend_create(session, e->folder, (enum special_use)atoi(e->detail));

	if (r == 0 || r == -EEXIST)
		backend_subscribe(session, e->folder, true); /* LSUB alone would not show it; no harm if not */
	return r == -EEXIST ? 0 : r;
}

/* DELETE would take messages with it that came in the meantime, or that are there and hidden. What cannot be opened is a mere name, or has gone: the answer to DELETE tells. */
static int check_still_empty(struct backend **session, const char *folder, const char **ret_why)
{
	struct backend_status status = { 0 };
	int r = backend_status(session, folder, &status);

	if (r < 0)
		return r == -ENXIO ? 0 : r;
	if (!status.messages)
		return 0;
	*ret_why = "there are messages in it on the server";
	return -ENOTEMPTY;
}

static int send_delete(struct backend **session, const struct journal_entry *e, const char **ret_why)
{
	const char *folder = e->folder;
	int r = check_still_empty(session, folder, ret_why);

	if (r == 0)
		r = backend_remove(session, folder);
	if (r == 0)
		backend_subscribe(session, folder, false);
	return r == -ENXIO ? 0 : r;
}

struct renamed {
	const char *to;
	struct table rests; /* row -> own; what follows in the name of it and of those below */
};

static int note_below(void *userdata, const struct index_folder *f)
{
	struct renamed *n = userdata;
	size_t len = strlen(n->to);

	if (!f->wire || strncmp(f->wire, n->to, len) || (f->wire[len] && f->wire[len] != f->delimiter))
		return 0;
	return table_set(&n->rests, f->row, strdup(f->wire + len));
}

/* Servers leave subscriptions behind under the old names. */
static void subscribe_renamed(struct mailbox *mb, struct backend **session, const char *from, const char *to)
{
	struct renamed n = { .to = to };
	char *rest;
	size_t i = 0;

	index_folder_each(mb->index, 0, 0, note_below, &n);
	while ((rest = table_next(&n.rests, &i))) {
		CLEANUP(buf) struct buf old = BUF_INIT, new = BUF_INIT;

		if (buf_printf(&old, "%s%s", from, rest) == 0 && buf_printf(&new, "%s%s", to, rest) == 0) {
			backend_subscribe(session, buf_str(&old), false);
			backend_subscribe(session, buf_str(&new), true);
		}
		free(rest);
	}
	table_release(&n.rests);
}

/* Its old name is not there: then it was renamed before, if the new one is. */
static int send_rename(struct mailbox *mb, struct backend **session, const struct journal_entry *e)
{
	CLEANUP(free) char *to = strndup(e->detail, strcspn(e->detail, "\n"));
	struct backend_status status;
	int r = to ? backend_rename(session, e->folder, to) : -ENOMEM;

	if (r == -ENXIO && backend_status(session, to, &status) == 0)
		r = 0;
	if (r == 0)
		subscribe_renamed(mb, session, e->folder, to);
	return r;
}

int replay_send_folder(struct mailbox *mb, struct backend **session, const struct journal_entry *e, const char **ret_why)
{
	int r;

	*ret_why = NULL;
	if (e->kind == JOURNAL_CREATE)
		r = send_create(session, e);
	else if (e->kind == JOURNAL_DELETE)
		r = send_delete(session, e, ret_why);
	else
		r = send_rename(mb, session, e);
	return (*session)->broken ? -ENOTCONN : r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a sync found, into the index, and the news of it.
 */
#include "mailbox/sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void sync_add_news(struct sync *s, enum change_kind kind, const struct index_message *m)
{
	if (!s->was_complete)
		return;
	s->is_changed = true;
	if (s->n_news < NEWS_MAX)
		s->news[s->n_news] = (struct change){ kind, s->folder.row, m->row, strdup(m->name) };
	s->n_news++;
}

void sync_tell_news(struct sync *s)
{
	struct mailbox *mb = s->mb;
	size_t kept = s->n_news < NEWS_MAX ? s->n_news : NEWS_MAX;

	if (s->n_news > NEWS_MAX)
		mailbox_tell(mb, CHANGE_LISTING, s->folder.row, 0, "");
	for (size_t i = 0; i < kept; i++) {
		const struct change *c = &s->news[i];

		if (s->n_news <= NEWS_MAX && c->name)
			mailbox_tell(mb, c->kind, c->folder, c->row, c->name);
		free((char *)c->name);
	}
	s->n_news = 0;
	if (s->is_changed)
		mailbox_tell(mb, CHANGE_FOLDER_ATTRIBUTES, s->folder.parent, s->folder.row, s->folder.name);
	s->is_changed = false;
}

/* A message below what was reached before is told again when the backend had to begin anew, or when its counts did not agree. */
static bool is_known(struct sync *s, const struct index_message *m)
{
	struct index_message known;

	return m->uid < s->folder.uidnext && index_message_by_uid(s->mb->index, m->folder, m->uid, &known) == 0;
}

/* In a transaction: those below `uidnext`; the others are the next batch's. */
int sync_write_messages(struct sync *s, uint32_t uidnext)
{
	struct index *ix = s->mb->index;
	size_t n_new = 0;
	int r = 0;

	for (size_t i = 0; i < s->n_messages && r == 0; i++) {
		struct found_message *f = &s->messages[i];

		if (f->message.uid >= uidnext || is_known(s, &f->message))
			continue;
		r = index_message_insert(ix, &f->message, f->flags);
		n_new++;
	}
	if (r == 0 && n_new && s->was_complete)
		r = index_folder_touch(ix, s->folder.row);
	if (r < 0 || uidnext <= s->folder.uidnext)
		return r;
	return index_folder_progress(ix, s->folder.row, uidnext);
}

/* In a transaction: writes those that differ from what is known. */
int sync_write_flags(struct sync *s)
{
	struct index *ix = s->mb->index;
	struct index_message m;
	int r = 0;

	for (size_t i = 0; i < s->n_flags; i++) {
		r = index_message_by_uid(ix, s->folder.row, s->flags[i].uid, &m);
		if (r == -ENOENT)
			continue;
		if (r == 0)
			r = index_message_set_flags(ix, m.row, s->flags[i].flags);
		if (r < 0)
			return r;
		if (r > 0)
			sync_add_news(s, CHANGE_MESSAGE_ATTRIBUTES, &m);
	}
	return 0;
}

static int delete_one(struct sync *s, uint32_t uid)
{
	struct index_message m;
	int r = index_message_by_uid(s->mb->index, s->folder.row, uid, &m);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = index_message_delete(s->mb->index, m.row);
	if (r == 0)
		sync_add_news(s, CHANGE_MESSAGE_GONE, &m);
	return r;
}

/* In a transaction: those that were known and that the complete list of what exists leaves out. */
static int write_gone(struct sync *s)
{
	CLEANUP(free) uint32_t *uids = NULL;
	size_t n = 0, range = 0;
	int r;

	r = index_message_uids(s->mb->index, s->folder.row, s->known.uidnext, &uids, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		while (range < s->n_present && s->present[range].last < uids[i])
			range++;
		if (range == s->n_present || uids[i] < s->present[range].first)
			r = delete_one(s, uids[i]);
	}
	return r;
}

/* In a transaction: all that is left to write. */
int sync_write_rest(struct sync *s, const struct backend_status *status, bool gone_told)
{
	struct index *ix = s->mb->index;
	int r = sync_write_messages(s, s->folder.uidnext);

	if (r == 0)
		r = sync_write_flags(s);
	if (r == 0 && gone_told)
		r = write_gone(s);
	if (r == 0 && s->is_changed)
		r = index_folder_touch(ix, s->folder.row);
	return r < 0 ? r : index_folder_complete(ix, s->folder.row, status->highestmodseq);
}

/* In a transaction. */
int sync_write_rights(struct sync *s, const char *rights)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = index_folder_get(s->mb->index, s->folder.row, &f);

	if (r < 0)
		return r;
	free(f.rights);
	f.rights = strdup(rights);
	return f.rights ? index_folder_put(s->mb->index, &f) : -ENOMEM;
}

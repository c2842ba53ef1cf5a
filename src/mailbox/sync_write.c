/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a sync found, into the index, and the news of it.
 */
#include "mailbox/sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mailbox/apply.h"
#include "message/flags.h"

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
		mailbox_tell_found(mb, CHANGE_LISTING, s->folder.row, 0, "");
	for (size_t i = 0; i < kept; i++) {
		const struct change *c = &s->news[i];

		if (s->n_news <= NEWS_MAX && c->name)
			mailbox_tell_found(mb, c->kind, c->folder, c->row, c->name);
		free((char *)c->name);
	}
	s->n_news = 0;
	if (s->is_changed)
		mailbox_tell(mb, CHANGE_FOLDER_ATTRIBUTES, s->folder.parent, s->folder.row, s->folder.name);
	s->is_changed = false;
}

/* Shown here, or elsewhere or nowhere while a change is on its way. */
static int find_known(struct sync *s, uint32_t uid, struct index_message *ret)
{
	int r = index_message_by_uid(s->mb->index, s->folder.row, uid, ret);

	return r == -ENOENT ? index_message_away(s->mb->index, s->folder.row, uid, ret) : r;
}

/* What this mount marked is shown again when another client takes the mark away. */
static int unmark(struct sync *s, struct index_message *m)
{
	m->folder = m->server_folder;
	m->uid = m->server_uid;
	m->server_folder = m->server_uid = 0;
	m->is_marked = false;
	sync_add_news(s, CHANGE_MESSAGE_ADDED, m);
	if (journal_kept_remove(s->mb->index, s->folder.wire, s->folder.uidvalidity, m->uid) < 0)
		return -EIO;
	return index_message_put(s->mb->index, m);
}

/* The server may have told them before it did what it has confirmed meanwhile, on another connection. */
static bool are_outdated(struct sync *s, int64_t row)
{
	struct mailbox *mb = s->mb;
	bool are;

	pthread_mutex_lock(&mb->lock);
	are = (uintptr_t)table_get(&mb->confirmed, row) > s->n_confirmed;
	pthread_mutex_unlock(&mb->lock);
	return are;
}

static int write_flags_of(struct sync *s, struct index_message *m, const char *flags)
{
	int r;

	if (are_outdated(s, m->row)) {
		s->left_flags = true;
		return 0;
	}
	r = m->is_marked && !flags_has(flags, "\\Deleted") ? unmark(s, m) : 0;
	return r < 0 ? r : apply_server_flags(s->mb, m->row, flags);
}

static int put_size(struct sync *s, struct index_message *known, int64_t size_bytes)
{
	int r;

	known->size_bytes = size_bytes;
	known->size_proven = false;
	body_remove(s->mb->bodies, known->row);
	r = index_message_put(s->mb->index, known);
	return r < 0 ? r : 1;
}

/*
 * A message is told again when the backend had to begin anew or when its counts did not agree, and once when this mount put it there. What the server says of its size then
 * counts: it may have changed the bytes. So do its flags: others may have changed them before it was put there, or since.
 */
static int is_known(struct sync *s, const struct found_message *f)
{
	const struct index_message *m = &f->message;
	struct index_message known;
	int r = m->uid < s->folder.uidnext || s->may_know ? find_known(s, m->uid, &known) : -ENOENT;
	bool is_changed;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = write_flags_of(s, &known, f->flags);
	is_changed = r > 0;
	if (r >= 0 && m->uid >= s->folder.uidnext && known.size_bytes != m->size_bytes)
		r = put_size(s, &known, m->size_bytes);
	if (is_changed || r > 0)
		sync_add_news(s, CHANGE_MESSAGE_ATTRIBUTES, &known);
	return r < 0 ? r : 1;
}

/* What this machine remembers of it. */
static int recall(struct sync *s, struct index_message *m, const char *flags)
{
	struct journal_kept kept = { 0 };
	int r = s->keeps_any ? journal_kept_get(s->mb->index, s->folder.wire, s->folder.uidvalidity, m->uid, &kept) : -ENOENT;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	m->mtime_ns = kept.mtime_ns;
	m->mode = kept.mode;
	if (kept.arrived_s)
		m->arrived_s = kept.arrived_s;
	if (*kept.name) {
		m->is_given = true;
		memcpy(m->name, kept.name, sizeof m->name);
	}
	if (!kept.is_marked || !flags_has(flags, "\\Deleted"))
		return 0;
	m->is_marked = true;
	m->server_folder = m->folder;
	m->server_uid = m->uid;
	m->folder = m->uid = 0;
	return 0;
}

/* A name that a user gave to another message stays that one's. */
static int settle_name(struct sync *s, struct index_message *m)
{
	struct index_message other;
	int r = s->has_given_names && m->folder ? index_message_by_name(s->mb->index, m->folder, m->name, &other) : -ENOENT;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	m->is_given = true;
	return apply_free_name(s->mb, m->folder, m->name, "", m->name);
}

/* A row that the journal keeps for it may be there already, shown nowhere, without its place on the server. */
static int put_message(struct index *ix, struct index_message *m, const char *flags)
{
	struct index_message there;
	int r = m->row ? index_message_get(ix, m->row, &there) : -ENOENT;

	if (r == -ENOENT)
		return m->folder ? index_message_insert(ix, m, flags) : index_message_insert_hidden(ix, m);
	if (r == 0)
		r = index_message_put(ix, m);
	if (r == 0)
		r = index_message_set_flags(ix, m->row, flags);
	return r < 0 ? r : 0;
}

static int insert_message(struct sync *s, struct found_message *f)
{
	struct index *ix = s->mb->index;
	struct index_message *m = &f->message;
	uint32_t uid = m->uid;
	bool is_pending = false;
	int r = recall(s, m, f->flags);

	if (r == 0)
		r = settle_name(s, m);
	if (r == 0 && !journal_is_empty(ix)) {
		r = journal_row_at(ix, s->folder.wire, s->folder.uidvalidity, uid, &m->row);
		is_pending = r == 0;
		r = r == -ENOENT ? 0 : r;
	}
	if (r == 0)
		r = put_message(ix, m, f->flags);
	return r == 0 && is_pending ? apply_show_anew(s->mb, m->row, NULL) : r;
}

static int prepare_writing(struct sync *s)
{
	int r = journal_keeps_any(s->mb->index, s->folder.wire, s->folder.uidvalidity);

	s->keeps_any = r > 0;
	if (r >= 0)
		r = index_has_given_names(s->mb->index, s->folder.row);
	s->has_given_names = r > 0 || s->keeps_any;
	if (r >= 0)
		r = index_may_know_from(s->mb->index, s->folder.row, s->folder.uidnext);
	s->may_know = r > 0;
	return r < 0 ? r : 0;
}

/* In a transaction: those below `uidnext`; the others are the next batch's. */
int sync_write_messages(struct sync *s, uint32_t uidnext)
{
	struct index *ix = s->mb->index;
	size_t n_new = 0;
	int r = prepare_writing(s); /* what is gone needs it, too, where nothing is new */

	for (size_t i = 0; i < s->n_messages && r == 0; i++) {
		struct found_message *f = &s->messages[i];

		if (f->message.uid >= uidnext)
			continue;
		r = is_known(s, f);
		if (r != 0) {
			r = r < 0 ? r : 0;
			continue;
		}
		r = insert_message(s, f);
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
	struct index_message m;
	int r = 0;

	for (size_t i = 0; i < s->n_flags; i++) {
		r = find_known(s, s->flags[i].uid, &m);
		if (r == -ENOENT)
			continue;
		if (r == 0)
			r = write_flags_of(s, &m, s->flags[i].flags);
		if (r < 0)
			return r;
		if (r > 0)
			sync_add_news(s, CHANGE_MESSAGE_ATTRIBUTES, &m);
	}
	return 0;
}

/* One with changes on their way is theirs to settle: it may have gone by one of them. */
static int delete_one(struct sync *s, uint32_t uid)
{
	struct index_message m;
	int64_t seq = 0;
	int r = find_known(s, uid, &m);

	if (r == 0 && !journal_is_empty(s->mb->index))
		r = journal_last_of(s->mb->index, m.row, &seq);
	if (r == -ENOENT || seq)
		return 0;
	if (r == 0 && (m.is_given || s->keeps_any || m.is_marked))
		r = journal_kept_remove(s->mb->index, s->folder.wire, s->folder.uidvalidity, uid);
	if (r == 0 && m.is_local) { /* a draft that is being written: it will be a new one */
		m.uid = 0;
		m.is_given = true;
		return index_message_put(s->mb->index, &m);
	}
	if (r == 0)
		r = index_message_delete(s->mb->index, m.row);
	if (r == 0 && m.folder)
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
	return r < 0 ? r : index_folder_complete(ix, s->folder.row, s->left_flags ? s->known.highestmodseq : status->highestmodseq);
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

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the server did: entries leave the journal, the tree shows what came of them.
 */
#include "mailbox/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "mailbox/changing_private.h"

static int forget_kept(struct mailbox *mb, const struct journal_place *place)
{
	return place->wire && place->uid ? journal_kept_remove(mb->index, place->wire, place->uidvalidity, place->uid) : 0;
}

/* The next one need not wait to learn whether the folder takes any. */
static void note_keyword(struct mailbox *mb, const struct journal_entry *e)
{
	CLEANUP(free) char *add = strndup(e->detail, strcspn(e->detail, "\n"));
	struct index_message m;

	if (!add || !changing_has_keyword(add) || index_message_get(mb->index, e->row, &m) < 0 || !m.folder)
		return;
	pthread_mutex_lock(&mb->lock);
	table_set(&mb->keywords, m.folder, &mb->keywords);
	pthread_mutex_unlock(&mb->lock);
}

static int confirm_flags(struct mailbox *mb, const struct journal_entry *e)
{
	CLEANUP(buf) struct buf server = BUF_INIT, now = BUF_INIT;
	int r = index_message_server_flags(mb->index, e->row, &server);

	note_keyword(mb, e);
	sync_note_confirmed(mb, e->row);
	if (r < 0 || !server.data)
		return r == -ENOENT ? 0 : r;
	r = apply_flags_words(buf_str(&server), e->detail, &now);
	if (r == 0) /* nobody else does, where this was the journal's last */
		r = index_message_set_server_flags(mb->index, e->row, NULL);
	if (r == 0)
		r = apply_server_flags(mb, e->row, buf_str(&now));
	return r < 0 ? r : 0;
}

static int confirm_removed(struct mailbox *mb, const struct journal_entry *e, const struct journal_place *place)
{
	int r = forget_kept(mb, place);

	if (r == 0)
		r = index_message_delete(mb->index, e->row);
	return r == -ENOENT ? 0 : r;
}

/* It stands in the folder, \Deleted, and is shown nowhere for as long as it does. */
static int confirm_marked(struct mailbox *mb, const struct journal_entry *e, const struct journal_place *place)
{
	struct journal_kept kept = { .is_marked = true };
	struct index_message m;
	int r = place->wire ? journal_kept_put(mb->index, place->wire, place->uidvalidity, place->uid, &kept) : 0;

	sync_note_confirmed(mb, e->row);
	if (r == 0)
		r = index_message_get(mb->index, e->row, &m);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	m.is_marked = true;
	return index_message_put(mb->index, &m);
}

/* An index that was made anew meets it there, under the name that it was given here; so does what the journal still holds of it. */
static int place_unknown(struct mailbox *mb, const struct journal_entry *e, uint32_t uidvalidity, uint32_t uid)
{
	CLEANUP(local_entry) struct local_entry local = { 0 };
	struct journal_place place = { .wire = e->folder, .uidvalidity = uidvalidity, .uid = uid, .is_given = true };
	struct journal_kept kept = { .arrived_s = clock_realtime_s() };
	int r = e->kind == JOURNAL_APPEND ? local_get(mb->index, e->row, &local) : 0;

	if (r < 0)
		return r;
	snprintf(kept.name, sizeof kept.name, "%s", e->kind == JOURNAL_APPEND ? local.name : e->detail);
	kept.mtime_ns = local.mtime_ns;
	kept.mode = local.mode;
	memcpy(place.name, kept.name, sizeof place.name);
	r = uid ? journal_kept_put(mb->index, e->folder, uidvalidity, uid, &kept) : 0;
	return r < 0 ? r : journal_place_put(mb->index, e->row, &place);
}

/* The user may have renamed the folder since. */
static int call_as_there(struct index_folder *f, const char *wire)
{
	char *copy = strdup(wire);

	if (!copy)
		return -ENOMEM;
	free(f->wire);
	f->wire = copy;
	return 0;
}

static int confirm_placed(struct mailbox *mb, const struct journal_entry *e, uint32_t uidvalidity, uint32_t uid, struct news *news)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message m;
	int r = index_message_get(mb->index, e->row, &m);

	if (r < 0)
		return r == -ENOENT ? place_unknown(mb, e, uidvalidity, uid) : r;
	r = apply_folder_of(mb, e, &f);
	if (r == -ENOENT || (r == 0 && !uid))
		return apply_nowhere(mb, e->row, news);
	if (r == 0)
		r = call_as_there(&f, e->folder);
	if (r < 0)
		return r;
	/* By now it may be called something else here. */
	return apply_place(mb, &m, &f, uidvalidity, uid,
			   m.folder == f.row || e->kind == JOURNAL_APPEND || !*e->detail ? m.name : e->detail, news);
}

char replay_renamed_delimiter(const struct journal_entry *e)
{
	const char *parent = strchr(e->detail, '\n');
	char *end = NULL;

	if (!parent)
		return '\0';
	strtoll(parent + 1, &end, 10);
	return *end == '\n' ? '\0' : *end;
}

static int confirm_renamed(struct mailbox *mb, const struct journal_entry *e)
{
	CLEANUP(free) char *to = strndup(e->detail, strcspn(e->detail, "\n"));

	return to ? journal_rename_folder(mb->index, e->folder, to, replay_renamed_delimiter(e)) : -ENOMEM;
}

static int confirm_deleted(struct mailbox *mb, const struct journal_entry *e)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = apply_deleted_folder(mb, e, &f);

	if (r == 0)
		r = index_folder_delete(mb->index, f.row);
	return r == -ENOENT ? 0 : r;
}

static int confirm(struct mailbox *mb, const struct journal_entry *e, const struct journal_place *place,
		   const struct replay_outcome *o, struct news *news)
{
	switch (e->kind) {
	case JOURNAL_FLAGS:
		return confirm_flags(mb, e);
	case JOURNAL_REMOVE:
		return confirm_removed(mb, e, place);
	case JOURNAL_MARK:
		return confirm_marked(mb, e, place);
	case JOURNAL_MOVE:
	case JOURNAL_APPEND:
	case JOURNAL_COPY:
		return confirm_placed(mb, e, o->uidvalidity, o->uid, news);
	case JOURNAL_CREATE:
		return 0;
	case JOURNAL_RENAME:
		return confirm_renamed(mb, e);
	case JOURNAL_DELETE:
		return confirm_deleted(mb, e);
	}
	return 0;
}

/* The bytes that were sent are the message's from now on; those of a draft that it replaces are nobody's. */
static void adopt_bytes(struct mailbox *mb, int64_t row)
{
	CLEANUP(fd) int fd = -1;
	struct stat st;

	pthread_mutex_lock(&mb->lock);
	body_forget(mb, row);
	pthread_mutex_unlock(&mb->lock);
	body_remove(mb->bodies, row);
	if (local_file_open(mb->files, row, O_RDONLY, &fd) == 0 && fstat(fd, &st) == 0)
		body_adopt(mb->bodies, fd, row, st.st_size);
}

/* Where the old place's row is already, should one of the two databases have kept what the other has not when all ended. */
static int find_left(struct mailbox *mb, const struct index_folder *f, const struct journal_place *place, int64_t moved,
		     struct index_message *ret)
{
	int r = index_message_away(mb->index, f->row, place->uid, ret);

	if (r == -ENOENT)
		r = index_message_by_uid(mb->index, f->row, place->uid, ret);
	return r == 0 && ret->row == moved ? -ENOENT : r;
}

/* The old place gets a row of its own, shown nowhere. A folder that is being deleted is known by its name on the wire alone. */
static int part_from_old_place(struct mailbox *mb, const struct journal_place *place, const struct index_message *moved,
			       int64_t *ret_row)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message old = { .arrived_s = moved->arrived_s }, there = { 0 };
	int r = index_folder_by_wire(mb->index, place->wire, &f);
	bool is_known = r == 0 && f.uidvalidity == place->uidvalidity;

	if (is_known)
		r = find_left(mb, &f, place, moved->row, &there);
	if (r < 0 && r != -ENOENT)
		return r;
	if (is_known && r == 0) {
		*ret_row = there.row;
		return 0;
	}
	if (is_known) {
		old.server_folder = f.row;
		old.server_uid = place->uid;
	}
	memcpy(old.name, place->name, sizeof old.name);
	r = index_message_insert_hidden(mb->index, &old);
	*ret_row = old.row;
	return r;
}

/* A move that was done as a copy goes on as the removal of what it left where it was, in its own place of the journal: before what comes behind, such as the end of that folder. */
static int leave_behind(struct mailbox *mb, const struct journal_entry *e, const struct journal_place *place)
{
	struct journal_entry remove = { .seq = e->seq, .kind = JOURNAL_REMOVE };
	struct index_message m = { .arrived_s = clock_realtime_s() };
	int r = index_message_get(mb->index, e->row, &m);

	if (r == 0) {
		m.server_folder = m.server_uid = 0;
		r = index_message_put(mb->index, &m);
	}
	if (r == 0 || r == -ENOENT)
		r = part_from_old_place(mb, place, &m, &remove.row);
	if (r == 0)
		r = journal_place_put(mb->index, remove.row, place);
	if (r == 0)
		r = journal_replace(mb->index, &remove);
	return r < 0 ? r : apply_show(mb, &remove);
}

/* ------------------------------------------------------------ all of it, in a transaction */

/* Writing takes turns: who changes something meanwhile waits for as many at most. */
enum { TOGETHER_MAX = 50 };

static int settle_within(struct changing *c, const struct replay_batch *batch, size_t i, replay_settling *settling,
			 const struct replay_outcome *o)
{
	const struct journal_entry *e = &batch->entries[i];
	int r = settling(c, e, &batch->places[i], o);

	if (r == 0 && e->row)
		r = journal_place_sweep(c->mb->index, e->row);
	if (r == 0 && e->source)
		r = journal_place_sweep(c->mb->index, e->source);
	return r;
}

static int settle_once(struct replay_batch *batch, size_t i, replay_settling *settling, const struct replay_outcome *o)
{
	struct changing c;
	int r = changing_begin(&c, batch->mb);

	return r < 0 ? r : changing_end(&c, settle_within(&c, batch, i, settling, o));
}

int replay_settle(struct replay_batch *batch, size_t i, replay_settling *settling, replay_settling *otherwise,
		  const struct replay_outcome *o)
{
	int r;

	if (batch->entries[i].kind >= JOURNAL_CREATE)
		atomic_fetch_add(&batch->mb->folder_changes, 1);
	r = settle_once(batch, i, settling, o);
	return r == -EEXIST || r == -ENOENT || r == -EINVAL ? settle_once(batch, i, otherwise, o) : r;
}

/* What would take a message from where it stands. */
static int note_taking(void *userdata, const struct journal_entry *e)
{
	bool takes = e->kind == JOURNAL_REMOVE || e->kind == JOURNAL_MARK || e->kind == JOURNAL_MOVE;

	if (takes)
		*(int64_t *)userdata = e->seq;
	return takes;
}

static int drop_taking(struct mailbox *mb, int64_t row)
{
	int64_t seq;
	int r;

	do {
		seq = 0;
		r = journal_each_of(mb->index, row, note_taking, &seq);
		if (r >= 0 && seq)
			r = journal_remove(mb->index, seq);
	} while (r >= 0 && seq);
	return r < 0 ? r : journal_place_sweep(mb->index, row);
}

/* A server that stores no message twice tells the UID of the one that it has. That is what was stored now, and the only one: whoever wanted the older one to go meant another. */
static int keep_what_was_there(struct mailbox *mb, const struct journal_entry *e, const struct replay_outcome *o)
{
	int64_t row = 0;
	int r;

	if (e->kind != JOURNAL_APPEND || !o->uid || (e->uidnext && o->uid >= e->uidnext))
		return 0;
	r = journal_row_at(mb->index, e->folder, o->uidvalidity, o->uid, &row);
	return r == -ENOENT ? 0 : r < 0 ? r : drop_taking(mb, row);
}

/* What was stored, and is known by no UID, may be the very message that it was to replace. */
static int keep_replaced(struct changing *c, const struct journal_entry *e, const struct replay_outcome *o)
{
	return e->kind == JOURNAL_APPEND && !o->uid ? replay_drop_depending(c, e->seq) : 0;
}

static int leave_journal(struct changing *c, const struct journal_entry *e, const struct journal_place *place,
			 const struct replay_outcome *o)
{
	int r = o->is_copied && e->kind == JOURNAL_MOVE ? leave_behind(c->mb, e, place) : journal_remove(c->mb->index, e->seq);

	if (r == 0)
		r = keep_what_was_there(c->mb, e, o);
	return r == 0 && e->kind == JOURNAL_MOVE ? forget_kept(c->mb, place) : r;
}

/* What was stored is a local file no more. */
static int forget_local(struct changing *c, const struct journal_entry *e)
{
	return e->kind == JOURNAL_APPEND ? local_remove(c->mb->index, e->row) : 0;
}

static int show_confirmed(struct changing *c, const struct journal_entry *e, const struct journal_place *place,
			  const struct replay_outcome *o)
{
	int r = leave_journal(c, e, place, o);

	if (r == 0)
		r = confirm(c->mb, e, place, o, &c->news);
	if (r == 0)
		r = keep_replaced(c, e, o);
	return r < 0 ? r : forget_local(c, e);
}

/* A sync will meet what came of it. */
static int show_nothing(struct changing *c, const struct journal_entry *e, const struct journal_place *place,
			const struct replay_outcome *o)
{
	bool is_placed = e->kind == JOURNAL_MOVE || e->kind == JOURNAL_COPY || e->kind == JOURNAL_APPEND;
	int r = leave_journal(c, e, place, o);

	if (r == 0 && is_placed)
		r = apply_nowhere(c->mb, e->row, &c->news);
	if (r == 0 || r == -ENOENT)
		r = keep_replaced(c, e, o);
	return r < 0 && r != -ENOENT ? r : forget_local(c, e);
}

/* Before it is confirmed, and then what of it is on this disk beside the databases. */
static void prepare_confirm(struct mailbox *mb, const struct journal_entry *e, const struct replay_outcome *o)
{
	if (e->kind == JOURNAL_APPEND && o->uid)
		adopt_bytes(mb, e->row);
}

static void finish_confirm(struct mailbox *mb, const struct journal_entry *e)
{
	if (e->kind == JOURNAL_APPEND)
		local_file_unlink(mb->files, e->row);
	if (e->kind == JOURNAL_REMOVE)
		body_remove(mb->bodies, e->row);
}

int replay_confirm(struct replay_batch *batch, size_t i, const struct replay_outcome *o)
{
	const struct journal_entry *e = &batch->entries[i];
	int r;

	prepare_confirm(batch->mb, e, o);
	r = replay_settle(batch, i, show_confirmed, show_nothing, o);
	if (r == 0)
		finish_confirm(batch->mb, e);
	return r;
}

static int confirm_together(struct replay_batch *batch, size_t from, size_t n, const struct replay_outcome *outcomes)
{
	struct changing c;
	int r;

	for (size_t i = 0; i < n; i++)
		prepare_confirm(batch->mb, &batch->entries[from + i], &outcomes[i]);
	r = changing_begin(&c, batch->mb);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = settle_within(&c, batch, from + i, show_confirmed, &outcomes[i]);
	r = changing_end(&c, r);
	for (size_t i = 0; i < n && r == 0; i++)
		finish_confirm(batch->mb, &batch->entries[from + i]);
	return r;
}

int replay_confirm_each(struct replay_batch *batch, size_t from, size_t n, const struct replay_outcome *outcomes)
{
	int r = 0;

	for (size_t done = 0, group; done < n && r == 0; done += group) {
		group = n - done < TOGETHER_MAX ? n - done : TOGETHER_MAX;
		if (batch->entries[from].kind < JOURNAL_CREATE && group > 1 &&
		    confirm_together(batch, from + done, group, outcomes + done) == 0)
			continue;
		/* One that the tree cannot show must not keep the others from being shown. */
		for (size_t i = 0; i < group && r == 0; i++)
			r = replay_confirm(batch, from + done + i, &outcomes[done + i]);
	}
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes into one command, and what the server's answer means: entries leave the journal, the tree shows what came of them.
 */
#include "mailbox/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "mailbox/changing_private.h"

enum { APPEND_BATCH_MAX = 100, SCAN_MAX = 5000 };
static const int64_t APPEND_BATCH_BYTES = 8 << 20;

void replay_batch_release(struct replay_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		journal_entry_release(&batch->entries[i]);
		journal_place_release(&batch->places[i]);
	}
	batch->n = 0;
}

/* ------------------------------------------------------------ batches */

struct gathering {
	struct replay_batch *batch;
	struct table skipped; /* rows whose changes wait for a later batch: what follows of them waits, too */
	size_t scanned;
	int64_t bytes;
	int error;
};

static int take_entry(struct replay_batch *batch, const struct journal_entry *e, struct journal_place *place)
{
	struct journal_entry *copy = &batch->entries[batch->n];

	*copy = *e;
	copy->folder = strdup(e->folder);
	copy->detail = strdup(e->detail);
	batch->places[batch->n] = *place;
	*place = (struct journal_place){ 0 };
	batch->n++;
	return copy->folder && copy->detail ? 0 : -ENOMEM;
}

/* Where the message stands that an entry is about. */
static int find_place(struct mailbox *mb, const struct journal_entry *e, struct journal_place *ret)
{
	int64_t row = e->kind == JOURNAL_COPY ? e->source : e->row;
	int r = row && e->kind != JOURNAL_APPEND ? journal_place_get(mb->index, row, ret) : -ENOENT;

	return r == -ENOENT ? 0 : r;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Whether one command can carry both. What may have been sent before is verified alone. */
static bool goes_with(const struct replay_batch *batch, const struct journal_entry *e, const struct journal_place *place)
{
	const struct journal_entry *first = &batch->entries[0];

	if (e->kind != first->kind || e->kind >= JOURNAL_CREATE || e->was_sent || first->was_sent || e->depends || first->depends)
		return false;
	if (!same_text(e->folder, first->folder) || (e->kind == JOURNAL_FLAGS && !same_text(e->detail, first->detail)))
		return false;
	return same_text(place->wire, batch->places[0].wire) && place->uidvalidity == batch->places[0].uidvalidity &&
	       !place->uid == !batch->places[0].uid;
}

static int64_t size_of(struct mailbox *mb, int64_t row)
{
	struct index_message m;

	return index_message_get(mb->index, row, &m) == 0 ? m.size_bytes : 0;
}

static bool is_full(struct gathering *g, const struct journal_entry *e)
{
	if (g->batch->n == REPLAY_BATCH_MAX)
		return true;
	if (e->kind != JOURNAL_APPEND)
		return false;
	g->bytes += size_of(g->batch->mb, e->row);
	return g->batch->n >= APPEND_BATCH_MAX || g->bytes > APPEND_BATCH_BYTES;
}

static int gather(void *userdata, const struct journal_entry *e)
{
	CLEANUP(journal_place) struct journal_place place = { 0 };
	struct gathering *g = userdata;
	struct replay_batch *batch = g->batch;
	int r;

	if (++g->scanned > SCAN_MAX)
		return 1;
	if (e->source && batch->n && table_get(&g->skipped, -e->source)) /* one command copies a message once */
		return table_set(&g->skipped, e->row, g);
	if (e->source && table_set(&g->skipped, -e->source, g) < 0)
		return -ENOMEM;
	if (batch->n && e->kind >= JOURNAL_CREATE) /* what comes behind may need that folder */
		return 1;
	r = find_place(batch->mb, e, &place);
	if (r < 0)
		return r;
	if (!batch->n)
		return take_entry(batch, e, &place);
	if (table_get(&g->skipped, e->row) || (e->source && table_get(&g->skipped, e->source)) || !goes_with(batch, e, &place)) {
		r = e->row ? table_set(&g->skipped, e->row, g) : 0;
		return r == 0 && e->source ? table_set(&g->skipped, e->source, g) : r;
	}
	if (is_full(g, e))
		return 1;
	return take_entry(batch, e, &place);
}

int replay_next_batch(struct mailbox *mb, struct replay_batch *batch)
{
	struct gathering g = { .batch = batch };
	int r;

	*batch = (struct replay_batch){ .mb = mb };
	if (journal_is_empty(mb->index))
		return 0;
	r = index_begin(mb->index);
	if (r < 0)
		return r;
	r = journal_each_after(mb->index, 0, gather, &g);
	index_rollback(mb->index);
	table_release(&g.skipped);
	if (r < 0)
		replay_batch_release(batch);
	return r < 0 ? r : batch->n > 0;
}

static int note_folder_change(void *userdata, const struct journal_entry *e)
{
	*(bool *)userdata = e->kind >= JOURNAL_CREATE;
	return *(bool *)userdata;
}

int replay_changes_folders(struct mailbox *mb)
{
	bool found = false;
	int r;

	if (journal_is_empty(mb->index))
		return 0;
	r = index_begin(mb->index);
	if (r < 0)
		return r;
	r = journal_each_after(mb->index, 0, note_folder_change, &found);
	index_rollback(mb->index);
	return r < 0 ? r : found;
}

/* ------------------------------------------------------------ confirmed */

/* A folder's row by its name on the wire; 0: there is none. */
static int64_t folder_row(struct mailbox *mb, const char *wire)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };

	return index_folder_by_wire(mb->index, wire, &f) == 0 ? f.row : 0;
}

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
	if (r < 0 || !server.data)
		return r == -ENOENT ? 0 : r;
	r = apply_flags_words(buf_str(&server), e->detail, &now);
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

	if (r == 0)
		r = index_message_get(mb->index, e->row, &m);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	m.is_marked = true;
	return index_message_put(mb->index, &m);
}

static int confirm_placed(struct mailbox *mb, const struct journal_entry *e, uint32_t uidvalidity, uint32_t uid, struct news *news)
{
	struct index_message m;
	int64_t folder = folder_row(mb, e->folder);
	int r = index_message_get(mb->index, e->row, &m);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* By now it may be called something else here. */
	return apply_place(mb, e->row, folder ? folder : INDEX_ROOT, uidvalidity, folder ? uid : 0,
			   m.folder == folder || e->kind == JOURNAL_APPEND || !*e->detail ? m.name : e->detail, news);
}

static int confirm_renamed(struct mailbox *mb, const struct journal_entry *e)
{
	CLEANUP(free) char *to = strndup(e->detail, strcspn(e->detail, "\n"));
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = to ? index_folder_by_wire(mb->index, to, &f) : -ENOMEM;

	return r < 0 ? (r == -ENOENT ? 0 : r) : journal_rename_folder(mb->index, e->folder, to, f.delimiter);
}

static int confirm_deleted(struct mailbox *mb, const struct journal_entry *e)
{
	int r = index_folder_delete(mb->index, strtoll(e->detail, NULL, 10));

	return r == -ENOENT ? 0 : r;
}

static int confirm(struct replay_batch *batch, size_t i, uint32_t uidvalidity, uint32_t uid, struct news *news)
{
	const struct journal_entry *e = &batch->entries[i];
	const struct journal_place *place = &batch->places[i];
	struct mailbox *mb = batch->mb;

	switch (e->kind) {
	case JOURNAL_FLAGS:
		return confirm_flags(mb, e);
	case JOURNAL_REMOVE:
		return confirm_removed(mb, e, place);
	case JOURNAL_MARK:
		return confirm_marked(mb, e, place);
	case JOURNAL_MOVE:
		return confirm_placed(mb, e, uidvalidity, uid, news);
	case JOURNAL_APPEND:
	case JOURNAL_COPY:
		return confirm_placed(mb, e, uidvalidity, uid, news);
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

int replay_confirm(struct replay_batch *batch, size_t i, uint32_t uidvalidity, uint32_t uid)
{
	const struct journal_entry *e = &batch->entries[i];
	struct mailbox *mb = batch->mb;
	CLEANUP(news) struct news news = { 0 };
	int r;

	if (e->kind == JOURNAL_APPEND && uid)
		adopt_bytes(mb, e->row);
	if (e->kind >= JOURNAL_CREATE)
		atomic_fetch_add(&mb->folder_changes, 1);
	r = index_begin(mb->index);
	if (r < 0)
		return r;
	r = journal_remove(mb->index, e->seq);
	if (r == 0 && e->kind == JOURNAL_MOVE)
		r = forget_kept(mb, &batch->places[i]);
	if (r == 0 && e->kind == JOURNAL_APPEND)
		r = local_remove(mb->index, e->row);
	if (r == 0)
		r = confirm(batch, i, uidvalidity, uid, &news);
	if (r == 0 && e->row)
		r = journal_place_sweep(mb->index, e->row);
	if (r == 0 && e->source)
		r = journal_place_sweep(mb->index, e->source);
	r = index_end(mb->index, r);
	if (r < 0)
		return r;
	if (e->kind == JOURNAL_APPEND)
		local_file_unlink(mb->files, e->row);
	if (e->kind == JOURNAL_REMOVE)
		body_remove(mb->bodies, e->row);
	news_tell(mb, &news);
	return 0;
}

/* The old place gets a row of its own, shown nowhere. */
static int leave_behind(struct mailbox *mb, const struct journal_entry *e, const struct journal_place *place)
{
	struct journal_entry remove = { .kind = JOURNAL_REMOVE };
	struct index_message m, old;
	int64_t folder = folder_row(mb, place->wire);
	int r = index_message_get(mb->index, e->row, &m);

	if (r < 0)
		return r;
	m.server_folder = m.server_uid = 0;
	r = index_message_put(mb->index, &m);
	if (r == 0 && folder && index_message_away(mb->index, folder, place->uid, &old) == 0) /* left behind before a crash */
		return 0;
	old = (struct index_message){ .arrived_s = m.arrived_s };
	if (folder) { /* else it is being deleted, and known by its name on the wire alone */
		old.server_folder = folder;
		old.server_uid = place->uid;
	}
	memcpy(old.name, m.name, sizeof old.name);
	if (r == 0)
		r = index_message_insert_hidden(mb->index, &old);
	remove.row = old.row;
	if (r == 0)
		r = journal_place_put(mb->index, old.row, place);
	return r < 0 ? r : journal_append(mb->index, &remove);
}

int replay_leave_behind(struct replay_batch *batch, size_t i)
{
	struct mailbox *mb = batch->mb;
	int r = index_begin(mb->index);

	if (r == 0)
		r = index_end(mb->index, leave_behind(mb, &batch->entries[i], &batch->places[i]));
	return r == -ENOENT ? 0 : r;
}

/* ------------------------------------------------------------ refused */

static const char *const doings[] = {
	[JOURNAL_FLAGS] = "changing the flags of",
	[JOURNAL_MOVE] = "moving",
	[JOURNAL_REMOVE] = "removing",
	[JOURNAL_MARK] = "marking as deleted",
	[JOURNAL_APPEND] = "storing",
	[JOURNAL_COPY] = "copying",
	[JOURNAL_CREATE] = "making the folder",
	[JOURNAL_DELETE] = "deleting the folder",
	[JOURNAL_RENAME] = "renaming the folder",
};

static void say(struct mailbox *mb, const struct journal_entry *e, const char *why)
{
	CLEANUP(buf) struct buf line = BUF_INIT;
	struct index_message m = { 0 };
	int r;

	if (e->row)
		index_message_get(mb->index, e->row, &m);
	r = buf_printf(&line, "%s %s was refused and is taken back: %s", doings[e->kind], e->row ? m.name : e->folder, why);
	if (r == 0)
		mailbox_say(mb, buf_str(&line));
}

/* Its name and place in the tree as before. */
static int show_old_name(struct mailbox *mb, const struct journal_entry *e, struct news *news)
{
	const char *parent = strchr(e->detail, '\n'), *name = parent ? strchr(parent + 1, '\n') : NULL;
	CLEANUP(free) char *to = strndup(e->detail, strcspn(e->detail, "\n"));
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = to && name ? index_folder_by_wire(mb->index, to, &f) : -ENOENT;

	if (r == 0)
		r = news_add(news, CHANGE_FOLDER_GONE, f.parent, f.row, f.name);
	if (r == 0)
		r = changing_put_folder(mb, &f, strtoll(parent, NULL, 10), name + 1, e->folder);
	if (r == 0)
		r = news_add(news, CHANGE_FOLDER_ADDED, f.parent, f.row, f.name);
	return r == -ENOENT ? 0 : r;
}

static int show_again(struct mailbox *mb, const struct journal_entry *e, struct news *news)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	const char *name = strchr(e->detail, '\n');
	int r = name ? index_folder_get(mb->index, strtoll(e->detail, NULL, 10), &f) : -ENOENT;

	if (r == 0 && folder_row(mb, e->folder)) /* another has its name by now: what the server lists will tell */
		return index_folder_delete(mb->index, f.row);
	f.wire = r == 0 ? strdup(e->folder) : NULL;
	if (r < 0 || !f.wire)
		return r == -ENOENT ? 0 : r < 0 ? r : -ENOMEM;
	look_forget(mb, f.row);
	f.attributes &= ~(unsigned)INDEX_FOLDER_HIDDEN;
	snprintf(f.name, sizeof f.name, "%s", name + 1);
	r = index_folder_put(mb->index, &f);
	return r < 0 ? r : news_add(news, CHANGE_FOLDER_ADDED, f.parent, f.row, f.name);
}

static int take_back_folder(struct mailbox *mb, const struct journal_entry *e, struct news *news)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r;

	if (e->kind == JOURNAL_RENAME)
		return show_old_name(mb, e, news);
	if (e->kind == JOURNAL_DELETE)
		return show_again(mb, e, news);
	r = index_folder_by_wire(mb->index, e->folder, &f);
	if (r == 0)
		r = index_folder_delete(mb->index, f.row);
	if (r == 0)
		r = news_add(news, CHANGE_FOLDER_GONE, f.parent, f.row, f.name);
	return r == -ENOENT ? 0 : r;
}

/* A copy that there is none of. */
static int drop_copy(struct mailbox *mb, int64_t row, struct news *news)
{
	struct index_message m;
	int r = index_message_get(mb->index, row, &m);

	if (r == 0)
		r = index_message_delete(mb->index, row);
	if (r == 0 && m.folder)
		r = news_add(news, CHANGE_MESSAGE_GONE, m.folder, row, m.name);
	return r == -ENOENT ? 0 : r;
}

static int take_back(struct changing *c, const struct journal_entry *e)
{
	int r;

	if (e->kind >= JOURNAL_CREATE)
		return take_back_folder(c->mb, e, &c->news);
	if (e->kind == JOURNAL_APPEND)
		return upload_set_aside(c, e->row);
	if (e->kind == JOURNAL_COPY)
		return drop_copy(c->mb, e->row, &c->news);
	r = apply_show_anew(c->mb, e->row, &c->news);
	return r == -ENOENT ? 0 : r;
}

struct depending {
	struct journal_entry entry; /* its numbers alone */
};

static int note_one(void *userdata, const struct journal_entry *e)
{
	struct depending *d = userdata;

	d->entry = (struct journal_entry){ .seq = e->seq, .kind = e->kind, .row = e->row };
	return 1;
}

/* What was to follow it does not come either. */
static int drop_depending(struct changing *c, int64_t seq)
{
	struct depending d;
	int r;

	do {
		d = (struct depending){ 0 };
		r = journal_each_depending(c->mb->index, seq, note_one, &d);
		if (r >= 0 && d.entry.seq)
			r = journal_remove(c->mb->index, d.entry.seq);
		if (r >= 0 && d.entry.seq)
			r = take_back(c, &d.entry);
	} while (r >= 0 && d.entry.seq);
	return r < 0 ? r : 0;
}

int replay_refuse(struct replay_batch *batch, size_t i, int error, const char *why)
{
	const struct journal_entry *e = &batch->entries[i];
	struct mailbox *mb = batch->mb;
	struct changing c;
	int r;

	say(mb, e, why);
	if (e->kind >= JOURNAL_CREATE)
		atomic_fetch_add(&mb->folder_changes, 1);
	replay_note_refused(mb->replay, e->row, e->seq, error);
	r = changing_begin(&c, mb);
	if (r < 0)
		return r;
	r = journal_remove(mb->index, e->seq);
	if (r == 0)
		r = take_back(&c, e);
	if (r == 0) /* what it was to replace gets its name back */
		r = drop_depending(&c, e->seq);
	if (r == 0 && e->row)
		r = journal_place_sweep(mb->index, e->row);
	r = changing_end(&c, r);
	if (r != -EEXIST && r != -ENOENT && r != -EINVAL)
		return r;
	/* The tree cannot show it as it was: the next sync tells. What comes behind must not wait for ever. */
	r = changing_begin(&c, mb);
	return r < 0 ? r : changing_end(&c, journal_remove(mb->index, e->seq));
}

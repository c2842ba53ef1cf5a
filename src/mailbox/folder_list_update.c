/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folder list brought up to date: from LIST's wire names to the tree's rows in the index.
 */
#include "mailbox/mailbox_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "mailbox/replay.h"
#include "message/folder_name.h"

/* One folder as the server told it, kept until the list is complete: a listing that breaks off changes nothing. */
struct told_folder {
	struct backend_folder folder;
	char *wire; /* own */
};

struct told_list {
	struct told_folder *items; /* own */
	size_t n, cap;
};

static void told_list_release(struct told_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].wire);
	free(l->items);
}

static inline void told_list_cleanup(struct told_list *l)
{
	told_list_release(l);
}

static int tell(void *userdata, const struct backend_folder *folder)
{
	struct told_list *l = userdata;
	struct told_folder *items;
	size_t cap = l->cap ? l->cap * 2 : 64;

	if (l->n == l->cap) {
		items = reallocarray(l->items, cap, sizeof *items);
		if (!items)
			return -ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n] = (struct told_folder){ *folder, strdup(folder->wire) };
	if (!l->items[l->n].wire)
		return -ENOMEM;
	l->items[l->n].folder.wire = l->items[l->n].wire;
	l->n++;
	return 0;
}

/* The update of one listing. */
struct update {
	struct mailbox *mb;
	unsigned folder_changes; /* as of the question */
	struct table seen;	 /* rows that the server has, or that stand above such */
	struct table announced;	 /* rows that are new */
};

/* The path in the tree, components joined by '/', each escaped; `ends` gets where each ends in the wire name. */
static int tree_path(const struct backend_folder *f, struct buf *path)
{
	const char *p = f->wire + f->prefix_len;
	bool top = true;
	int r;

	while (true) {
		const char *end = f->delimiter ? strchr(p, f->delimiter) : NULL;
		size_t len = end ? (size_t)(end - p) : strlen(p);

		if (end && !end[1] && len) /* a trailing delimiter names the same folder */
			end = NULL;
		if (!top && (r = buf_append_char(path, '/')) < 0)
			return r;
		r = folder_name_to_component(p, len, f->wire_is_utf8, top, path);
		if (r < 0 || !end)
			return r;
		p = end + 1;
		top = false;
	}
}

static int mark(struct table *t, int64_t row)
{
	return table_set(t, row, t);
}

/* What the server told of the folder itself; of an ancestor that it did not list, no more than that it holds folders. */
static int describe(struct index_folder *row, const struct backend_folder *f, bool is_ancestor, const char *wire)
{
	free(row->wire);
	row->wire = strdup(wire);
	row->wire_is_utf8 = f->wire_is_utf8;
	row->delimiter = f->delimiter;
	row->attributes = is_ancestor ? FOLDER_NOSELECT : f->attributes;
	row->special_use = is_ancestor ? USE_NONE : (int)f->special_use;
	return row->wire ? 0 : -ENOMEM;
}

/*
 * A server that was set up otherwise (namespace, delimiter) shows a folder at another place in the tree. Whichever row had its name on the wire gives it up,
 * with the messages that came under that name; nobody told of again, the row goes with the others that are gone.
 */
static int take_wire(struct update *u, const struct index_folder *row)
{
	CLEANUP(index_folder) struct index_folder other = { 0 };
	struct index *ix = u->mb->index;
	int r = index_folder_by_wire(ix, row->wire, &other);

	if (r < 0 || other.row == row->row)
		return r == -ENOENT ? 0 : r;
	free(other.wire);
	other.wire = NULL;
	r = index_folder_reset(ix, other.row, 0);
	return r < 0 ? r : index_folder_put(ix, &other);
}

/* The row for one component below `parent`, made if need be. */
static int put_component(struct update *u, int64_t parent, const char *name, const struct backend_folder *f, bool is_ancestor,
			 const char *wire, int64_t *ret_row)
{
	CLEANUP(index_folder) struct index_folder row = { 0 };
	bool is_new;
	int r;

	r = index_folder_child(u->mb->index, parent, name, &row);
	if (r < 0 && r != -ENOENT)
		return r;
	is_new = r == -ENOENT;
	if (is_new) {
		row.parent = parent;
		snprintf(row.name, sizeof row.name, "%s", name);
	}
	if (is_new || !is_ancestor || !table_get(&u->seen, row.row)) {
		r = describe(&row, f, is_ancestor, wire);
		if (r == 0)
			r = take_wire(u, &row);
		if (r == 0)
			r = index_folder_put(u->mb->index, &row);
		if (r == 0 && is_new)
			r = mark(&u->announced, row.row);
		if (r < 0)
			return r;
	}
	*ret_row = row.row;
	return mark(&u->seen, row.row);
}

/* The wire name of the ancestor `depth` components deep (1: the first). */
static char *ancestor_wire(const struct backend_folder *f, int depth)
{
	const char *p = f->wire + f->prefix_len;

	while (depth-- > 0) {
		p = strchr(p, f->delimiter);
		if (!p)
			return strdup(f->wire);
		p++;
	}
	return strndup(f->wire, (size_t)(p - 1 - f->wire));
}

static int put_folder(struct update *u, const struct backend_folder *f)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	int64_t parent = INDEX_ROOT;
	char *name, *slash;
	int r, depth = 1;

	r = tree_path(f, &path);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		log_warning("folder %s is left out: %s", f->wire,
			    r == -ENAMETOOLONG ? "a part of its name is over 255 bytes" : "it has an empty part in its name");
		return 0;
	}
	if (!folder_name_selected(u->mb->configuration->folders, buf_str(&path)))
		return 0;
	if (u->mb->configuration->subscribed && !(f->attributes & FOLDER_SUBSCRIBED) && strcasecmp(f->wire, "INBOX"))
		return 0; /* where mail arrives is shown all the same */
	for (name = path.data; name; name = slash ? slash + 1 : NULL, depth++) {
		CLEANUP(free) char *wire = NULL;

		slash = strchr(name, '/');
		if (slash)
			*slash = '\0';
		wire = slash ? ancestor_wire(f, depth) : strdup(f->wire);
		r = wire ? put_component(u, parent, name, f, slash != NULL, wire, &parent) : -ENOMEM;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Rows whose folder is not there any more. */
struct gone_list {
	struct update *update;
	struct index_folder *items; /* own; name, parent and row only */
	size_t n;
};

static int note_if_gone(void *userdata, const struct index_folder *f)
{
	struct gone_list *gone = userdata;
	struct index_folder *items;

	if (f->row == INDEX_ROOT || f->attributes & INDEX_FOLDER_LOCAL || table_get(&gone->update->seen, f->row))
		return 0;
	items = reallocarray(gone->items, gone->n + 1, sizeof *items);
	if (!items)
		return -ENOMEM;
	gone->items = items;
	items[gone->n] = *f;
	items[gone->n].wire = NULL;
	items[gone->n].rights = NULL;
	gone->n++;
	return 0;
}

static int apply(struct update *u, const struct told_list *told, struct gone_list *gone)
{
	struct index *ix = u->mb->index;
	int r;

	r = index_begin(ix);
	if (r < 0)
		return r;
	if (atomic_load(&u->mb->folder_changes) != u->folder_changes) /* told before, or while, folders were changed here */
		return index_end(ix, 1);
	for (size_t i = 0; i < told->n && r == 0; i++)
		r = put_folder(u, &told->items[i].folder);
	if (r == 0)
		r = index_folder_each(ix, 0, 0, note_if_gone, gone);
	for (size_t i = 0; i < gone->n && r == 0; i++) {
		r = index_folder_delete(ix, gone->items[i].row);
		if (r == -ENOENT) /* went with its parent */
			r = 0;
		atomic_store(&u->mb->has_unplaced, true); /* local files that were in it */
	}
	if (r == 0 && (gone->n || u->announced.n))
		r = index_folder_touch(ix, INDEX_ROOT);
	return index_end(ix, r);
}

static int announce(void *userdata, const struct index_folder *f)
{
	struct update *u = userdata;

	if (table_get(&u->announced, f->row))
		mailbox_tell_found(u->mb, CHANGE_FOLDER_ADDED, f->parent, f->row, f->name);
	return 0;
}

/* For folders that are made here. */
static void note_prefix(struct mailbox *mb, const struct told_list *told)
{
	for (size_t i = 0; i < told->n; i++) {
		const struct backend_folder *f = &told->items[i].folder;
		CLEANUP(free) char *prefix = strndup(f->wire, f->prefix_len);
		CLEANUP(buf) struct buf known = BUF_INIT;

		if (!f->prefix_len || !prefix)
			continue;
		if (state_get(mb->state, FOLDER_PREFIX_KEY, &known) < 0 || strcmp(buf_str(&known), prefix) != 0)
			state_set(mb->state, FOLDER_PREFIX_KEY, prefix);
		return;
	}
}

int folder_list_update(struct mailbox *mb, struct backend **session)
{
	CLEANUP(told_list) struct told_list told = { 0 };
	struct update u = { .mb = mb };
	struct gone_list gone = { .update = &u };
	int r;

	u.folder_changes = atomic_load(&mb->folder_changes);
	r = replay_changes_folders(mb);
	if (r != 0) /* what the server lists now is not what it will be; asked again once it is */
		return r;
	r = backend_list(session, tell, &told);
	if (r < 0)
		return r;
	note_prefix(mb, &told);
	r = apply(&u, &told, &gone);
	if (r == 0 && u.announced.n)
		index_folder_each(mb->index, 0, 0, announce, &u);
	for (size_t i = 0; i < gone.n && r == 0; i++)
		mailbox_tell_found(mb, CHANGE_FOLDER_GONE, gone.items[i].parent, gone.items[i].row, gone.items[i].name);
	free(gone.items);
	table_release(&u.seen);
	table_release(&u.announced);
	return r;
}

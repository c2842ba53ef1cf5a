/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folders of the index: a tree by `parent`, each known by its name there and by its name on the wire.
 */
#include "store/index_private.h"

#include <errno.h>
#include <string.h>

void index_folder_release(struct index_folder *f)
{
	if (!f)
		return;
	free(f->wire);
	free(f->rights);
	f->wire = f->rights = NULL;
}

/* The order of FOLDER_COLUMNS. `wire` and `rights` are borrowed from the query. */
static void borrow_folder(struct query *q, struct index_folder *f)
{
	f->row = query_int(q, 0);
	f->parent = query_int(q, 1);
	query_copy_text(q, 2, f->name, sizeof f->name);
	f->wire = (char *)query_text(q, 3);
	f->wire_is_utf8 = query_int(q, 4) != 0;
	f->delimiter = (char)query_int(q, 5);
	f->attributes = (unsigned)query_int(q, 6);
	f->special_use = (int)query_int(q, 7);
	f->uidvalidity = (uint32_t)query_int(q, 8);
	f->uidnext = (uint32_t)query_int(q, 9);
	f->highestmodseq = (uint64_t)query_int(q, 10);
	f->messages = (uint32_t)query_int(q, 11);
	f->unseen = (uint32_t)query_int(q, 12);
	f->complete = query_int(q, 13) != 0;
	f->rights = (char *)query_text(q, 14);
	f->mtime_ns = query_int(q, 15);
}

/* The first row, as the caller's own. */
static int take_folder(struct query *q, struct index_folder *ret)
{
	struct index_folder f;
	char *wire, *rights;
	int r;

	r = query_step(q);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	borrow_folder(q, &f);
	wire = f.wire ? strdup(f.wire) : NULL;
	rights = f.rights ? strdup(f.rights) : NULL;
	if ((f.wire && !wire) || (f.rights && !rights)) {
		free(wire);
		free(rights);
		return -ENOMEM;
	}
	*ret = f;
	ret->wire = wire;
	ret->rights = rights;
	return 0;
}

int index_folder_get(struct index *ix, int64_t row, struct index_folder *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_read(ix, FOLDER_GET, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	return take_folder(&q, ret);
}

int index_folder_child(struct index *ix, int64_t parent, const char *name, struct index_folder *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_read(ix, FOLDER_CHILD, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, parent);
	query_bind_text(&q, 2, name);
	return take_folder(&q, ret);
}

int index_folder_by_wire(struct index *ix, const char *wire, struct index_folder *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_read(ix, FOLDER_BY_WIRE, &q);
	if (r < 0)
		return r;
	query_bind_text(&q, 1, wire);
	return take_folder(&q, ret);
}

int index_folder_by_use(struct index *ix, int special_use, struct index_folder *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_read(ix, FOLDER_BY_USE, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, special_use);
	query_bind_int(&q, 2, INDEX_FOLDER_HIDDEN);
	return take_folder(&q, ret);
}

int index_folder_count_below(struct index *ix, int64_t parent, uint32_t *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_read(ix, FOLDER_COUNT_BELOW, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, parent);
	query_bind_int(&q, 2, INDEX_FOLDER_HIDDEN);
	r = query_step(&q);
	if (r < 0)
		return r;
	*ret = r == 1 ? (uint32_t)query_int(&q, 0) : 0;
	return 0;
}

int index_folder_each(struct index *ix, int64_t parent, int64_t after, int (*each)(void *userdata, const struct index_folder *f),
		      void *userdata)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	struct index_folder f;
	int r;

	r = index_read(ix, parent ? FOLDER_EACH_BELOW : FOLDER_EACH, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, parent ? parent : after);
	if (parent)
		query_bind_int(&q, 2, after);
	while ((r = query_step(&q)) == 1) {
		borrow_folder(&q, &f);
		r = each(userdata, &f);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return r;
}

int index_folder_touch(struct index *ix, int64_t row)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_write(ix, FOLDER_TOUCH, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	query_bind_int(&q, 2, index_now_ns());
	return index_written(ix, query_run_on_one(&q));
}

static bool place_is_valid(const struct index_folder *f)
{
	size_t len = strnlen(f->name, sizeof f->name);

	if (f->row == INDEX_ROOT)
		return len == 0 && f->parent == 0;
	return f->parent > 0 && len > 0 && len < sizeof f->name && !strchr(f->name, '/');
}

static void bind_folder(struct query *q, const struct index_folder *f)
{
	query_bind_int(q, 1, f->parent);
	query_bind_text(q, 2, f->name);
	query_bind_text(q, 3, f->wire);
	query_bind_int(q, 4, f->wire_is_utf8);
	query_bind_int(q, 5, f->delimiter);
	query_bind_int(q, 6, f->attributes);
	query_bind_int(q, 7, f->special_use);
	query_bind_text(q, 8, f->rights);
}

static int insert_folder(struct index *ix, struct index_folder *f)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int64_t now_ns = index_now_ns();
	int r;

	r = index_folder_touch(ix, f->parent);
	if (r == 0)
		r = index_write(ix, FOLDER_INSERT, &q);
	if (r < 0)
		return r;
	bind_folder(&q, f);
	query_bind_int(&q, 9, now_ns);
	r = index_written(ix, query_run(&q));
	if (r < 0)
		return r;
	f->row = sqlite3_last_insert_rowid(ix->writer->handle);
	f->mtime_ns = now_ns;
	return 0;
}

static int update_folder(struct index *ix, const struct index_folder *f)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_write(ix, FOLDER_UPDATE, &q);
	if (r < 0)
		return r;
	bind_folder(&q, f);
	query_bind_int(&q, 9, f->row);
	return index_written(ix, query_run_on_one(&q));
}

int index_folder_insert_as(struct index *ix, const struct index_folder *f)
{
	int r = place_is_valid(f) ? index_folder_touch(ix, f->parent) : -EINVAL;

	return r < 0 ? r
		     : index_run(ix, FOLDER_INSERT_AS, "iitiii", f->row, f->parent, f->name, (int64_t)f->attributes, (int64_t)1,
				 index_now_ns());
}

int index_reserve_rows(struct index *ix, int64_t row)
{
	int r = index_run(ix, ROWS_RESERVE, "ti", "message", row);

	return r < 0 ? r : index_run(ix, ROWS_RESERVE, "ti", "folder", row);
}

int index_folder_put(struct index *ix, struct index_folder *f)
{
	CLEANUP(index_folder) struct index_folder before = { 0 };
	int r;

	if (!place_is_valid(f))
		return -EINVAL;
	if (f->row == 0)
		return insert_folder(ix, f);
	r = index_folder_get(ix, f->row, &before);
	if (r == 0)
		r = update_folder(ix, f);
	if (r < 0 || (before.parent == f->parent && strcmp(before.name, f->name) == 0))
		return r;
	r = index_folder_touch(ix, before.parent);
	return r == 0 && before.parent != f->parent ? index_folder_touch(ix, f->parent) : r;
}

static int delete_folder_row(struct index *ix, int64_t row)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_write(ix, FOLDER_DELETE, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	return index_written(ix, query_run_on_one(&q));
}

static int remember_row(void *userdata, const struct index_folder *f)
{
	*(int64_t *)userdata = f->row;
	return 1;
}

/* Deepest first, one child at a time: nothing is read while it is changed. */
static int delete_tree(struct index *ix, int64_t row)
{
	int64_t child;
	int r;

	do {
		child = 0;
		r = index_folder_each(ix, row, 0, remember_row, &child);
		if (r == 0 && child)
			r = delete_tree(ix, child);
	} while (r == 0 && child);
	if (r == 0)
		r = index_message_bury_all(ix, row);
	return r < 0 ? r : delete_folder_row(ix, row);
}

int index_folder_delete(struct index *ix, int64_t row)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r;

	if (row == INDEX_ROOT)
		return -EBUSY;
	r = index_folder_get(ix, row, &f);
	if (r == 0)
		r = delete_tree(ix, row);
	return r < 0 ? r : index_folder_touch(ix, f.parent);
}

/* What is left in a folder that was emptied but for what is on its way to it. */
static int count_anew(struct index *ix, int64_t row)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_write(ix, FOLDER_COUNT_ANEW, &q);

	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	return index_written(ix, query_run(&q));
}

int index_folder_reset(struct index *ix, int64_t row, uint32_t uidvalidity)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_flush_counts(ix);
	if (r == 0)
		r = index_message_bury_stored(ix, row);
	if (r == 0)
		r = index_write(ix, FOLDER_RESET, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	query_bind_int(&q, 2, uidvalidity);
	query_bind_int(&q, 3, index_now_ns());
	r = index_written(ix, query_run_on_one(&q));
	return r < 0 ? r : count_anew(ix, row);
}

int index_folder_progress(struct index *ix, int64_t row, uint32_t uidnext)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_write(ix, FOLDER_PROGRESS, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	query_bind_int(&q, 2, uidnext);
	return index_written(ix, query_run_on_one(&q));
}

int index_folder_complete(struct index *ix, int64_t row, uint64_t highestmodseq)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_flush_counts(ix); /* what it counts came before */
	if (r == 0)
		r = index_write(ix, FOLDER_COMPLETE, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	query_bind_int(&q, 2, (int64_t)highestmodseq);
	return index_written(ix, query_run_on_one(&q));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changing the messages of the index, and the sums of their folders with them.
 */
#include "store/index_private.h"

#include <errno.h>
#include <string.h>

/* Canonical flags: \Seen is always the first. */
static bool is_unseen(const char *flags)
{
	return strncmp(flags, "\\Seen", 5) != 0 || (flags[5] != '\0' && flags[5] != ' ');
}

static bool name_is_valid(const char *name)
{
	size_t len = strnlen(name, NAME_MAX + 1);

	return len > 0 && len <= NAME_MAX && !strchr(name, '/');
}

static void bind_number(struct query *q, int parameter, int64_t value)
{
	if (value)
		query_bind_int(q, parameter, value);
	else
		query_bind_text(q, parameter, NULL);
}

/* The parameters of MESSAGE_INSERT and MESSAGE_PUT. */
static void bind_message(struct query *q, const struct index_message *m)
{
	query_bind_int(q, 1, m->folder ? m->folder : -m->row);
	bind_number(q, 2, m->uid);
	query_bind_text(q, 3, m->name);
	query_bind_int(q, 4, m->size_bytes);
	query_bind_int(q, 5, m->size_proven);
	query_bind_int(q, 6, m->internaldate_s);
	query_bind_int(q, 7, m->ctime_ns);
	query_bind_int(q, 8, m->is_given);
	bind_number(q, 9, m->server_folder);
	bind_number(q, 10, m->server_uid);
	query_bind_int(q, 11, m->is_local);
	query_bind_int(q, 12, m->is_marked);
	bind_number(q, 13, m->mtime_ns);
	bind_number(q, 14, m->mode);
	query_bind_int(q, 15, m->arrived_s);
	bind_number(q, 16, m->row);
}

static int insert(struct index *ix, struct index_message *m, const char *flags)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	if (!name_is_valid(m->name))
		return -EINVAL;
	if (!m->ctime_ns)
		m->ctime_ns = index_now_ns();
	r = index_write(ix, MESSAGE_INSERT, &q);
	if (r < 0)
		return r;
	bind_message(&q, m);
	query_bind_text(&q, 17, flags);
	r = index_written(ix, query_run(&q));
	if (r < 0)
		return r;
	m->row = sqlite3_last_insert_rowid(ix->writer->handle);
	return m->folder && !m->is_local ? index_count(ix, m->folder, 1, is_unseen(flags)) : 0;
}

int index_message_insert(struct index *ix, struct index_message *m, const char *flags)
{
	return m->folder > 0 || m->row ? insert(ix, m, flags) : -EINVAL;
}

/* Its folder is minus its row, which is known once it was inserted. */
int index_message_insert_hidden(struct index *ix, struct index_message *m)
{
	int r = insert(ix, m, "");

	return r < 0 ? r : index_message_put(ix, m);
}

struct place {
	int64_t folder; /* negative: shown nowhere */
	bool is_local, is_unseen, is_away, same_flags;
};

/* Where a message is, and whether its flags are `flags` (NULL: do not compare). */
static int find_place(struct index *ix, int64_t row, const char *flags, struct place *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_write(ix, MESSAGE_PLACE, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	r = query_step(&q);
	if (r <= 0)
		return r < 0 ? index_written(ix, r) : -ENOENT;
	ret->folder = query_int(&q, 0);
	ret->is_local = query_int(&q, 1) != 0;
	ret->is_unseen = is_unseen(query_text(&q, 2));
	ret->is_away = query_int(&q, 3) != 0;
	ret->same_flags = flags && strcmp(flags, query_text(&q, 2)) == 0;
	return 0;
}

int index_message_set_flags(struct index *ix, int64_t row, const char *flags)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	struct place place;
	int r, unseen;

	r = find_place(ix, row, flags, &place);
	if (r < 0 || place.same_flags)
		return r;
	r = index_write(ix, MESSAGE_SET_FLAGS, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	query_bind_text(&q, 2, flags);
	query_bind_int(&q, 3, index_now_ns());
	r = index_written(ix, query_run(&q));
	unseen = is_unseen(flags) - place.is_unseen;
	if (r == 0 && place.folder > 0 && !place.is_local) /* names in views of the folder change with any flag: so does its time */
		r = index_count(ix, place.folder, 0, unseen);
	return r < 0 ? r : 1;
}

int index_message_set_server_flags(struct index *ix, int64_t row, const char *flags)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_write(ix, MESSAGE_SET_SERVER_FLAGS, &q);

	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	query_bind_text(&q, 2, flags);
	return index_written(ix, query_run_on_one(&q));
}

/* What a message is to the sums of its folder. */
static int count_in(struct index *ix, int64_t folder, bool is_local, bool is_unseen, int sign)
{
	if (folder <= 0)
		return 0;
	return is_local ? index_folder_touch(ix, folder) : index_count(ix, folder, sign, is_unseen ? sign : 0);
}

int index_message_put(struct index *ix, const struct index_message *m)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	struct place before;
	int r;

	if (!name_is_valid(m->name))
		return -EINVAL;
	r = find_place(ix, m->row, NULL, &before);
	if (r == 0)
		r = index_write(ix, MESSAGE_PUT, &q);
	if (r < 0)
		return r;
	bind_message(&q, m);
	r = index_written(ix, query_run_on_one(&q));
	if (r < 0 || (before.folder == m->folder && before.is_local == m->is_local))
		return r;
	r = count_in(ix, before.folder, before.is_local, before.is_unseen, -1);
	return r < 0 ? r : count_in(ix, m->folder, m->is_local, before.is_unseen, 1);
}

int index_message_prove_size(struct index *ix, int64_t row, int64_t size_bytes)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_write(ix, MESSAGE_PROVE_SIZE, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	query_bind_int(&q, 2, size_bytes);
	return index_written(ix, query_run_on_one(&q));
}

int index_message_delete(struct index *ix, int64_t row)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	struct place place;
	int r;

	r = find_place(ix, row, NULL, &place);
	if (r < 0 || (place.folder <= 0 && !place.is_away && !place.is_local))
		return r < 0 ? r : -ENOENT;
	r = index_write(ix, MESSAGE_BURY, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	r = index_written(ix, query_run(&q));
	return r < 0 ? r : count_in(ix, place.folder, place.is_local, place.is_unseen, -1);
}

static int bury(struct index *ix, enum index_statement which, int64_t folder)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_write(ix, which, &q);

	if (r < 0)
		return r;
	query_bind_int(&q, 1, folder);
	return index_written(ix, query_run(&q));
}

/* Messages on their way out of the folder go with it, wherever they are shown. */
static int bury_away(struct index *ix, int64_t folder)
{
	int r = index_flush_counts(ix);

	if (r == 0)
		r = bury(ix, FOLDER_COUNT_WITHOUT_AWAY, folder);
	return r < 0 ? r : bury(ix, MESSAGE_BURY_AWAY, folder);
}

int index_message_bury_all(struct index *ix, int64_t folder)
{
	int r = bury_away(ix, folder);

	return r < 0 ? r : bury(ix, MESSAGE_BURY_ALL, folder);
}

int index_message_bury_stored(struct index *ix, int64_t folder)
{
	int r = bury_away(ix, folder);

	return r < 0 ? r : bury(ix, MESSAGE_BURY_RESET, folder);
}

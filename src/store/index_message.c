/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages of the index. A message's name ends in its UID, so looking up a name is looking up a UID; names that a user gave have an index of their own.
 */
#include "store/index_private.h"

#include <errno.h>
#include <string.h>

#include "message/flags.h"

/* The order of MESSAGE_COLUMNS. */
static void read_message(struct query *q, struct index_message *m)
{
	int64_t folder = query_int(q, 1);
	const char *flags = query_text(q, 16);

	m->row = query_int(q, 0);
	m->folder = folder > 0 ? folder : 0;
	m->uid = (uint32_t)query_int(q, 2);
	query_copy_text(q, 3, m->name, sizeof m->name);
	m->size_bytes = query_int(q, 4);
	m->size_proven = query_int(q, 5) != 0;
	m->internaldate_s = query_int(q, 6);
	m->ctime_ns = query_int(q, 7);
	m->is_given = query_int(q, 8) != 0;
	m->server_folder = query_int(q, 9);
	m->server_uid = (uint32_t)query_int(q, 10);
	m->is_local = query_int(q, 11) != 0;
	m->is_marked = query_int(q, 12) != 0;
	m->mtime_ns = query_int(q, 13);
	m->mode = (uint32_t)query_int(q, 14);
	m->arrived_s = query_int(q, 15);
	flags_to_maildir(flags ? flags : "", m->letters);
}

static int take_message(struct query *q, struct index_message *ret)
{
	int r = query_step(q);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	read_message(q, ret);
	return 0;
}

int index_message_get(struct index *ix, int64_t row, struct index_message *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_read(ix, MESSAGE_GET, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	return take_message(&q, ret);
}

int index_message_by_uid(struct index *ix, int64_t folder, uint32_t uid, struct index_message *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	if (folder <= 0)
		return -ENOENT;
	r = index_read(ix, MESSAGE_BY_UID, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, folder);
	query_bind_int(&q, 2, uid);
	return take_message(&q, ret);
}

/* The UID of `….UID.eml` or `UIDVALIDITY-UID.eml`; 0: neither. */
static uint32_t uid_of_name(const char *name)
{
	static const char suffix[] = ".eml";
	size_t len = strlen(name), start;
	uint64_t uid = 0;

	if (len <= sizeof suffix - 1 || strcmp(name + len - (sizeof suffix - 1), suffix) != 0)
		return 0;
	len -= sizeof suffix - 1;
	for (start = len; start > 0 && name[start - 1] >= '0' && name[start - 1] <= '9'; start--)
		;
	if (start == 0 || len - start > 10 || (name[start - 1] != '.' && name[start - 1] != '-'))
		return 0;
	for (; start < len; start++)
		uid = uid * 10 + (uint64_t)(name[start] - '0');
	return uid <= UINT32_MAX ? (uint32_t)uid : 0;
}

/* One that a name not made by us stands for. */
static int by_given_name(struct index *ix, int64_t folder, const char *name, struct index_message *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_read(ix, MESSAGE_BY_GIVEN_NAME, &q);

	if (r < 0)
		return r;
	query_bind_int(&q, 1, folder);
	query_bind_text(&q, 2, name);
	return take_message(&q, ret);
}

int index_message_by_name(struct index *ix, int64_t folder, const char *name, struct index_message *ret)
{
	struct index_message m;
	uint32_t uid = uid_of_name(name);
	int r = uid ? index_message_by_uid(ix, folder, uid, &m) : -ENOENT;

	if (r < 0 && r != -ENOENT)
		return r;
	if (r < 0 || strcmp(m.name, name) != 0)
		return by_given_name(ix, folder, name, ret);
	*ret = m;
	return 0;
}

int index_message_away(struct index *ix, int64_t folder, uint32_t uid, struct index_message *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_read(ix, MESSAGE_AWAY, &q);

	if (r < 0)
		return r;
	query_bind_int(&q, 1, folder);
	query_bind_int(&q, 2, uid);
	return take_message(&q, ret);
}

static int read_flags(struct index *ix, enum index_statement which, int64_t row, struct buf *out)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	const char *flags;
	int r;

	r = index_read(ix, which, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	r = query_step(&q);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	flags = query_text(&q, 0);
	return flags ? buf_append_str(out, flags) : 0;
}

int index_message_flags(struct index *ix, int64_t row, struct buf *out)
{
	return read_flags(ix, MESSAGE_FLAGS, row, out);
}

typedef int each_message(void *userdata, const struct index_message *m);

/* Which messages of a folder: all, or by a flag. */
struct selection {
	enum index_statement with_uid, without_uid;
	const char *word; /* NULL: all */
	bool is_set;
};

/* The messages that a query of a folder and a place in it gives. 1 when `each` stopped. */
static int each_of(struct index *ix, const struct selection *s, enum index_statement which, int64_t folder, int64_t after,
		   each_message *each, void *userdata)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	struct index_message m;
	int r = index_read(ix, which, &q);

	if (r < 0)
		return r;
	query_bind_int(&q, 1, folder);
	query_bind_int(&q, 2, after);
	if (s->word) {
		query_bind_text(&q, 3, s->word);
		query_bind_int(&q, 4, s->is_set);
	}
	while ((r = query_step(&q)) == 1) {
		read_message(&q, &m);
		r = each(userdata, &m);
		if (r != 0)
			return r < 0 ? r : 1;
	}
	return r;
}

static int each_selected(struct index *ix, const struct selection *s, int64_t folder, int64_t after, each_message *each,
			 void *userdata)
{
	int r = 0;

	if (folder <= 0)
		return 0;
	if (!(after & INDEX_WITHOUT_UID))
		r = each_of(ix, s, s->with_uid, folder, after, each, userdata);
	if (r == 0)
		r = each_of(ix, s, s->without_uid, folder, after & INDEX_WITHOUT_UID ? after & ~INDEX_WITHOUT_UID : 0, each,
			    userdata);
	return r < 0 ? r : 0;
}

int index_message_each(struct index *ix, int64_t folder, int64_t after, each_message *each, void *userdata)
{
	const struct selection all = { MESSAGE_EACH, MESSAGE_EACH_WITHOUT_UID, NULL, false };

	return each_selected(ix, &all, folder, after, each, userdata);
}

int index_message_each_by_flag(struct index *ix, int64_t folder, int64_t after, const char *word, bool is_set, each_message *each,
			       void *userdata)
{
	const struct selection by_flag = { MESSAGE_EACH_BY_FLAG, MESSAGE_EACH_BY_FLAG_WITHOUT_UID, word, is_set };

	return each_selected(ix, &by_flag, folder, after, each, userdata);
}

int index_message_each_flags(struct index *ix, int64_t folder, int (*each)(void *userdata, const char *flags), void *userdata)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_read(ix, folder ? MESSAGE_EACH_FLAGS : MESSAGE_EACH_FLAGS_OF_ALL, &q);

	if (r < 0)
		return r;
	if (folder)
		query_bind_int(&q, 1, folder);
	while ((r = query_step(&q)) == 1) {
		r = each(userdata, query_text(&q, 0));
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return r;
}

int index_message_each_changed(struct index *ix, int64_t after, each_message *each, void *userdata)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	struct index_message m;
	int r = index_read(ix, MESSAGE_EACH_CHANGED, &q);

	if (r < 0)
		return r;
	query_bind_int(&q, 1, after);
	while ((r = query_step(&q)) == 1) {
		read_message(&q, &m);
		r = each(userdata, &m);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return r;
}

int index_message_count_marked(struct index *ix, int64_t folder, uint32_t *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_read(ix, MESSAGE_COUNT_MARKED, &q);

	if (r < 0)
		return r;
	query_bind_int(&q, 1, folder);
	r = query_step(&q);
	if (r == 1)
		*ret = (uint32_t)query_int(&q, 0);
	return r < 0 ? r : 0;
}

int index_may_know_from(struct index *ix, int64_t folder, uint32_t uid)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_read(ix, MESSAGE_ANY_FROM, &q);

	if (r < 0)
		return r;
	query_bind(&q, "ii", folder, (int64_t)uid);
	r = query_step(&q);
	return r < 0 ? r : r == 1 && query_int(&q, 0);
}

int index_has_given_names(struct index *ix, int64_t folder)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_read(ix, MESSAGE_ANY_GIVEN_NAME, &q);

	if (r < 0)
		return r;
	query_bind_int(&q, 1, folder);
	return query_step(&q);
}

int index_message_count(struct index *ix, int64_t folder, uint32_t uidnext, uint32_t *ret)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r = index_read(ix, MESSAGE_COUNT, &q);

	if (r < 0)
		return r;
	query_bind_int(&q, 1, folder);
	query_bind_int(&q, 2, uidnext);
	r = query_step(&q);
	if (r == 1)
		*ret = (uint32_t)query_int(&q, 0);
	return r < 0 ? r : 0;
}

static int append_uid(uint32_t **uids, size_t *n, size_t *cap, uint32_t uid)
{
	uint32_t *more;

	if (*n == *cap) {
		*cap = *cap ? *cap * 2 : 1024;
		more = realloc(*uids, *cap * sizeof **uids);
		if (!more)
			return -ENOMEM;
		*uids = more;
	}
	(*uids)[(*n)++] = uid;
	return 0;
}

int index_message_uids(struct index *ix, int64_t folder, uint32_t uidnext, uint32_t **ret_uids, size_t *ret_n)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	CLEANUP(free) uint32_t *uids = NULL;
	size_t n = 0, cap = 0;
	int r;

	r = index_read(ix, MESSAGE_UIDS, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, folder);
	query_bind_int(&q, 2, uidnext);
	while ((r = query_step(&q)) == 1) {
		r = append_uid(&uids, &n, &cap, (uint32_t)query_int(&q, 0));
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	*ret_uids = steal_pointer(&uids);
	*ret_n = n;
	return 0;
}

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

int index_message_server_flags(struct index *ix, int64_t row, struct buf *out)
{
	return read_flags(ix, MESSAGE_SERVER_FLAGS, row, out);
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

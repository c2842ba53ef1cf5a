/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking at the messages of the index. A message's name ends in its UID, so looking up a name is looking up a UID; names that a user gave have an index of their own.
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

/* Those of them that MESSAGE_EACH_NAME has. */
static void read_name(struct query *q, struct index_message *m)
{
	*m = (struct index_message){ .row = query_int(q, 0), .folder = query_int(q, 1), .uid = (uint32_t)query_int(q, 2) };
	query_copy_text(q, 3, m->name, sizeof m->name);
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

int index_message_server_flags(struct index *ix, int64_t row, struct buf *out)
{
	return read_flags(ix, MESSAGE_SERVER_FLAGS, row, out);
}

typedef int each_message(void *userdata, const struct index_message *m);

/* Which messages of a folder: all, or by a flag. */
struct selection {
	enum index_statement with_uid, without_uid;
	void (*read)(struct query *q, struct index_message *m);
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
		s->read(&q, &m);
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
	const struct selection all = { MESSAGE_EACH, MESSAGE_EACH_WITHOUT_UID, read_message, NULL, false };

	return each_selected(ix, &all, folder, after, each, userdata);
}

int index_message_each_name(struct index *ix, int64_t folder, int64_t after, each_message *each, void *userdata)
{
	const struct selection names = { MESSAGE_EACH_NAME, MESSAGE_EACH_NAME_WITHOUT_UID, read_name, NULL, false };

	return each_selected(ix, &names, folder, after, each, userdata);
}

int index_message_each_by_flag(struct index *ix, int64_t folder, int64_t after, const char *word, bool is_set, each_message *each,
			       void *userdata)
{
	const struct selection by_flag = { MESSAGE_EACH_BY_FLAG, MESSAGE_EACH_BY_FLAG_WITHOUT_UID, read_message, word, is_set };

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

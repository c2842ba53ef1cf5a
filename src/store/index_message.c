/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages of the index. A message's name ends in its UID, so looking up a name is looking up a UID. (Names that a user gave will be
 * a table of their own, asked first.)
 */
#include "store/index_private.h"

#include <errno.h>
#include <string.h>

/* The order of MESSAGE_COLUMNS. */
static void read_message(struct query *q, struct index_message *m)
{
	int64_t folder = query_int(q, 1);

	m->row = query_int(q, 0);
	m->folder = folder > 0 ? folder : 0;
	m->uid = (uint32_t)query_int(q, 2);
	query_copy_text(q, 3, m->name, sizeof m->name);
	m->size_bytes = query_int(q, 4);
	m->size_proven = query_int(q, 5) != 0;
	m->internaldate_s = query_int(q, 6);
	m->ctime_ns = query_int(q, 7);
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

int index_message_by_name(struct index *ix, int64_t folder, const char *name, struct index_message *ret)
{
	struct index_message m;
	uint32_t uid = uid_of_name(name);
	int r;

	if (!uid)
		return -ENOENT;
	r = index_message_by_uid(ix, folder, uid, &m);
	if (r < 0)
		return r;
	if (strcmp(m.name, name) != 0)
		return -ENOENT;
	*ret = m;
	return 0;
}

int index_message_flags(struct index *ix, int64_t row, struct buf *out)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_read(ix, MESSAGE_FLAGS, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	r = query_step(&q);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	return buf_append_str(out, query_text(&q, 0));
}

int index_message_each(struct index *ix, int64_t folder, int64_t after, int (*each)(void *userdata, const struct index_message *m),
		       void *userdata)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	struct index_message m = { 0 };
	int r;

	if (folder <= 0)
		return 0;
	r = after ? index_message_get(ix, after, &m) : 0;
	if (r == 0)
		r = index_read(ix, MESSAGE_EACH, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, folder);
	query_bind_int(&q, 2, m.uid);
	while ((r = query_step(&q)) == 1) {
		read_message(&q, &m);
		r = each(userdata, &m);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return r;
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

int index_message_insert(struct index *ix, struct index_message *m, const char *flags)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	if (m->folder <= 0 || !name_is_valid(m->name))
		return -EINVAL;
	if (!m->ctime_ns)
		m->ctime_ns = index_now_ns();
	r = index_write(ix, MESSAGE_INSERT, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, m->folder);
	query_bind_int(&q, 2, m->uid);
	query_bind_text(&q, 3, m->name);
	query_bind_int(&q, 4, m->size_bytes);
	query_bind_int(&q, 5, m->size_proven);
	query_bind_int(&q, 6, m->internaldate_s);
	query_bind_int(&q, 7, m->ctime_ns);
	query_bind_text(&q, 8, flags);
	r = index_written(ix, query_run(&q));
	if (r < 0)
		return r;
	m->row = sqlite3_last_insert_rowid(ix->writer->handle);
	return index_count(ix, m->folder, 1, is_unseen(flags));
}

struct place {
	int64_t folder; /* negative: a tombstone */
	bool is_unseen, same_flags;
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
	ret->is_unseen = is_unseen(query_text(&q, 2));
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
	if (r == 0 && place.folder > 0 && unseen != 0)
		r = index_count(ix, place.folder, 0, unseen);
	return r < 0 ? r : 1;
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
	if (r < 0 || place.folder <= 0)
		return r < 0 ? r : -ENOENT;
	r = index_write(ix, MESSAGE_BURY, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, row);
	r = index_written(ix, query_run(&q));
	return r < 0 ? r : index_count(ix, place.folder, -1, -(int)place.is_unseen);
}

int index_message_bury_all(struct index *ix, int64_t folder)
{
	CLEANUP(query) struct query q = QUERY_INIT;
	int r;

	r = index_write(ix, MESSAGE_BURY_ALL, &q);
	if (r < 0)
		return r;
	query_bind_int(&q, 1, folder);
	return index_written(ix, query_run(&q));
}

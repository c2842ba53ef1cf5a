/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree as the index has it: what a name means, what stands in a folder, what is known of each. Nothing here waits.
 */
#include "mailbox/mailbox_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "message/flags.h"

/*
 * Cookies: folders below, messages above COOKIE_MESSAGE, so that one number orders a listing. A message's has its place in the folder's listing,
 * which stays when the message goes elsewhere, and above that the folder's generation, so that nobody needs to remember with which one a listing
 * began: an open directory that is rewound begins with a new one.
 */
static const uint64_t COOKIE_MESSAGE = (uint64_t)1 << 60;
enum { COOKIE_POSITION_BITS = 40, GENERATION_BITS = 20 };

/* RFC 4314: any right that changes something below the folder. */
static const char changing_rights[] = "itedwxk";

static void to_folder(const struct mailbox *mb, const struct index_folder *f, struct mailbox_folder *ret)
{
	*ret = (struct mailbox_folder){
		.row = f->row,
		.parent = f->parent,
		.is_selectable = f->wire && !(f->attributes & FOLDER_NOSELECT),
		.is_writable = !mb->options.read_only && (!f->rights || strpbrk(f->rights, changing_rights)),
		.messages = f->messages,
		.unseen = f->unseen,
		.uidvalidity = f->uidvalidity,
		.mtime_ns = f->mtime_ns,
		.is_local = f->attributes & INDEX_FOLDER_LOCAL,
	};
	memcpy(ret->name, f->name, sizeof ret->name);
}

static void to_message(const struct mailbox *mb, const struct index_message *m, struct mailbox_message *ret)
{
	*ret = (struct mailbox_message){
		.row = m->row,
		.folder = m->folder,
		.uid = m->uid,
		.size_bytes = m->is_local ? local_file_size(mb->files, m->row) : m->size_bytes,
		.size_trusted = m->size_proven || !atomic_load(&mb->sizes_lie),
		.internaldate_s = m->internaldate_s,
		.ctime_ns = m->ctime_ns,
		.is_local = m->is_local,
		.mtime_ns = m->mtime_ns ? m->mtime_ns : m->internaldate_s * 1000000000,
		.mode = m->mode,
	};
	memcpy(ret->name, m->name, sizeof ret->name);
	memcpy(ret->letters, m->letters, sizeof ret->letters);
}

static int get_folder(struct mailbox *mb, int64_t row, struct mailbox_folder *ret)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = index_folder_get(mb->index, row, &f);

	if (r < 0)
		return r;
	to_folder(mb, &f, ret);
	return index_folder_count_below(mb->index, row, &ret->folders);
}

int mailbox_folder(struct mailbox *mb, int64_t row, struct mailbox_folder *ret)
{
	int r = index_begin_reading(mb->index, true);

	if (r < 0)
		return r;
	r = get_folder(mb, row, ret);
	index_end_reading(mb->index);
	return r;
}

int mailbox_message(struct mailbox *mb, int64_t row, struct mailbox_message *ret)
{
	struct index_message m;
	int r = index_begin_reading(mb->index, true);

	if (r < 0)
		return r;
	r = index_message_get(mb->index, row, &m);
	if (r == 0)
		to_message(mb, &m, ret);
	index_end_reading(mb->index);
	return r;
}

int mailbox_message_by_uid(struct mailbox *mb, int64_t folder, uint32_t uid, struct mailbox_message *ret)
{
	struct index_message m;
	int r = index_message_by_uid(mb->index, folder, uid, &m);

	if (r == 0)
		to_message(mb, &m, ret);
	return r;
}

static int lookup(struct mailbox *mb, int64_t folder, const char *name, struct mailbox_entry *ret)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct index_message m;
	int r;

	r = index_folder_child(mb->index, folder, name, &f);
	if (r == 0 && f.attributes & INDEX_FOLDER_HIDDEN)
		return -ENOENT;
	if (r == 0) {
		ret->is_folder = true;
		to_folder(mb, &f, &ret->folder);
		return index_folder_count_below(mb->index, f.row, &ret->folder.folders);
	}
	if (r != -ENOENT)
		return r;
	r = index_message_by_name(mb->index, folder, name, &m);
	if (r < 0)
		return r;
	ret->is_folder = false;
	to_message(mb, &m, &ret->message);
	return 0;
}

int mailbox_lookup(struct mailbox *mb, int64_t folder, const char *name, struct mailbox_entry *ret)
{
	int r = index_begin_reading(mb->index, true);

	if (r < 0)
		return r;
	r = lookup(mb, folder, name, ret);
	index_end_reading(mb->index);
	return r;
}

/* What of a UIDVALIDITY fits. A new one looks like the old in one case of a million. */
static uint64_t generation_of(uint32_t uidvalidity)
{
	return (uidvalidity ^ uidvalidity >> GENERATION_BITS) & ((1U << GENERATION_BITS) - 1);
}

static uint64_t message_cookie(uint32_t uidvalidity, int64_t position)
{
	return COOKIE_MESSAGE | generation_of(uidvalidity) << COOKIE_POSITION_BITS | (uint64_t)position;
}

static int64_t position_of_cookie(uint64_t cookie)
{
	return (int64_t)(cookie & (((uint64_t)1 << COOKIE_POSITION_BITS) - 1));
}

struct listing {
	struct mailbox *mb;
	uint32_t uidvalidity;
	int (*each)(void *userdata, const struct mailbox_entry *e);
	void *userdata;
	int stopped;
	bool names_only;
	const char *flag; /* NULL: messages with any flags or none */
	bool is_set;
};

static int list_folder(void *userdata, const struct index_folder *f)
{
	struct listing *l = userdata;
	struct mailbox_entry e = { .is_folder = true, .cookie = (uint64_t)f->row };

	if (f->attributes & INDEX_FOLDER_HIDDEN)
		return 0;
	to_folder(l->mb, f, &e.folder);
	l->stopped = l->each(l->userdata, &e);
	return l->stopped;
}

static int list_message(void *userdata, const struct index_message *m)
{
	struct listing *l = userdata;
	struct mailbox_entry e = { .is_folder = false, .cookie = message_cookie(l->uidvalidity, index_message_position(m)) };

	to_message(l->mb, m, &e.message);
	l->stopped = l->each(l->userdata, &e);
	return l->stopped;
}

/* The UIDVALIDITY of a folder all of whose messages are known. -EIO: half of them must not pass for the whole, nor a folder that has gone for an empty one. */
static int complete_uidvalidity(struct mailbox *mb, int64_t folder, uint32_t *ret)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = index_folder_get(mb->index, folder, &f);

	if (r < 0)
		return r == -ENOENT ? -EIO : r;
	if (f.wire && !(f.attributes & FOLDER_NOSELECT) && !f.complete)
		return -EIO;
	*ret = f.uidvalidity;
	return 0;
}

/* `after`: a message's cookie, or 0. */
static int list_messages(struct mailbox *mb, int64_t folder, uint64_t after, struct listing *l)
{
	int r = complete_uidvalidity(mb, folder, &l->uidvalidity);

	if (r < 0)
		return r;
	if (after && after != message_cookie(l->uidvalidity, position_of_cookie(after)))
		return -EIO;
	if (l->flag)
		return index_message_each_by_flag(mb->index, folder, position_of_cookie(after), l->flag, l->is_set, list_message,
						  l);
	if (l->names_only)
		return index_message_each_name(mb->index, folder, position_of_cookie(after), list_message, l);
	return index_message_each(mb->index, folder, position_of_cookie(after), list_message, l);
}

static int list_all(struct mailbox *mb, int64_t folder, uint64_t after, struct listing *l)
{
	int r = 0;

	if (!(after & COOKIE_MESSAGE))
		r = index_folder_each(mb->index, folder, (int64_t)after, list_folder, l);
	if (r < 0 || l->stopped)
		return r < 0 ? r : 0;
	return list_messages(mb, folder, after & COOKIE_MESSAGE ? after : 0, l);
}

static int list(int64_t folder, uint64_t after, struct listing *l)
{
	int r = index_begin_reading(l->mb->index, false);

	if (r < 0)
		return r;
	r = list_all(l->mb, folder, after, l);
	index_end_reading(l->mb->index);
	return r;
}

int mailbox_list(struct mailbox *mb, int64_t folder, uint64_t after, int (*each)(void *userdata, const struct mailbox_entry *e),
		 void *userdata)
{
	return list(folder, after, &(struct listing){ .mb = mb, .each = each, .userdata = userdata });
}

int mailbox_list_names(struct mailbox *mb, int64_t folder, uint64_t after,
		       int (*each)(void *userdata, const struct mailbox_entry *e), void *userdata)
{
	return list(folder, after, &(struct listing){ .mb = mb, .each = each, .userdata = userdata, .names_only = true });
}

uint64_t mailbox_index_state(struct mailbox *mb)
{
	return index_state(mb->index);
}

int mailbox_list_by_flag(struct mailbox *mb, int64_t folder, const char *flag, bool is_set, uint64_t after,
			 int (*each)(void *userdata, const struct mailbox_entry *e), void *userdata)
{
	struct listing l = { .mb = mb, .each = each, .userdata = userdata, .flag = flag, .is_set = is_set };

	return list(folder, after, &l);
}

static int add_flags(void *userdata, const char *flags)
{
	CLEANUP(buf) struct buf words = BUF_INIT, all = BUF_INIT;
	struct buf *out = userdata;
	int r = buf_printf(&words, "%s %s", buf_str(out), flags);

	if (r == 0)
		r = flags_canonical_lenient(buf_str(&words), &all);
	buf_truncate(out, 0);
	return r < 0 ? r : buf_append(out, all.data, all.len);
}

int mailbox_flags_in_use(struct mailbox *mb, int64_t folder, struct buf *out)
{
	return index_message_each_flags(mb->index, folder, add_flags, out);
}

struct wanted_flag {
	const char *flag;
	bool is_found;
};

static int find_flag(void *userdata, const char *flags)
{
	struct wanted_flag *wanted = userdata;

	wanted->is_found = flags_has(flags, wanted->flag);
	return wanted->is_found;
}

int mailbox_is_flag_in_use(struct mailbox *mb, int64_t folder, const char *flag)
{
	struct wanted_flag wanted = { .flag = flag };
	int r = index_message_each_flags(mb->index, folder, find_flag, &wanted);

	return r < 0 ? r : wanted.is_found;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tree tells besides what stands in it: extended attributes, which folder is for what, the quota. From the index; nothing here waits.
 */
#include "mailbox/mailbox_private.h"

#include <errno.h>
#include <string.h>

static int message_flags_attribute(struct mailbox *mb, const struct index_message *m, struct buf *out)
{
	return index_message_flags(mb->index, m->row, out);
}

static int message_uid_attribute(struct mailbox *mb, const struct index_message *m, struct buf *out)
{
	(void)mb;
	return m->uid ? buf_printf(out, "%u", m->uid) : -ENODATA;
}

static int message_uidvalidity_attribute(struct mailbox *mb, const struct index_message *m, struct buf *out)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = m->uid ? index_folder_get(mb->index, m->folder, &f) : -ENODATA;

	return r < 0 ? r : buf_printf(out, "%u", f.uidvalidity);
}

static const struct {
	const char *name;
	int (*get)(struct mailbox *mb, const struct index_message *m, struct buf *out);
} message_attributes[] = {
	{ "flags", message_flags_attribute },
	{ "uid", message_uid_attribute },
	{ "uidvalidity", message_uidvalidity_attribute },
};

int mailbox_message_attribute(struct mailbox *mb, int64_t row, const char *name, struct buf *out)
{
	struct index_message m;
	int r;

	for (size_t i = 0; i < sizeof message_attributes / sizeof *message_attributes; i++) {
		if (strcmp(message_attributes[i].name, name))
			continue;
		r = index_message_get(mb->index, row, &m);
		return r < 0 ? r : message_attributes[i].get(mb, &m, out);
	}
	return -ENODATA;
}

/* RFC 6154, as on the wire. */
static const char *const special_use_words[] = {
	[USE_ALL] = "\\All",   [USE_ARCHIVE] = "\\Archive", [USE_DRAFTS] = "\\Drafts", [USE_FLAGGED] = "\\Flagged",
	[USE_JUNK] = "\\Junk", [USE_SENT] = "\\Sent",	    [USE_TRASH] = "\\Trash",   [USE_IMPORTANT] = "\\Important",
};

static int folder_attribute(const struct index_folder *f, const char *name, struct buf *out)
{
	if (!strcmp(name, "name"))
		return f->wire ? buf_append_str(out, f->wire) : -ENODATA;
	if (!strcmp(name, "special-use"))
		return f->special_use ? buf_append_str(out, special_use_words[f->special_use]) : -ENODATA;
	if (!strcmp(name, "messages"))
		return buf_printf(out, "%u", f->messages);
	if (!strcmp(name, "unseen"))
		return buf_printf(out, "%u", f->unseen);
	if (!strcmp(name, "uidvalidity"))
		return f->uidvalidity ? buf_printf(out, "%u", f->uidvalidity) : -ENODATA;
	return -ENODATA;
}

int mailbox_folder_attribute(struct mailbox *mb, int64_t row, const char *name, struct buf *out)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = index_folder_get(mb->index, row, &f);

	return r < 0 ? r : folder_attribute(&f, name, out);
}

/* The names of .mailfs/special, in the order listed. */
static const struct {
	const char *name;
	enum special_use use;
} specials[] = {
	{ "all", USE_ALL },	    { "archive", USE_ARCHIVE },	    { "drafts", USE_DRAFTS },
	{ "flagged", USE_FLAGGED }, { "important", USE_IMPORTANT }, { "junk", USE_JUNK },
	{ "sent", USE_SENT },	    { "trash", USE_TRASH },
};

static int special_row(struct mailbox *mb, enum special_use use, int64_t *ret_row)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r = folder_list_find(mb, use, &f);

	if (r == 0)
		*ret_row = f.row;
	return r;
}

int mailbox_special(struct mailbox *mb, size_t i, struct buf *ret_name, struct buf *ret_path)
{
	int64_t row = 0;
	int r;

	for (size_t k = 0; k < sizeof specials / sizeof *specials; k++) {
		r = special_row(mb, specials[k].use, &row);
		if (r == -ENOENT || (r == 0 && i-- > 0))
			continue;
		if (r == 0)
			r = buf_append_str(ret_name, specials[k].name);
		return r < 0 ? r : folder_list_path(mb, row, ret_path);
	}
	return -ENOENT;
}

void mailbox_quota(struct mailbox *mb, int64_t *ret_used_bytes, int64_t *ret_limit_bytes)
{
	*ret_used_bytes = atomic_load(&mb->quota_used);
	*ret_limit_bytes = atomic_load(&mb->quota_limit);
}

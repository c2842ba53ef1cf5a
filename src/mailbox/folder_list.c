/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding a folder in the list: by what it is for, by its path, and the path of one.
 */
#include "mailbox/mailbox_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int found_one(void *userdata, const struct index_folder *f)
{
	bool *found = userdata;

	*found = f->row != INDEX_ROOT;
	return *found;
}

bool folder_list_is_known(struct mailbox *mb)
{
	bool found = false;

	return index_folder_each(mb->index, 0, 0, found_one, &found) >= 0 && found;
}

/* Where the server tells no special use: names that clients commonly give, the best first; the first is the one to make. */
static const char *const well_known[][6] = {
	[USE_SENT] = { "Sent", "Sent Items", "Sent Messages", "Sent Mail", "Gesendet" },
	[USE_TRASH] = { "Trash", "Deleted Items", "Deleted Messages", "Bin", "Papierkorb" },
	[USE_DRAFTS] = { "Drafts", "Draft", "Entw\303\274rfe" },
};

enum { WELL_KNOWN_MAX = sizeof *well_known / sizeof **well_known };

struct well_known_search {
	enum special_use use;
	size_t rank; /* of the best name so far */
	int64_t row;
};

static int find_well_known(void *userdata, const struct index_folder *f)
{
	struct well_known_search *s = userdata;

	if (f->attributes & FOLDER_NOSELECT)
		return 0;
	for (size_t i = 0; i < s->rank && well_known[s->use][i]; i++)
		if (!strcasecmp(f->name, well_known[s->use][i])) {
			s->rank = i;
			s->row = f->row;
		}
	return 0;
}

const char *folder_list_usual_name(enum special_use use)
{
	return well_known[use][0];
}

int folder_list_find(struct mailbox *mb, enum special_use use, struct index_folder *ret)
{
	struct well_known_search s = { use, WELL_KNOWN_MAX, 0 };
	int r = index_folder_by_use(mb->index, use, ret);

	if (r != -ENOENT || use >= sizeof well_known / sizeof *well_known)
		return r;
	r = index_folder_each(mb->index, INDEX_ROOT, 0, find_well_known, &s);
	if (r < 0)
		return r;
	return s.row ? index_folder_get(mb->index, s.row, ret) : -ENOENT;
}

int folder_list_by_path(struct mailbox *mb, const char *path, struct index_folder *ret)
{
	struct index_folder f = { .row = INDEX_ROOT };
	int r = -ENOENT;

	while (*path) {
		size_t len = strcspn(path, "/");
		CLEANUP(free) char *name = strndup(path, len);
		int64_t parent = f.row;

		index_folder_release(&f);
		r = name ? index_folder_child(mb->index, parent, name, &f) : -ENOMEM;
		if (r < 0)
			return r;
		path += len + (path[len] == '/');
	}
	if (r == 0)
		*ret = f;
	return r;
}

int folder_list_path(struct mailbox *mb, int64_t row, struct buf *out)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r;

	if (row == INDEX_ROOT)
		return 0;
	r = index_folder_get(mb->index, row, &f);
	if (r < 0)
		return r;
	r = folder_list_path(mb, f.parent, out);
	if (r == 0 && out->len)
		r = buf_append_char(out, '/');
	return r < 0 ? r : buf_append_str(out, f.name);
}

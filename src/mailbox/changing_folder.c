/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of folders: made, deleted, renamed; and scratch directories, which are on no server.
 */
#include "mailbox/changing_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "message/folder_name.h"
#include "message/scratch_name.h"

static bool is_inbox(const struct index_folder *f)
{
	return f->wire && !strcasecmp(f->wire, "INBOX");
}

/* ------------------------------------------------------------ names on the wire */

static int first_delimiter(void *userdata, const struct index_folder *f)
{
	struct index_folder *like = userdata;

	if (!f->wire || !f->delimiter)
		return 0;
	like->delimiter = f->delimiter;
	like->wire_is_utf8 = f->wire_is_utf8;
	return 1;
}

/* The wire name of `name` below `parent`; sets what the new folder has of its neighbours. */
static int wire_name(struct mailbox *mb, const struct index_folder *parent, const char *name, struct index_folder *ret)
{
	CLEANUP(buf) struct buf part = BUF_INIT, wire = BUF_INIT;
	bool top = parent->row == INDEX_ROOT;
	int r = 0;

	ret->delimiter = parent->delimiter;
	ret->wire_is_utf8 = parent->wire_is_utf8;
	if (top)
		r = index_folder_each(mb->index, 0, 0, first_delimiter, ret);
	if (r >= 0)
		r = folder_name_from_component(name, ret->wire_is_utf8, top, &part);
	if (r == 0 && ((ret->delimiter && strchr(buf_str(&part), ret->delimiter)) || (!top && !parent->wire)))
		r = -EINVAL;
	if (r == 0 && top)
		r = state_get(mb->state, FOLDER_PREFIX_KEY, &wire);
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && !top)
		r = buf_printf(&wire, "%s%c", parent->wire, parent->delimiter);
	if (r == 0)
		r = buf_append_str(&wire, buf_str(&part));
	if (r < 0)
		return r;
	ret->wire = buf_steal(&wire);
	return 0;
}

/* ------------------------------------------------------------ made */

/* Complete, being empty: it is listed before the server has it. */
static int insert_folder(struct changing *c, struct index_folder *f)
{
	int r = index_folder_put(c->mb->index, f);

	if (r == 0)
		r = index_folder_complete(c->mb->index, f->row, 0);
	return r < 0 ? r : news_add(&c->news, CHANGE_FOLDER_ADDED, f->parent, f->row, f->name);
}

int changing_make_folder(struct changing *c, int64_t parent, const char *name, int special_use, struct index_folder *ret)
{
	CLEANUP(index_folder) struct index_folder above = { 0 };
	struct index_folder f = { .parent = parent, .special_use = special_use, .attributes = FOLDER_SUBSCRIBED };
	CLEANUP(buf) struct buf use = BUF_INIT;
	struct journal_entry e = { .kind = JOURNAL_CREATE };
	int r = index_folder_get(c->mb->index, parent, &above);

	snprintf(f.name, sizeof f.name, "%s", name);
	if (r == 0 && (above.attributes & FOLDER_NOINFERIORS || (above.rights && !strchr(above.rights, 'k'))))
		r = -EACCES;
	if (r == 0)
		r = wire_name(c->mb, &above, name, &f);
	if (r == 0)
		r = insert_folder(c, &f);
	if (r == 0)
		r = buf_printf(&use, "%d", special_use);
	e.folder = f.wire;
	e.detail = use.data;
	if (r == 0)
		r = changing_record(c, &e);
	if (r < 0)
		index_folder_release(&f);
	else
		*ret = f;
	return r;
}

static int make_directory(struct changing *c, const struct index_folder *parent, const char *name, struct index_folder *ret)
{
	CLEANUP(local_entry) struct local_entry e = { 0 };
	struct index_folder f = { .parent = parent->row, .attributes = INDEX_FOLDER_LOCAL | FOLDER_NOSELECT };
	int r;

	snprintf(f.name, sizeof f.name, "%s", name);
	r = insert_folder(c, &f);
	if (r == 0)
		r = upload_place(&e, parent, name);
	e.row = f.row;
	if (r == 0)
		r = local_put_directory(c->mb->index, &e);
	*ret = f;
	return r;
}

int mailbox_mkdir(struct mailbox *mb, int64_t parent, const char *name, int64_t *ret_row)
{
	CLEANUP(index_folder) struct index_folder above = { 0 }, made = { 0 };
	struct mailbox_entry there;
	struct changing c;
	int r = changing_check_name(name);

	if (r == 0)
		r = changing_begin(&c, mb);
	if (r < 0)
		return r;
	r = index_folder_get(mb->index, parent, &above);
	if (r == 0 && mailbox_lookup(mb, parent, name, &there) == 0)
		r = -EEXIST;
	if (r == 0 && (scratch_name(name) || above.attributes & INDEX_FOLDER_LOCAL))
		r = make_directory(&c, &above, name, &made);
	else if (r == 0)
		r = changing_make_folder(&c, parent, name, USE_NONE, &made);
	r = changing_end(&c, r);
	if (r == 0)
		*ret_row = made.row;
	return r;
}

/* ------------------------------------------------------------ deleted */

static int found_message(void *userdata, const struct index_message *m)
{
	(void)m;
	*(bool *)userdata = true;
	return 1;
}

static int check_empty(struct mailbox *mb, const struct index_folder *f)
{
	bool found = false;
	uint32_t folders = 0, marked = 0;
	int r = index_folder_count_below(mb->index, f->row, &folders);

	if (r == 0 && !folders)
		r = index_message_each(mb->index, f->row, 0, found_message, &found);
	if (r < 0 || folders || found)
		return r < 0 ? r : -ENOTEMPTY;
	if (mb->configuration->delete_mode == DELETE_MARK)
		r = index_message_count(mb->index, f->row, UINT32_MAX, &marked);
	else
		r = index_message_count_marked(mb->index, f->row, &marked);
	return r < 0 ? r : marked ? -ENOTEMPTY : 0;
}

/* Its row stays until the server has deleted it: what was moved out of it is still there as far as the server is concerned. Its names are free for another. */
static int hide(struct changing *c, struct index_folder *f)
{
	free(f->wire);
	f->wire = NULL;
	f->attributes |= INDEX_FOLDER_HIDDEN;
	snprintf(f->name, sizeof f->name, ".deleted-%lld", (long long)f->row);
	return index_folder_put(c->mb->index, f);
}

static int delete_folder(struct changing *c, struct index_folder *f)
{
	CLEANUP(free) char *wire = f->wire ? strdup(f->wire) : NULL;
	struct journal_entry e = { .kind = JOURNAL_DELETE, .folder = wire };
	CLEANUP(buf) struct buf back = BUF_INIT;
	int r = is_inbox(f) ? -EBUSY : f->rights && !strchr(f->rights, 'x') ? -EACCES : check_empty(c->mb, f);

	if (r == 0 && f->attributes & INDEX_FOLDER_LOCAL) {
		r = local_remove_directory(c->mb->index, f->row);
		return r < 0 ? r : index_folder_delete(c->mb->index, f->row);
	}
	if (r == 0 && !wire)
		r = f->wire ? -ENOMEM : -EPERM;
	if (r == 0)
		r = buf_printf(&back, "%lld\n%s", (long long)f->row, f->name);
	e.detail = back.data;
	if (r == 0)
		r = hide(c, f);
	return r < 0 ? r : changing_record(c, &e);
}

int mailbox_rmdir(struct mailbox *mb, int64_t parent, const char *name)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	struct mailbox_entry there;
	struct changing c;
	int r = changing_begin(&c, mb);

	if (r < 0)
		return r;
	r = index_folder_child(mb->index, parent, name, &f);
	if (r == -ENOENT && mailbox_lookup(mb, parent, name, &there) == 0)
		r = -ENOTDIR;
	if (r == 0)
		r = delete_folder(&c, &f);
	if (r == 0)
		r = news_add(&c.news, CHANGE_FOLDER_ATTRIBUTES, 0, parent, "");
	return changing_end(&c, r);
}

/* ------------------------------------------------------------ renamed */

static int is_below(struct mailbox *mb, int64_t row, int64_t above)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	int r;

	if (row == above)
		return 1;
	if (row == INDEX_ROOT)
		return 0;
	r = index_folder_get(mb->index, row, &f);
	return r < 0 ? r : is_below(mb, f.parent, above);
}

struct below {
	const char *wire;
	int64_t row;
};

static int find_below(void *userdata, const struct index_folder *f)
{
	struct below *b = userdata;
	size_t len = strlen(b->wire);

	if (!f->wire || !f->delimiter || strncmp(f->wire, b->wire, len) || f->wire[len] != f->delimiter)
		return 0;
	b->row = f->row;
	return 1;
}

static int rename_wire(struct mailbox *mb, int64_t row, const char *from, const char *to)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	char *wire;
	int r = index_folder_get(mb->index, row, &f);

	if (r < 0)
		return r;
	if (asprintf(&wire, "%s%s", to, f.wire + strlen(from)) < 0)
		return -ENOMEM;
	free(f.wire);
	f.wire = wire;
	return index_folder_put(mb->index, &f);
}

/* One at a time: what is read must not change meanwhile. */
static int rename_below(struct mailbox *mb, const char *from, const char *to)
{
	struct below next;
	int r;

	do {
		next = (struct below){ .wire = from };
		r = index_folder_each(mb->index, 0, 0, find_below, &next);
		if (r >= 0 && next.row)
			r = rename_wire(mb, next.row, from, to);
	} while (r >= 0 && next.row);
	return r;
}

int changing_put_folder(struct mailbox *mb, struct index_folder *f, int64_t parent, const char *name, const char *wire)
{
	CLEANUP(free) char *from = strdup(f->wire);
	int r;

	free(f->wire);
	f->wire = strdup(wire);
	if (!f->wire || !from)
		return -ENOMEM;
	f->parent = parent;
	memmove(f->name, name, strlen(name) + 1);
	r = index_folder_put(mb->index, f);
	if (r == 0)
		r = rename_below(mb, from, wire);
	return r < 0 ? r : local_rename_folder(mb->index, from, wire, f->delimiter);
}

static int rename_directory(struct changing *c, struct index_folder *f, const struct index_folder *to, const char *to_name)
{
	CLEANUP(local_entry) struct local_entry e = { .row = f->row };
	int r;

	if (!scratch_name(to_name) && !(to->attributes & INDEX_FOLDER_LOCAL)) /* mv makes a folder of it, and moves what is in it */
		return -EXDEV;
	f->parent = to->row;
	strcpy(f->name, to_name);
	r = upload_place(&e, to, to_name);
	if (r == 0)
		r = local_put_directory(c->mb->index, &e);
	return r < 0 ? r : index_folder_put(c->mb->index, f);
}

static int rename_on_server(struct changing *c, struct index_folder *f, const struct index_folder *to, const char *to_name)
{
	CLEANUP(index_folder) struct index_folder renamed = { 0 };
	CLEANUP(buf) struct buf detail = BUF_INIT;
	struct journal_entry e = { .kind = JOURNAL_RENAME };
	CLEANUP(free) char *from = NULL;
	int r;

	if (is_inbox(f))
		return -EBUSY;
	if (!f->wire)
		return -EPERM;
	if (scratch_name(to_name) || to->attributes & INDEX_FOLDER_LOCAL)
		return -EXDEV;
	if ((f->rights && !strchr(f->rights, 'x')) || (to->rights && !strchr(to->rights, 'k')))
		return -EACCES;
	r = wire_name(c->mb, to, to_name, &renamed);
	if (r == 0)
		r = buf_printf(&detail, "%s\n%lld%.*s\n%s", renamed.wire, (long long)f->parent, f->delimiter != '\0', &f->delimiter,
			       f->name);
	from = strdup(f->wire);
	if (r < 0 || !from)
		return r < 0 ? r : -ENOMEM;
	r = changing_put_folder(c->mb, f, to->row, to_name, renamed.wire);
	e.folder = from;
	e.detail = detail.data;
	return r < 0 ? r : changing_record(c, &e);
}

int changing_rename_folder(struct changing *c, struct index_folder *f, int64_t to_parent, const char *to_name, bool no_replace)
{
	CLEANUP(index_folder) struct index_folder to = { 0 };
	struct mailbox_entry there;
	int64_t from_parent = f->parent;
	int r = is_below(c->mb, to_parent, f->row);

	if (r != 0)
		return r < 0 ? r : -EINVAL;
	if (mailbox_lookup(c->mb, to_parent, to_name, &there) == 0) {
		if (there.is_folder && there.folder.row == f->row)
			return 0;
		return no_replace ? -EEXIST : there.is_folder ? -ENOTEMPTY : -ENOTDIR;
	}
	r = index_folder_get(c->mb->index, to_parent, &to);
	if (r == 0)
		r = f->attributes & INDEX_FOLDER_LOCAL ? rename_directory(c, f, &to, to_name)
						       : rename_on_server(c, f, &to, to_name);
	if (r == 0)
		r = news_add(&c->news, CHANGE_FOLDER_ATTRIBUTES, 0, from_parent, "");
	return r < 0 ? r : news_add(&c->news, CHANGE_FOLDER_ATTRIBUTES, 0, to_parent, "");
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_list.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "backend/imap_command.h"

/* More than any account has; what bounds memory when a server never stops. */
enum { FOLDERS_MAX = 200000, FOLDER_NAME_MAX = 16 * 1024, NAMESPACES_MAX = 32 };

struct found {
	char *wire; /* own */
	char delimiter;
	unsigned attributes;
	enum special_use special_use;
};

struct listing {
	struct found *items; /* own */
	size_t n, cap;
	char *personal;		      /* own; the personal namespace's prefix; NULL: none told */
	char *others[NAMESPACES_MAX]; /* own; prefixes of other users' and shared ones */
	size_t n_others;
	struct buf name; /* scratch */
};

static void listing_release(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].wire);
	free(l->items);
	free(l->personal);
	for (size_t i = 0; i < l->n_others; i++)
		free(l->others[i]);
	buf_release(&l->name);
}

static void listing_cleanup(struct listing *l)
{
	listing_release(l);
}

/* ------------------------------------------------------------ NAMESPACE */

static int namespace_keep(struct listing *l, bool personal, const char *prefix)
{
	char *copy;

	if (!*prefix || (personal ? l->personal != NULL : l->n_others == NAMESPACES_MAX))
		return 0;
	copy = strdup(prefix);
	if (!copy)
		return -ENOMEM;
	if (personal)
		l->personal = copy;
	else
		l->others[l->n_others++] = copy;
	return 0;
}

/* NIL, or (("prefix" "delimiter" extensions…)…) */
static bool namespace_class(struct imap_scan *s, struct listing *l, bool personal)
{
	if (imap_scan_nil(s))
		return true;
	if (!imap_scan_char(s, '('))
		return false;
	while (imap_scan_char(s, '(')) {
		if (!imap_scan_string(s, &l->name) || namespace_keep(l, personal, buf_str(&l->name)) < 0)
			return false;
		while (imap_scan_char(s, ' '))
			if (!imap_scan_skip(s))
				return false;
		if (!imap_scan_char(s, ')'))
			return false;
		imap_scan_char(s, ' ');
	}
	return imap_scan_char(s, ')');
}

/* * NAMESPACE personal other-users shared (RFC 2342 section 5). What cannot be read is as if it had not been told. */
static int namespace_untagged(void *userdata, const struct imap_response *response)
{
	struct listing *l = userdata;
	struct imap_scan s = imap_scan_text(response->rest);

	if (imap_text_is(response->word, "NAMESPACE") && namespace_class(&s, l, true) && imap_scan_char(&s, ' ') &&
	    namespace_class(&s, l, false) && imap_scan_char(&s, ' '))
		namespace_class(&s, l, false);
	return 0;
}

static int list_namespaces(struct imap_session *s, struct listing *l)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	if (!(s->capabilities & CAP_NAMESPACE))
		return 0;
	imap_command_init(&c, s, "NAMESPACE");
	r = imap_command_run(&c, namespace_untagged, l, "NAMESPACE");
	return s->base.broken ? r : 0;
}

/* ------------------------------------------------------------ LIST */

static const struct {
	const char *word;
	unsigned attributes;
	enum special_use special_use;
} list_attributes[] = {
	{ "\\Noselect", FOLDER_NOSELECT, USE_NONE },
	{ "\\NonExistent", FOLDER_NOSELECT, USE_NONE },
	{ "\\Noinferiors", FOLDER_NOINFERIORS, USE_NONE },
	{ "\\Subscribed", FOLDER_SUBSCRIBED, USE_NONE },
	{ "\\All", 0, USE_ALL },
	{ "\\Archive", 0, USE_ARCHIVE },
	{ "\\Drafts", 0, USE_DRAFTS },
	{ "\\Flagged", 0, USE_FLAGGED },
	{ "\\Junk", 0, USE_JUNK },
	{ "\\Sent", 0, USE_SENT },
	{ "\\Trash", 0, USE_TRASH },
	{ "\\Important", 0, USE_IMPORTANT },
};

static void list_attribute(struct found *f, struct imap_text word)
{
	for (size_t i = 0; i < sizeof(list_attributes) / sizeof(list_attributes[0]); i++) {
		if (!imap_text_is(word, list_attributes[i].word))
			continue;
		f->attributes |= list_attributes[i].attributes;
		if (f->special_use == USE_NONE)
			f->special_use = list_attributes[i].special_use;
	}
}

/* (\attributes) "delimiter" name, RFC 9051 section 7.3.1. What is behind the name does not matter here. */
static bool list_read(struct imap_scan *s, struct found *f, struct buf *name)
{
	struct imap_text word;

	if (!imap_scan_char(s, '('))
		return false;
	while (imap_scan_atom(s, &word)) {
		list_attribute(f, word);
		imap_scan_char(s, ' ');
	}
	if (!imap_scan_char(s, ')') || !imap_scan_char(s, ' '))
		return false;
	if (!imap_scan_nil(s)) {
		if (!imap_scan_string(s, name))
			return false;
		f->delimiter = name->len == 1 ? name->data[0] : '\0';
	}
	return imap_scan_char(s, ' ') && imap_scan_string(s, name) && name->len && !memchr(name->data, '\0', name->len);
}

static int listing_add(struct listing *l, struct found *f)
{
	size_t len = l->name.len, cap = l->cap ? l->cap * 2 : 64;
	struct found *items;

	if (l->n == FOLDERS_MAX)
		return -E2BIG;
	if (l->n == l->cap) {
		items = realloc(l->items, cap * sizeof(*items));
		if (!items)
			return -ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	/* "folder/" is how some name what only holds others. */
	if (f->delimiter && len > 1 && l->name.data[len - 1] == f->delimiter)
		buf_truncate(&l->name, len - 1);
	f->wire = strdup(strcasecmp(l->name.data, "INBOX") ? l->name.data : "INBOX");
	if (!f->wire)
		return -ENOMEM;
	l->items[l->n++] = *f;
	return 0;
}

static int list_any(struct listing *l, const struct imap_response *response, unsigned attributes)
{
	struct imap_scan s = imap_scan_text(response->rest);
	struct found f = { .attributes = attributes };

	if (!list_read(&s, &f, &l->name) || l->name.len > FOLDER_NAME_MAX)
		return 0;
	return listing_add(l, &f);
}

static int list_untagged(void *userdata, const struct imap_response *response)
{
	return imap_text_is(response->word, "LIST") ? list_any(userdata, response, 0) : 0;
}

/* \Noselect in an LSUB response speaks of a subscribed child, not of a subscription. */
static int lsub_untagged(void *userdata, const struct imap_response *response)
{
	struct listing *l = userdata;
	size_t n = l->n;
	int r;

	if (!imap_text_is(response->word, "LSUB"))
		return 0;
	r = list_any(l, response, FOLDER_SUBSCRIBED);
	if (l->n > n && (l->items[n].attributes & FOLDER_NOSELECT))
		free(l->items[--l->n].wire);
	return r;
}

static int compare_found(const void *a, const void *b)
{
	const struct found *one = a, *other = b;

	return strcmp(one->wire, other->wire);
}

/* Sorts, and joins what was listed twice: by overlapping namespaces, or by LIST and RETURN. */
static void listing_join(struct listing *l)
{
	size_t n = 0;

	if (l->n)
		qsort(l->items, l->n, sizeof(*l->items), compare_found);
	for (size_t i = 0; i < l->n; i++) {
		struct found *last = n ? &l->items[n - 1] : NULL;

		if (!last || strcmp(last->wire, l->items[i].wire)) {
			l->items[n++] = l->items[i];
			continue;
		}
		last->attributes |= l->items[i].attributes;
		if (last->special_use == USE_NONE)
			last->special_use = l->items[i].special_use;
		free(l->items[i].wire);
	}
	l->n = n;
}

static int list_run(struct imap_session *s, struct listing *l, const char *prefix)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	CLEANUP(buf) struct buf pattern = BUF_INIT;

	if (buf_append_str(&pattern, prefix) < 0 || buf_append_char(&pattern, '*') < 0)
		return -ENOMEM;
	imap_command_init(&c, s, "LIST \"\" ");
	imap_command_string(&c, buf_str(&pattern));
	if (s->capabilities & CAP_LIST_EXTENDED)
		imap_command_add(&c, " RETURN (SUBSCRIBED%s)", s->capabilities & CAP_SPECIAL_USE ? " SPECIAL-USE" : "");
	return imap_command_run(&c, list_untagged, l, "cannot list the folders");
}

/* Marks the folders of `l` that LSUB names; the others that it names do not exist. */
static int list_subscribed(struct imap_session *s, struct listing *l)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	CLEANUP(listing) struct listing subscribed = { 0 };
	struct found *known;
	int r;

	imap_command_init(&c, s, "LSUB \"\" \"*\"");
	r = imap_command_run(&c, lsub_untagged, &subscribed, "cannot list the subscribed folders");
	for (size_t i = 0; l->n && i < subscribed.n; i++) {
		known = bsearch(&subscribed.items[i], l->items, l->n, sizeof(*l->items), compare_found);
		if (known)
			known->attributes |= FOLDER_SUBSCRIBED;
	}
	return s->base.broken ? r : 0;
}

static int list_tell(const struct imap_session *s, const struct listing *l,
		     int (*each)(void *userdata, const struct backend_folder *folder), void *userdata)
{
	size_t prefix = l->personal ? strlen(l->personal) : 0;
	int r = 0;

	for (size_t i = 0; i < l->n && r == 0; i++) {
		const struct found *f = &l->items[i];
		struct backend_folder folder = {
			.wire = f->wire,
			.wire_is_utf8 = s->utf8,
			.delimiter = f->delimiter,
			.attributes = f->attributes,
			.special_use = f->special_use,
		};

		if (prefix && !strncmp(f->wire, l->personal, prefix) && f->wire[prefix])
			folder.prefix_len = prefix;
		r = each(userdata, &folder);
	}
	return r;
}

/* A name may hold what is a pattern in LIST. */
int imap_list_has(struct imap_session *s, const char *folder)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	CLEANUP(listing) struct listing l = { 0 };
	const char *name = strcasecmp(folder, "INBOX") ? folder : "INBOX";
	int r;

	imap_command_init(&c, s, "LIST \"\" ");
	imap_command_string(&c, folder);
	r = imap_command_run(&c, list_untagged, &l, "cannot list the folder");
	for (size_t i = 0; i < l.n && r == 0; i++)
		if (!strcmp(l.items[i].wire, name))
			r = l.items[i].attributes & FOLDER_NOSELECT ? 1 : 2;
	return r;
}

int imap_list(struct backend *b, int (*each)(void *userdata, const struct backend_folder *folder), void *userdata)
{
	struct imap_session *s = imap_session_of(b);
	CLEANUP(listing) struct listing l = { 0 };
	int r;

	r = list_namespaces(s, &l);
	if (r == 0)
		r = list_run(s, &l, "");
	/* "*" mostly covers the other namespaces; where not, they are asked for by name. */
	for (size_t i = 0; i < l.n_others && r == 0; i++) {
		r = list_run(s, &l, l.others[i]);
		if (r < 0 && r != -EAGAIN && !s->base.broken)
			r = 0; /* not ours to list */
	}
	if (r < 0)
		return r;
	listing_join(&l);
	if (!(s->capabilities & CAP_LIST_EXTENDED))
		r = list_subscribed(s, &l);
	return r < 0 ? r : list_tell(s, &l, each, userdata);
}

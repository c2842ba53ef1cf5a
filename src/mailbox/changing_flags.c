/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of flags: only what differs goes into the journal.
 */
#include "mailbox/changing_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "message/flags.h"

bool changing_has_keyword(const char *words)
{
	for (; *words; words += strcspn(words, " "), words += *words == ' ')
		if (*words != '\\')
			return true;
	return false;
}

/* \Recent is the server's alone; words stand on one line. */
static bool is_settable(const char *value)
{
	return !flags_has(value, "\\Recent") && !strpbrk(value, "\r\n\t");
}

/* The words to add and to remove that turn `flags` into what `value` asks for. */
static int flags_wanted(const char *flags, const char *value, struct buf *add, struct buf *remove)
{
	CLEANUP(buf) struct buf canonical = BUF_INIT;

	if (!is_settable(*value == '+' || *value == '-' ? value + 1 : value))
		return -EINVAL;
	if (*value == '+')
		return flags_canonical(value + 1, add);
	if (*value == '-')
		return flags_canonical(value + 1, remove);
	if (flags_canonical(value, &canonical) < 0)
		return -EINVAL;
	return flags_difference(flags, buf_str(&canonical), add, remove);
}

/* What a local file will be uploaded with. */
static int set_local_flags(struct mailbox *mb, int64_t row, const char *flags)
{
	CLEANUP(local_entry) struct local_entry e = { 0 };
	int r = local_get(mb->index, row, &e);

	if (r < 0)
		return r;
	free(e.flags);
	e.flags = strdup(flags);
	r = e.flags ? local_put(mb->index, &e) : -ENOMEM;
	if (r == 0)
		r = index_message_set_flags(mb->index, row, flags);
	return r < 0 ? r : 0;
}

/* RFC 4314: \Seen and \Deleted have letters of their own. */
static int check_flag_rights(struct mailbox *mb, const struct index_message *m, const char *words)
{
	CLEANUP(index_folder) struct index_folder f = { 0 };
	char letters[4] = "";
	size_t n = 0, rest = strlen(words);
	int r = index_folder_get(mb->index, m->folder, &f);

	if (r < 0)
		return r;
	if (flags_has(words, "\\Seen"))
		letters[n++] = 's', rest -= strlen("\\Seen");
	if (flags_has(words, "\\Deleted"))
		letters[n++] = 't', rest -= strlen("\\Deleted");
	if (rest > 1)
		letters[n++] = 'w';
	letters[n] = '\0';
	return changing_check_rights(&f, letters);
}

static bool takes_keywords(struct mailbox *mb, int64_t folder)
{
	bool takes;

	pthread_mutex_lock(&mb->lock);
	takes = table_get(&mb->keywords, folder) != NULL;
	pthread_mutex_unlock(&mb->lock);
	return takes;
}

int changing_flags(struct changing *c, const struct index_message *m, const char *flags, const char *add, const char *remove)
{
	CLEANUP(buf) struct buf detail = BUF_INIT, next = BUF_INIT;
	struct journal_entry e = { .kind = JOURNAL_FLAGS, .row = m->row };
	int r = buf_printf(&detail, "%s\n%s", add, remove), unsent;

	if (r == 0)
		r = apply_flags_words(flags, buf_str(&detail), &next);
	if (r < 0 || !strcmp(flags, buf_str(&next)))
		return r;
	unsent = changing_is_unsent(c->mb, m);
	if (unsent != 0)
		return unsent < 0 ? unsent : set_local_flags(c->mb, m->row, buf_str(&next));
	r = check_flag_rights(c->mb, m, add);
	if (r == 0)
		r = check_flag_rights(c->mb, m, remove);
	e.detail = detail.data;
	if (r == 0)
		r = changing_record(c, &e);
	return r < 0 ? r : changing_has_keyword(add) && !takes_keywords(c->mb, m->folder);
}

static int change_flags(struct changing *c, const struct index_message *m, const char *value)
{
	CLEANUP(buf) struct buf flags = BUF_INIT, add = BUF_INIT, remove = BUF_INIT;
	int r = index_message_flags(c->mb->index, m->row, &flags);

	if (r == 0)
		r = flags_wanted(buf_str(&flags), value, &add, &remove);
	return r < 0 ? r : changing_flags(c, m, buf_str(&flags), buf_str(&add), buf_str(&remove));
}

int mailbox_set_flags(struct mailbox *mb, int64_t row, const char *value, size_t len)
{
	CLEANUP(free) char *text = strndup(value, len);
	struct index_message m;
	struct changing c;
	int r = text ? changing_begin(&c, mb) : -ENOMEM;

	if (r < 0)
		return r;
	r = index_message_get(mb->index, row, &m);
	if (r == 0 && !m.folder)
		r = -ENOENT;
	if (r == 0)
		r = change_flags(&c, &m, text);
	if (r >= 0 && (news_add(&c.news, CHANGE_MESSAGE_ATTRIBUTES, m.folder, m.row, m.name) < 0 ||
		       news_add(&c.news, CHANGE_FOLDER_ATTRIBUTES, 0, m.folder, "") < 0))
		r = -ENOMEM;
	return changing_end(&c, r);
}

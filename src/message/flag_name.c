/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/flag_name.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "message/flags.h"

enum { COMPONENT_MAX = 255 };

const struct flag_name flag_names[FLAG_NAMES] = {
	{ "seen", "\\Seen", true },	    { "unseen", "\\Seen", false }, { "flagged", "\\Flagged", true },
	{ "answered", "\\Answered", true }, { "draft", "\\Draft", true },  { "deleted", "\\Deleted", true },
};

static bool is_system_name(const char *text)
{
	for (size_t i = 0; i < FLAG_NAMES; i++)
		if (!strcasecmp(text, flag_names[i].name))
			return true;
	return false;
}

int flag_name_of_keyword(const char *keyword, struct buf *out)
{
	bool is_dots = !strcmp(keyword, ".") || !strcmp(keyword, "..");
	bool is_system = is_system_name(keyword);
	size_t start = out->len;
	int r = 0;

	for (size_t i = 0; keyword[i] && r == 0; i++)
		if (keyword[i] == '/' || is_dots || (is_system && i == 0))
			r = buf_printf(out, "%%%02X", (unsigned char)keyword[i]);
		else
			r = buf_append_char(out, keyword[i]);
	if (r == 0 && out->len - start > COMPONENT_MAX)
		r = -ENAMETOOLONG;
	if (r < 0)
		buf_truncate(out, start);
	return r;
}

static int unescape(const char *name, struct buf *out)
{
	char digits[3] = "";
	int r = 0;

	for (; *name && r == 0; name++) {
		if (*name != '%') {
			r = buf_append_char(out, *name);
			continue;
		}
		if (!isxdigit((unsigned char)name[1]) || !isxdigit((unsigned char)name[2]))
			return -EINVAL;
		memcpy(digits, name + 1, 2);
		r = buf_append_char(out, (char)strtoul(digits, NULL, 16));
		name += 2;
	}
	return r;
}

/* One word, and its name is this one: each keyword has one name. */
int flag_name_to_keyword(const char *name, struct buf *out)
{
	CLEANUP(buf) struct buf keyword = BUF_INIT, word = BUF_INIT, again = BUF_INIT;
	int r = strlen(name) > COMPONENT_MAX ? -EINVAL : unescape(name, &keyword);

	if (r == 0)
		r = flags_canonical(buf_str(&keyword), &word);
	if (r == 0 && (!word.len || strpbrk(buf_str(&word), " \\") || strcmp(buf_str(&word), buf_str(&keyword))))
		r = -EINVAL;
	if (r == 0)
		r = flag_name_of_keyword(buf_str(&keyword), &again);
	if (r == 0 && strcmp(buf_str(&again), name))
		r = -EINVAL;
	return r < 0 ? r : buf_append(out, word.data, word.len);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox/apply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_TRIED_MAX = 10000 };

static bool is_taken(struct mailbox *mb, int64_t folder, const char *name)
{
	struct mailbox_entry entry;

	return mailbox_lookup(mb, folder, name, &entry) == 0;
}

/* "letter.eml" and 2 make "letter-2.eml", with a suffix "letter.eml-2.partial". */
static int numbered_name(const char *wanted, int number, const char *suffix, char out[NAME_MAX + 1])
{
	const char *end = *suffix ? wanted + strlen(wanted) : strrchr(wanted, '.');
	char digits[16] = "";
	int stem, rest;

	if (!end || end == wanted)
		end = wanted + strlen(wanted);
	if (number > 1)
		snprintf(digits, sizeof digits, "-%d", number);
	rest = (int)(strlen(digits) + strlen(end) + strlen(suffix));
	stem = (int)(end - wanted);
	if (stem + rest > NAME_MAX)
		stem = NAME_MAX - rest;
	while (stem > 0 && (wanted[stem] & 0xc0) == 0x80) /* not in the middle of a character */
		stem--;
	return snprintf(out, NAME_MAX + 1, "%.*s%s%s%s", stem, wanted, digits, end, suffix) > NAME_MAX ? -ENAMETOOLONG : 0;
}

int apply_free_name(struct mailbox *mb, int64_t folder, const char *wanted, const char *suffix, char out[NAME_MAX + 1])
{
	char name[NAME_MAX + 1];

	for (int i = 1; i < NAMES_TRIED_MAX; i++) {
		int r = numbered_name(wanted, i, suffix, name);

		if (r < 0)
			return r;
		if (is_taken(mb, folder, name))
			continue;
		memcpy(out, name, sizeof name);
		return 0;
	}
	return -EEXIST;
}

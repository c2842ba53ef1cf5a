/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/name.h"

#include <stdio.h>
#include <string.h>

/* How much of `name` stays when `more` bytes go behind it: whole UTF-8 characters. */
static size_t fitting_length(const char *name, size_t len, size_t more)
{
	if (len + more <= NAME_MAX)
		return len;
	len = NAME_MAX - more;
	while (len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80)
		len--;
	return len;
}

void name_partial(const char *name, char out[NAME_MAX + 1])
{
	static const char suffix[] = ".partial";
	size_t len = fitting_length(name, strlen(name), sizeof suffix - 1);

	snprintf(out, NAME_MAX + 1, "%.*s%s", (int)len, name, suffix);
}

void name_alternative(const char *name, unsigned n, char out[NAME_MAX + 1])
{
	const char *dot = strrchr(name, '.');
	const char *extension = dot && dot != name && strlen(dot) <= 16 ? dot : "";
	size_t stem = strlen(name) - strlen(extension);
	char number[16];

	if (n <= 1) {
		snprintf(out, NAME_MAX + 1, "%s", name);
		return;
	}
	snprintf(number, sizeof number, "-%u", n);
	stem = fitting_length(name, stem, strlen(number) + strlen(extension));
	snprintf(out, NAME_MAX + 1, "%.*s%s%s", (int)stem, name, number, extension);
}

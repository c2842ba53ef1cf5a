/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/scratch_name.h"

#include <stddef.h>
#include <string.h>

static bool ends_with(const char *name, size_t len, const char *suffix)
{
	size_t suffix_len = strlen(suffix);

	return len >= suffix_len && !memcmp(name + len - suffix_len, suffix, suffix_len);
}

bool scratch_name(const char *name)
{
	static const char *const suffixes[] = { "~", ".swp", ".part", ".partial", ".tmp", ".lock" };
	static const char sed[] = "sed??????";
	size_t len = strlen(name);

	if (name[0] == '.')
		return true;
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
		if (ends_with(name, len, suffixes[i]))
			return true;
	if (len >= 2 && name[0] == '#' && name[len - 1] == '#')
		return true;
	/* sed -i puts letters and digits there: a dot makes it somebody's sedan.eml. */
	return len == strlen(sed) && !strncmp(name, "sed", 3) && !strchr(name, '.');
}

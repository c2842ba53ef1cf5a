/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "message/folder_name.h"

struct pattern {
	char *text; /* unquoted; within the caller's copy */
	bool excludes;
	bool is_open; /* a quote in it is never closed */
};

/* Takes the next word off *text, its quotes and the backslashes within them undone in place. */
static bool next_pattern(char **text, struct pattern *ret)
{
	char *p = *text + strspn(*text, " \t");
	char *to = p;
	bool quoted = false;

	if (!*p)
		return false;
	ret->text = p;
	for (; *p && (quoted || (*p != ' ' && *p != '\t')); p++) {
		if (*p == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && *p == '\\' && p[1])
			p++;
		*to++ = *p;
	}
	*text = *p ? p + 1 : p;
	*to = '\0';
	ret->is_open = quoted;
	ret->excludes = *ret->text == '!';
	ret->text += ret->excludes;
	return true;
}

/*
 * Where a wildcard last stood, and how much it took so far. Trying anew from the last one is enough: an earlier one could only
 * take what the last can take as well, but for `%`, which has to give way to an earlier `*` at a `/`.
 */
struct retry {
	const char *pattern;
	const char *path;
};

static bool matches(const char *pattern, const char *path)
{
	struct retry star = { 0 }, percent = { 0 };

	while (*path || *pattern) {
		if (*pattern == '*') {
			star = (struct retry){ ++pattern, path };
			percent.pattern = NULL;
		} else if (*pattern == '%') {
			percent = (struct retry){ ++pattern, path };
		} else if (*path && *pattern == *path) {
			pattern++;
			path++;
		} else if (percent.pattern && *percent.path && *percent.path != '/') {
			pattern = percent.pattern;
			path = ++percent.path;
		} else if (star.pattern && *star.path) {
			pattern = star.pattern;
			path = ++star.path;
			percent.pattern = NULL;
		} else {
			return false;
		}
	}
	return true;
}

bool folder_name_selected(const char *patterns, const char *path)
{
	CLEANUP(free) char *copy = strdup(patterns);
	char *rest = copy;
	struct pattern pattern;
	bool only_excludes = true;
	bool decided = false;
	bool shown = false;

	while (copy && next_pattern(&rest, &pattern)) {
		only_excludes &= pattern.excludes;
		if (!matches(pattern.text, path))
			continue;
		decided = true;
		shown = !pattern.excludes;
	}
	return decided ? shown : only_excludes;
}

int folder_name_check_patterns(const char *patterns, const char **ret_advice)
{
	CLEANUP(free) char *copy = strdup(patterns);
	char *rest = copy;
	struct pattern pattern;

	if (!copy)
		return -ENOMEM;
	while (next_pattern(&rest, &pattern)) {
		if (pattern.is_open) {
			*ret_advice = "a quote is not closed: write one at each end, \"Bulk mail\"";
			return -EINVAL;
		}
		if (!*pattern.text) {
			*ret_advice = "an empty pattern fits no folder: write * for all, !NAME for all but one";
			return -EINVAL;
		}
	}
	return 0;
}

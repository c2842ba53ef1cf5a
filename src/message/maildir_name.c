/* SPDX-License-Identifier: BSD-2-Clause */
#include "message/maildir_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INFO ":2,"
#define OWN_SUFFIX ".mailfs"
#define FILE_SUFFIX ".eml"

static bool ends_with(const char *text, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len > n && !memcmp(text + len - n, suffix, n);
}

int maildir_name_make(const struct maildir_name *name, const char *letters, struct buf *out)
{
	return buf_printf(out, "%lld.V%uU%u" OWN_SUFFIX INFO "%s", (long long)name->date_s, name->uidvalidity, name->uid, letters);
}

/* The last one: what stands before it may be anything. */
size_t maildir_name_base(const char *text)
{
	const char *info = NULL;

	for (const char *at = text; (at = strstr(at, INFO)); at++)
		info = at;
	return info ? (size_t)(info - text) : strlen(text);
}

/* A number as we write it behind `mark`; *text goes on behind it. */
static bool take_number(const char **text, char mark, uint32_t *ret)
{
	unsigned long long number;
	char *end;

	if (**text != mark || (*text)[1] < '1' || (*text)[1] > '9')
		return false;
	number = strtoull(*text + 1, &end, 10);
	if (number > UINT32_MAX)
		return false;
	*ret = (uint32_t)number;
	*text = end;
	return true;
}

bool maildir_name_parse(const char *text, struct maildir_name *ret)
{
	struct maildir_name name;
	char *end;
	const char *at;

	if (*text != '-' && (*text < '0' || *text > '9'))
		return false;
	errno = 0;
	name.date_s = strtoll(text, &end, 10);
	if (errno || *end != '.')
		return false;
	at = end + 1;
	if (!take_number(&at, 'V', &name.uidvalidity) || !take_number(&at, 'U', &name.uid))
		return false;
	if (strncmp(at, OWN_SUFFIX, strlen(OWN_SUFFIX)) != 0 || at + strlen(OWN_SUFFIX) != text + maildir_name_base(text))
		return false;
	*ret = name;
	return true;
}

int maildir_name_of_file(const char *name, const char *letters, struct buf *out)
{
	size_t len = strlen(name);

	if (ends_with(name, len, FILE_SUFFIX))
		len -= strlen(FILE_SUFFIX);
	return buf_printf(out, "%.*s" INFO "%s", (int)len, name, letters);
}

int maildir_name_to_file(const char *text, struct buf *out)
{
	return buf_printf(out, "%.*s" FILE_SUFFIX, (int)maildir_name_base(text), text);
}

void maildir_name_letters(const char *text, char letters[6])
{
	static const char known[] = "DFRST";
	size_t base = maildir_name_base(text), n = 0;

	for (const char *letter = known; *letter && text[base]; letter++)
		if (strchr(text + base + strlen(INFO), *letter))
			letters[n++] = *letter;
	letters[n] = '\0';
}

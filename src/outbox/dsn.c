/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/dsn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NEVER = 1, SUCCESS = 2, FAILURE = 4, DELAY = 8, RET_FULL = 16, RET_HDRS = 32 };

static const struct word {
	const char *text;
	unsigned bit;
} words[] = {
	{ "never", NEVER }, { "success", SUCCESS },   { "failure", FAILURE },
	{ "delay", DELAY }, { "ret=full", RET_FULL }, { "ret=hdrs", RET_HDRS },
};

static unsigned bit_of_word(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i].text) == len && !strncasecmp(words[i].text, text, len))
			return words[i].bit;
	return 0;
}

/* All words' bits; 0 where one is none. */
static unsigned bits_of(const char *text)
{
	static const char blanks[] = " \t";
	unsigned bits = 0;

	for (;;) {
		size_t len, rest;
		unsigned bit;

		text += strspn(text, blanks);
		len = strcspn(text, ", \t");
		bit = bit_of_word(text, len);
		rest = len + strspn(text + len, blanks);
		if (!bit || (text[rest] && text[rest] != ','))
			return 0;
		bits |= bit;
		if (!text[rest])
			return bits;
		text += rest + 1;
	}
}

static void write_notify(unsigned bits, char out[32])
{
	static const struct word values[] = {
		{ "NEVER", NEVER }, { "SUCCESS", SUCCESS }, { "FAILURE", FAILURE }, { "DELAY", DELAY }
	};
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		if (bits & values[i].bit)
			len += (size_t)snprintf(out + len, 32 - len, "%s%s", len ? "," : "", values[i].text);
}

int dsn_parse(const char *text, struct dsn *ret)
{
	unsigned bits = bits_of(text);

	if (!bits || (bits & NEVER && bits & (SUCCESS | FAILURE | DELAY)) || (bits & RET_FULL && bits & RET_HDRS))
		return -EINVAL;
	*ret = (struct dsn){ .ret = bits & RET_FULL ? "FULL" : bits & RET_HDRS ? "HDRS" : NULL };
	write_notify(bits, ret->notify);
	return 0;
}

static void take_envid(const char *message_id, char out[101])
{
	size_t len = message_id ? strlen(message_id) : 0;

	if (len > 2 && len - 2 <= 100 && message_id[0] == '<' && message_id[len - 1] == '>')
		snprintf(out, 101, "%.*s", (int)len - 2, message_id + 1);
}

void dsn_ask(const char *text, const char *message_id, struct dsn *d, struct smtp_message *message)
{
	if (!text || dsn_parse(text, d) < 0)
		return;
	take_envid(message_id, d->envid);
	message->notify = *d->notify ? d->notify : NULL;
	message->ret = d->ret;
	message->envid = *d->envid ? d->envid : NULL;
}

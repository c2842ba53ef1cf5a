/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/smtp_greeting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/smtp_reply.h"

enum { LINES_MAX = 1000 };

static const struct {
	const char *keyword;
	size_t offset;
} keywords[] = {
	{ "PIPELINING", offsetof(struct smtp_capabilities, pipelining) },
	{ "8BITMIME", offsetof(struct smtp_capabilities, eightbitmime) },
	{ "SMTPUTF8", offsetof(struct smtp_capabilities, smtputf8) },
	{ "DSN", offsetof(struct smtp_capabilities, dsn) },
	{ "SIZE", offsetof(struct smtp_capabilities, size) },
	{ "CHUNKING", offsetof(struct smtp_capabilities, chunking) },
};

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && !strncasecmp(text, word, len);
}

/* One line of EHLO's reply, its code left out. "AUTH=PLAIN" is an old way to say it. */
static void note_keyword(struct smtp_greeting *g, const char *line, size_t len)
{
	char text[256];
	const char *value;
	size_t word;

	snprintf(text, sizeof text, "%.*s", (int)len, line);
	word = strcspn(text, " =\r\n");
	value = text + word + (text[word] != '\0');
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
		if (is_word(text, word, keywords[i].keyword))
			*(bool *)((char *)&g->capabilities + keywords[i].offset) = true;
	if (is_word(text, word, "SIZE"))
		g->capabilities.size_max = strtoll(value, NULL, 10);
	if (is_word(text, word, "AUTH"))
		snprintf(g->mechanisms, sizeof g->mechanisms, "%.*s", (int)strcspn(value, "\r\n"), value);
}

/* Before AUTH no other command than EHLO is answered with 250. */
static void note_line(struct smtp_greeting *g, const char *line, size_t len, bool is_first)
{
	if (g->reply.code != 250)
		return;
	if (is_first) {
		g->capabilities = (struct smtp_capabilities){ 0 };
		*g->mechanisms = '\0';
	} else if (len > 4) {
		note_keyword(g, line + 4, len - 4);
	}
}

int smtp_greeting_add_line(struct smtp_greeting *g, const char *line, size_t len)
{
	bool is_first = !g->is_within_reply;
	int r;

	if (++g->lines > LINES_MAX)
		return -EPROTO;
	if (is_first) {
		g->reply = (struct smtp_reply){ 0 };
		g->replies++;
	}
	r = smtp_reply_add_line(&g->reply, line, len);
	if (r < 0)
		return r;
	note_line(g, line, len, is_first);
	g->is_within_reply = r > 0;
	/* The greeting is a 220 too. */
	if (r == 0 && g->reply.code == 220 && g->replies > 1)
		g->tls_is_next = true;
	return 0;
}

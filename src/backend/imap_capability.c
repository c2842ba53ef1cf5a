/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend/imap_capability.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/imap_command.h"

/* What each word of CAPABILITY lets us do. IMAP4rev2 (RFC 9051 section 1.3) stands for many. */
static const struct {
	const char *word;
	unsigned capabilities;
} capability_words[] = {
	{ "STARTTLS", CAP_STARTTLS },
	{ "LOGINDISABLED", CAP_LOGINDISABLED },
	{ "SASL-IR", CAP_SASL_IR },
	{ "ID", CAP_ID },
	{ "NAMESPACE", CAP_NAMESPACE },
	{ "LIST-EXTENDED", CAP_LIST_EXTENDED },
	{ "SPECIAL-USE", CAP_SPECIAL_USE },
	{ "CREATE-SPECIAL-USE", CAP_CREATE_SPECIAL_USE },
	{ "CONDSTORE", CAP_CONDSTORE },
	{ "QRESYNC", CAP_CONDSTORE },
	{ "ESEARCH", CAP_ESEARCH },
	{ "LITERAL+", CAP_LITERAL_PLUS },
	{ "LITERAL-", CAP_LITERAL_MINUS },
	{ "QUOTA", CAP_QUOTA },
	{ "ACL", CAP_ACL },
	{ "UTF8=ONLY", CAP_UTF8_ONLY },
	{ "X-GM-EXT-1", CAP_GMAIL },
	{ "UIDPLUS", CAP_UIDPLUS },
	{ "MOVE", CAP_MOVE },
	{ "MULTIAPPEND", CAP_MULTIAPPEND },
	{ "BINARY", CAP_BINARY },
	{ "UNSELECT", CAP_UNSELECT },
	{ "IMAP4rev2", CAP_SASL_IR | CAP_NAMESPACE | CAP_LIST_EXTENDED | CAP_SPECIAL_USE | CAP_ESEARCH | CAP_LITERAL_MINUS |
			       CAP_UIDPLUS | CAP_MOVE | CAP_UNSELECT },
};

bool imap_capability_offers(const struct imap_session *s, const char *word)
{
	const char *at = buf_str(&s->record.capabilities);
	size_t len = strlen(word);

	while (*at) {
		size_t n = strcspn(at, " ");

		if (n == len && !strncasecmp(at, word, n))
			return true;
		at += n;
		at += strspn(at, " ");
	}
	return false;
}

/* APPENDLIMIT=bytes (RFC 7889). Without a number each folder has its own, which STATUS would tell. */
static int64_t append_limit(const struct imap_session *s)
{
	const char *at = strcasestr(buf_str(&s->record.capabilities), " APPENDLIMIT=");

	return at ? strtoll(at + strlen(" APPENDLIMIT="), NULL, 10) : 0;
}

static void tell_abilities(struct imap_session *s)
{
	static const struct {
		unsigned capability, ability;
	} table[] = {
		{ CAP_MOVE, BACKEND_MOVE },	{ CAP_UIDPLUS, BACKEND_EXPUNGE_UID }, { CAP_MULTIAPPEND, BACKEND_APPEND_MANY },
		{ CAP_BINARY, BACKEND_BINARY }, { CAP_GMAIL, BACKEND_TRASH_FIRST },
	};

	s->base.abilities = 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (s->capabilities & table[i].capability)
			s->base.abilities |= table[i].ability;
	s->base.append_limit = append_limit(s);
}

static void read_capabilities(struct imap_session *s)
{
	s->capabilities = 0;
	for (size_t i = 0; i < sizeof(capability_words) / sizeof(capability_words[0]); i++)
		if (imap_capability_offers(s, capability_words[i].word))
			s->capabilities |= capability_words[i].capabilities;
	tell_abilities(s);
}

int imap_capability_ask(struct imap_session *s, unsigned told)
{
	CLEANUP(imap_command) struct imap_command c = { 0 };
	int r;

	if (s->record.told == told) {
		imap_command_init(&c, s, "CAPABILITY");
		r = imap_command_run(&c, NULL, NULL, "CAPABILITY");
		if (r < 0)
			return r;
	}
	read_capabilities(s);
	return 0;
}

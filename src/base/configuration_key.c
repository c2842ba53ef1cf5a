/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/configuration_key.h"

#include <string.h>

#include "base/configuration_value.h"

#define GIBIBYTE ((int64_t)1 << 30)
#define YEAR_S ((int64_t)366 * 86400)

static const char *const names_words[] = { [NAMES_SUBJECT] = "subject", [NAMES_UID] = "uid", NULL };
static const char *const delete_words[] = { [DELETE_TRASH] = "trash", [DELETE_EXPUNGE] = "expunge", [DELETE_MARK] = "mark", NULL };
static const char *const sent_words[] = { "auto", "none", NULL };
static const char *const auth_words[] = { "auto",    "plain",	    "login",	"cram-md5",  "scram-sha-1", "scram-sha-256",
					  "xoauth2", "oauthbearer", "external", "anonymous", NULL };
static const char *const smtp_auth_words[] = { "auto", "plain", "login", "cram-md5", "xoauth2", "oauthbearer", "external", NULL };

/* clang-format off */
#define AT(field) offsetof(struct configuration, field)
static const struct configuration_key keys[] = {
	{ "imap",			&value_url,		AT(imap),		.protocol = URL_IMAP },
	{ "smtp",			&value_url,		AT(smtp),		.protocol = URL_SMTP },
	{ "pop3",			&value_url,		AT(pop3),		.protocol = URL_POP3 },
	{ "from",			&value_text,		AT(from) },
	{ "password-command",		&value_text,		AT(secret.command) },
	{ "password-file",		&value_path,		AT(secret.file) },
	{ "password",			&value_secret,		AT(secret.literal) },
	{ "smtp-password-command",	&value_text,		AT(smtp_secret.command) },
	{ "smtp-password-file",		&value_path,		AT(smtp_secret.file) },
	{ "smtp-password",		&value_secret,		AT(smtp_secret.literal) },
	{ "auth",			&value_word_text,	AT(auth),		"auto", .words = auth_words },
	{ "smtp-auth",			&value_word_text,	AT(smtp_auth),		.words = smtp_auth_words },
	{ "tls-ca",			&value_path,		AT(tls_ca) },
	{ "tls-fingerprint",		&value_fingerprint,	AT(tls_fingerprint) },
	{ "tls-cert",			&value_path,		AT(tls_cert) },
	{ "tls-key",			&value_path,		AT(tls_key) },
	{ "names",			&value_word,		AT(names),		"subject", .words = names_words },
	{ "zone",			&value_text,		AT(zone) },
	{ "folders",			&value_text,		AT(folders),		"*" },
	{ "subscribed",			&value_bool,		AT(subscribed),		"no" },
	{ "delete",			&value_word,		AT(delete_mode),	"trash", .words = delete_words },
	{ "trash-keep",			&value_duration,		AT(trash_keep_s),	"1h", .max = 100 * YEAR_S },
	{ "sent",			&value_word_or_text,	AT(sent),		"auto", .words = sent_words },
	{ "outbox-hold",		&value_duration,		AT(outbox_hold_s),	"0", .max = YEAR_S },
	{ "outbox-wait",		&value_duration,		AT(outbox_wait_s),	"0", .max = YEAR_S },
	{ "rate-limit",			&value_count,		AT(rate_limit),		"0", .max = 100000 },
	{ "cache-dir",			&value_path,		AT(cache_dir) },
	{ "cache-size",			&value_size,		AT(cache_size_bytes),	"2G", .max = INT64_MAX },
	{ "cache-age",			&value_duration_or_unlimited, AT(cache_age_s),	"unlimited", .min = 1, .max = 100 * YEAR_S },
	{ "state-dir",			&value_path,		AT(state_dir) },
	{ "timeout",			&value_short_duration,	AT(timeout_s),		"15", .min = 1, .max = 3600 },
	{ "connections",		&value_count,		AT(connections),	"4", .min = 1, .max = 32 },
	{ "read-ahead",			&value_size,		AT(read_ahead_bytes),	"8M", .max = GIBIBYTE },
};
/* clang-format on */

enum { N_KEYS = sizeof keys / sizeof keys[0] };
_Static_assert((int)N_KEYS <= (int)CONFIGURATION_KEYS_MAX, "struct configuration keeps a line for each key");

const char *configuration_key(size_t i)
{
	return i < N_KEYS ? keys[i].name : NULL;
}

static bool same_name(const char *known, const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (known[i] != (name[i] == '_' ? '-' : name[i]))
			return false;
	return !known[len];
}

const struct configuration_key *configuration_key_find(const char *name, size_t len)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (same_name(keys[i].name, name, len))
			return &keys[i];
	return NULL;
}

bool configuration_is_key(const char *name)
{
	return configuration_key_find(name, strlen(name));
}

/* Levenshtein's distance, a row at a time. */
static size_t distance(const char *a, const char *b)
{
	enum { LONGEST = 40 };
	size_t row[LONGEST + 1];
	size_t len = strlen(b);

	if (len > LONGEST)
		return SIZE_MAX;
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; *a; a++, i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t best = diagonal + (*a != b[j - 1]);

			diagonal = row[j];
			if (diagonal + 1 < best)
				best = diagonal + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[len];
}

const char *configuration_key_nearest(const char *name)
{
	enum { NEAR = 4 };
	size_t best = NEAR;
	const char *nearest = NULL;

	for (size_t i = 0; i < N_KEYS; i++) {
		size_t d = distance(keys[i].name, name);

		if (d < best && d < strlen(keys[i].name)) {
			best = d;
			nearest = keys[i].name;
		}
	}
	return nearest;
}

const char *configuration_key_name(const struct configuration_key *key)
{
	return key->name;
}

bool configuration_key_is_secret(const struct configuration_key *key)
{
	return key->type == &value_secret;
}

bool configuration_key_is_bool(const struct configuration_key *key)
{
	return key->type == &value_bool;
}

int configuration_key_set(const struct configuration_key *key, const char *value, int line, struct configuration *c,
			  struct buf *why)
{
	int r = key->type->store(key, *value ? value : key->fallback, (char *)c + key->offset, why);

	if (r == 0)
		c->lines[key - keys] = *value ? line : 0;
	return r;
}

int configuration_key_line(const struct configuration *c, const char *name)
{
	return c->lines[configuration_key_find(name, strlen(name)) - keys];
}

int configuration_key_set_defaults(struct configuration *c)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r = 0;

	for (size_t i = 0; i < N_KEYS && r == 0; i++)
		if (keys[i].fallback)
			r = configuration_key_set(&keys[i], "", 0, c, &why);
	return r;
}

void configuration_key_clear_all(struct configuration *c)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (keys[i].type->owns)
			keys[i].type->store(&keys[i], NULL, (char *)c + keys[i].offset, NULL);
}

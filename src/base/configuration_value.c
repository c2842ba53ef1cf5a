/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/configuration_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/configuration_key.h"

/* A number and one letter behind it; what the letter multiplies by, 0 for none that is known. */
static int parse_scaled(const char *text, int64_t (*factor)(char), int64_t *ret)
{
	int64_t n = 0;
	int64_t scale;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *text - '0', &n))
			return -EINVAL;
	scale = factor((char)tolower((unsigned char)*text));
	if (!scale || (*text && text[1]) || __builtin_mul_overflow(n, scale, &n))
		return -EINVAL;
	*ret = n;
	return 0;
}

static int64_t size_factor(char letter)
{
	static const char letters[] = "kmgt";
	const char *found = letter ? strchr(letters, letter) : NULL;

	if (!letter)
		return 1;
	return found ? (int64_t)1 << 10 * (found - letters + 1) : 0;
}

static int64_t duration_factor(char letter)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = { { '\0', 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 7 * 86400 } };

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (units[i].letter == letter)
			return units[i].seconds;
	return 0;
}

int configuration_parse_size(const char *text, int64_t *ret_bytes)
{
	return parse_scaled(text, size_factor, ret_bytes);
}

int configuration_parse_duration(const char *text, int64_t *ret_seconds)
{
	return parse_scaled(text, duration_factor, ret_seconds);
}

static int find_word(const char *const *words, const char *value, struct buf *why)
{
	for (int i = 0; words[i]; i++)
		if (!strcasecmp(words[i], value))
			return i;
	buf_append_str(why, "write one of");
	for (int i = 0; words[i]; i++)
		buf_printf(why, "%s %s", i ? "," : "", words[i]);
	return -EINVAL;
}

static void forget_text(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

static int store_text(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	char *copy = value ? strdup(value) : NULL;

	(void)key;
	(void)why;
	if (value && !copy)
		return -ENOMEM;
	forget_text(target);
	*(char **)target = copy;
	return 0;
}

/* As store_text; a password is never for a command line. */
static int store_secret(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	return store_text(key, value, target, why);
}

static int store_word(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	int i = find_word(key->words, value, why);

	if (i < 0)
		return i;
	*(int *)target = i;
	return 0;
}

static int store_word_text(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	int i = value ? find_word(key->words, value, why) : 0;

	return i < 0 ? i : store_text(key, value ? key->words[i] : NULL, target, why);
}

/* Any other text is none of the words. */
static int store_word_or_text(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	for (int i = 0; value && key->words[i]; i++)
		if (!strcasecmp(key->words[i], value))
			value = key->words[i];
	return store_text(key, value, target, why);
}

static int store_bool(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	static const char *const bool_words[] = { "no", "yes", "false", "true", "off", "on", "0", "1", NULL };
	int i = find_word(bool_words, value, why);

	(void)key;
	if (i < 0)
		return i;
	*(bool *)target = i % 2;
	return 0;
}

static int store_path(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	int r;

	if (!value || *value == '/')
		return store_text(key, value, target, why);
	if (strncmp(value, "~/", 2)) {
		buf_append_str(why, "write a path that begins with / or ~/");
		return -EINVAL;
	}
	r = configuration_home(&path);
	if (r < 0) {
		buf_append_str(why, "no home directory is known for ~/: write a path that begins with /");
		return r;
	}
	r = buf_append_str(&path, value + 1);
	if (r < 0)
		return r;
	return store_text(key, path.data, target, why);
}

static int store_url(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	static const char *const example[] = {
		[URL_IMAP] = "imaps://user@host", [URL_POP3] = "pop3s://user@host", [URL_SMTP] = "smtps://user@host"
	};
	struct url url = { 0 };
	const char *advice;
	int r = value ? url_parse(value, &url, &advice) : 0;

	if (r < 0) {
		buf_append_str(why, advice);
		return r;
	}
	if (value && url.protocol != key->protocol) {
		url_release(&url);
		buf_printf(why, "a URL like %s belongs here", example[key->protocol]);
		return -EINVAL;
	}
	url_release(target);
	*(struct url *)target = url;
	return 0;
}

/* sha256:HEX with or without colons, as openssl x509 -fingerprint prints it. */
static int store_fingerprint(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	enum { DIGITS = 64 };
	char hex[DIGITS + 1] = "";
	size_t n = 0;
	const char *p;

	if (!value)
		return store_text(key, NULL, target, why);
	p = strncasecmp(value, "sha256:", 7) ? "" : value + 7;
	for (; *p && (*p == ':' || (n < DIGITS && isxdigit((unsigned char)*p))); p++)
		if (*p != ':')
			hex[n++] = (char)tolower((unsigned char)*p);
	if (*p || n != DIGITS) {
		buf_append_str(why, "write sha256: and the certificate's 64 hex digits");
		return -EINVAL;
	}
	return store_text(key, hex, target, why);
}

static int check_range(const struct configuration_key *key, int64_t n, struct buf *why)
{
	if (n >= key->min && n <= key->max)
		return 0;
	buf_printf(why, "write a value from %lld to %lld", (long long)key->min, (long long)key->max);
	return -EINVAL;
}

static int store_size(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	int64_t n;

	if (configuration_parse_size(value, &n) < 0) {
		buf_append_str(why, "write bytes, or a number with K, M, G or T: 512M");
		return -EINVAL;
	}
	if (check_range(key, n, why) < 0)
		return -EINVAL;
	*(int64_t *)target = n;
	return 0;
}

static int store_duration(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	int64_t n;

	if (configuration_parse_duration(value, &n) < 0) {
		buf_append_str(why, "write seconds, or a number with s, m, h, d or w: 15m");
		return -EINVAL;
	}
	if (check_range(key, n, why) < 0)
		return -EINVAL;
	*(int64_t *)target = n;
	return 0;
}

static int store_duration_or_unlimited(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	int r;

	if (!strcasecmp(value, "unlimited")) {
		*(int64_t *)target = 0;
		return 0;
	}
	r = store_duration(key, value, target, why);
	if (r < 0)
		buf_append_str(why, ", or unlimited");
	return r;
}

static int store_short_duration(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	int64_t n;
	int r = store_duration(key, value, &n, why);

	if (r < 0)
		return r;
	*(int *)target = (int)n;
	return 0;
}

static int store_count(const struct configuration_key *key, const char *value, void *target, struct buf *why)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (*end || check_range(key, n, why) < 0) {
		buf_truncate(why, 0);
		buf_printf(why, "write a number from %lld to %lld", (long long)key->min, (long long)key->max);
		return -EINVAL;
	}
	*(int *)target = (int)n;
	return 0;
}

const struct value_type value_text = { store_text, true };
const struct value_type value_secret = { store_secret, true };
const struct value_type value_word = { store_word, false };
const struct value_type value_word_text = { store_word_text, true };
const struct value_type value_word_or_text = { store_word_or_text, true };
const struct value_type value_bool = { store_bool, false };
const struct value_type value_path = { store_path, true };
const struct value_type value_url = { store_url, true };
const struct value_type value_fingerprint = { store_fingerprint, true };
const struct value_type value_size = { store_size, false };
const struct value_type value_duration = { store_duration, false };
const struct value_type value_duration_or_unlimited = { store_duration_or_unlimited, false };
const struct value_type value_short_duration = { store_short_duration, false };
const struct value_type value_count = { store_count, false };

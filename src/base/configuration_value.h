/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The types of configuration values, for configuration_key.c alone: how each is checked and stored, and what it tells the user
 * to write instead. Knows no key by name.
 */
#ifndef MAILFS_CONFIGURATION_VALUE_H
#define MAILFS_CONFIGURATION_VALUE_H

#include "base/configuration.h"

struct configuration_key;

struct value_type {
	/* `value` NULL, for types that own memory: there is none, free what was there. -EINVAL with advice in `why`, *target untouched. */
	int (*store)(const struct configuration_key *key, const char *value, void *target, struct buf *why);
	bool owns; /* memory; can be absent */
};

struct configuration_key {
	const char *name;
	const struct value_type *type;
	size_t offset; /* in struct configuration */
	const char *fallback;
	const char *const *words;   /* of value_word, value_word_text, value_word_or_text; NULL-terminated */
	int64_t min, max;	    /* of the numbers */
	enum url_protocol protocol; /* of value_url */
};

/* char * */
extern const struct value_type value_text, value_secret, value_path, value_fingerprint, value_word_text, value_word_or_text;
extern const struct value_type value_url;  /* struct url */
extern const struct value_type value_word; /* an enum, the word's index */
extern const struct value_type value_bool; /* bool */
/* int64_t */
extern const struct value_type value_size, value_duration, value_duration_or_unlimited;
extern const struct value_type value_short_duration, value_count; /* int */

#endif

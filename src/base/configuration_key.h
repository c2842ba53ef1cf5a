/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of configuration keys, for configuration.c alone: each key's name, where its value goes, its default, and the function
 * that checks and stores a value. Knows neither files nor accounts.
 */
#ifndef MAILFS_CONFIGURATION_KEY_H
#define MAILFS_CONFIGURATION_KEY_H

#include "base/configuration.h"

struct configuration_key;

/* By name, `_` and `-` alike; NULL if there is none. */
const struct configuration_key *configuration_key_find(const char *name, size_t len);

/* The known name that is most like `name`, NULL when none is near. Static. */
const char *configuration_key_nearest(const char *name);

const char *configuration_key_name(const struct configuration_key *key);
/* Holds a password itself: not for a command line. */
bool configuration_key_is_secret(const struct configuration_key *key);
/* May stand alone, for "yes". */
bool configuration_key_is_bool(const struct configuration_key *key);

/* Stores `value` in *c; an empty value takes the key back to its default. -EINVAL with `why` a fragment that tells what to write, -ENOMEM. */
int configuration_key_set(const struct configuration_key *key, const char *value, struct configuration *c, struct buf *why);

int configuration_key_set_defaults(struct configuration *c);

/* Frees what the keys own in *c, secrets wiped. */
void configuration_key_clear_all(struct configuration *c);

/* The user's home directory: HOME where that is an absolute path, else from passwd. -ENOENT when neither tells. */
int configuration_home(struct buf *out);

#endif

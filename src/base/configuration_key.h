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

enum { CONFIGURATION_OPTION = -1 }; /* for a line: there is none, -o gave it */

/* Stores `value` in *c, and where it stands; an empty value takes the key back to its default. -EINVAL with `why` a fragment that tells what to write, -ENOMEM. */
int configuration_key_set(const struct configuration_key *key, const char *value, int line, struct configuration *c,
			  struct buf *why);

/* What was last set for the key called `name`, 0: nothing but its default. */
int configuration_key_line(const struct configuration *c, const char *name);

int configuration_key_set_defaults(struct configuration *c);

/* Frees what the keys own in *c, secrets wiped. */
void configuration_key_clear_all(struct configuration *c);

/* The user's home directory: HOME where that is an absolute path that is not closed to us, else from passwd. -ENOENT when neither tells. */
int configuration_home(struct buf *out);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the user configured for one account: mailfs.conf, a URL on the command line, and -o options, in that order.
 *
 * One table holds every key with its name, type, default and check; the parser, the -o options and the test that compares
 * the man page with the program all read it. Read once at start, constant afterwards, any thread.
 */
#ifndef MAILFS_CONFIGURATION_H
#define MAILFS_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/url.h"

enum names_scheme { NAMES_SUBJECT, NAMES_UID };
enum delete_mode { DELETE_TRASH, DELETE_EXPUNGE, DELETE_MARK };

/* Where a secret comes from; the first that is set counts. None: the terminal. All own. */
struct secret_source {
	char *command; /* run by sh -c; its first output line */
	char *file;    /* its first line; refused when others can read it */
	char *literal;
};

enum { CONFIGURATION_KEYS_MAX = 64 };

struct configuration {
	char *account; /* own; the section's name or the URL */
	char *path;    /* own; the file it came from, NULL for a bare URL without one */
	struct url imap, smtp,
		pop3; /* host NULL: absent; exactly one of imap and pop3 is there. smtp's user: theirs, where it has none */
	char *from;   /* own; as written; absent: the URL's user where it is an address, else NULL */
	struct secret_source secret, smtp_secret; /* smtp_secret: a copy of secret where no smtp- key is set */
	char *auth, *smtp_auth; /* own; "auto" or a mechanism in lower case; smtp_auth, where not set, is auth if SMTP has it */
	char *tls_ca, *tls_fingerprint; /* own or NULL; the fingerprint as 64 lower-case hex digits */
	char *tls_cert, *tls_key;	/* own or NULL */
	enum names_scheme names;
	char *zone;    /* own or NULL: that of the first mount */
	char *folders; /* own; patterns, "*" */
	bool subscribed;
	enum delete_mode delete_mode;
	int64_t trash_keep_s;
	char *sent; /* own; "auto", "none" or a folder */
	int64_t outbox_hold_s, outbox_wait_s;
	int rate_limit;		     /* messages that are submitted in any minute; 0: no limit */
	char *cache_dir, *state_dir; /* own; always absolute; not created */
	int64_t cache_size_bytes;
	int64_t cache_age_s; /* 0: unlimited */
	int timeout_s;
	int connections;
	int64_t read_ahead_bytes;
	int lines[CONFIGURATION_KEYS_MAX]; /* where each key's value stands in `path`, from 1; 0: a default; -1: -o */
};

/*
 * Reads `account` out of `file` (NULL: $XDG_CONFIG_HOME/mailfs/mailfs.conf, ~/.config/…, else /etc/mailfs/mailfs.conf; HOME
 * unset, or a directory that is closed to us: from passwd). `account` may be a section, a path that ends with one, or a URL; with a URL the keys above the first section still apply.
 * `options` are n "key=value" or "key" strings from -o, keys with _ or - alike; they win over the file; passwords are
 * refused there. An empty value takes a key back to its default. 0, or -errno with `why` (empty before) set to one line that names
 * file, line and what to write instead; -ENOENT when the file or the section is not there, -EACCES when others can read it.
 */
int configuration_load(const char *file, const char *account, const char *const *options, size_t n, struct configuration *ret,
		       struct buf *why);

void configuration_release(struct configuration *c);

/* Whether the value of `key` was given, in the file or by -o, and is no default or follows from another key. */
bool configuration_is_given(const struct configuration *c, const char *key);

/* For who finds a value wrong that looked right: `why` (empty before) becomes one line of where `key` was given, its name, and the
 * words, which end with what to write instead. -EINVAL. */
int configuration_fault(const struct configuration *c, const char *key, struct buf *why, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The i-th key's name, NULL past the last: for -o parsing, documentation tests and completion. */
const char *configuration_key(size_t i);

/* Whether `name` (with _ or -) is a key. */
bool configuration_is_key(const char *name);

/* "2G", "512K", "8M", "0" to bytes; "1h", "30s", "15m", "2d", "90" to seconds. -EINVAL when it is neither. */
int configuration_parse_size(const char *text, int64_t *ret_bytes);
int configuration_parse_duration(const char *text, int64_t *ret_seconds);

static inline void configuration_cleanup(struct configuration *c)
{
	configuration_release(c);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/configuration.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/configuration_complete.h"
#include "base/configuration_file.h"
#include "base/configuration_key.h"

#define SYSTEM_FILE "/etc/mailfs/mailfs.conf"

int configuration_home(struct buf *out)
{
	const char *home = getenv("HOME");
	char memory[16384];
	struct passwd entry, *found;

	/* One that cannot be entered is somebody else's: mount(8) takes HOME away, and mount.fuse3 makes it /root, whoever mounts. */
	if (home && *home == '/' && (access(home, X_OK) == 0 || errno != EACCES))
		return buf_append_str(out, home);
	if (getpwuid_r(getuid(), &entry, memory, sizeof memory, &found) || !found || *found->pw_dir != '/')
		return -ENOENT;
	return buf_append_str(out, found->pw_dir);
}

int configuration_xdg_directory(const char *variable, const char *below_home, struct buf *out)
{
	const char *value = getenv(variable);
	int r;

	if (value && *value == '/')
		return buf_append_str(out, value);
	r = configuration_home(out);
	if (r < 0)
		return r;
	return buf_append_str(out, below_home);
}

/* A file and line, or the option's sign. */
static int append_where(const struct configuration *c, int line, struct buf *out)
{
	return line > 0 ? buf_printf(out, "%s:%d", c->path, line) : buf_append_str(out, "-o");
}

static int set(const struct configuration_key *key, const char *value, int line, struct configuration *c, struct buf *why)
{
	CLEANUP(buf) struct buf advice = BUF_INIT;
	int r = configuration_key_set(key, value, line, c, &advice);

	if (r == 0)
		return 0;
	append_where(c, line, why);
	buf_printf(why, ": %s: %s", configuration_key_name(key), advice.len ? buf_str(&advice) : strerror(-r));
	return r;
}

int configuration_fault(const struct configuration *c, const char *key, struct buf *why, const char *format, ...)
{
	char words[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	append_where(c, configuration_key_line(c, key), why);
	buf_printf(why, ": %s: %s", key, words);
	return -EINVAL;
}

bool configuration_is_given(const struct configuration *c, const char *key)
{
	return configuration_key_line(c, key);
}

static int unknown_key(const struct configuration *c, int line, const char *name, struct buf *why)
{
	const char *nearest = configuration_key_nearest(name);

	append_where(c, line, why);
	if (nearest)
		buf_printf(why, ": unknown key \"%s\": did you mean \"%s\"?", name, nearest);
	else
		buf_printf(why, ": unknown key \"%s\": mailfs.conf(5) lists them", name);
	return -EINVAL;
}

/*
 * What stands above the first section, then `section` (NULL: none). An unknown key is an error wherever it stands; values are
 * checked for the account in question alone, so that one account's trouble is not another's.
 */
static int apply_file(const struct configuration_file *file, const char *section, struct configuration *c, struct buf *why)
{
	for (size_t i = 0; i < file->n; i++) {
		const struct configuration_entry *entry = &file->entries[i];
		const struct configuration_key *key;
		int r;

		if (!entry->key)
			continue;
		key = configuration_key_find(entry->key, strlen(entry->key));
		if (!key)
			return unknown_key(c, entry->line, entry->key, why);
		if (entry->section && (!section || strcmp(entry->section, section)))
			continue;
		r = set(key, entry->value, entry->line, c, why);
		if (r < 0)
			return r;
	}
	return 0;
}

static int no_such_section(const struct configuration_file *file, const struct configuration *c, struct buf *why)
{
	const char *separator = " there are";

	buf_printf(why, "%s: no section [%s];", c->path, c->account);
	for (size_t i = 0; i < file->n; i++) {
		if (file->entries[i].key)
			continue;
		buf_printf(why, "%s [%s]", separator, file->entries[i].section);
		separator = ",";
	}
	if (*separator != ',')
		buf_printf(why, " there is none yet: add the line [%s] and below it imap = imaps://user@host", c->account);
	return -ENOENT;
}

/* Whether `account` is a path that ends with `section`. */
static bool is_path_of(const char *account, const char *section)
{
	size_t len = strlen(account), tail = strlen(section);

	return *account == '/' && len > tail && account[len - tail - 1] == '/' && !strcmp(account + len - tail, section);
}

static const char *find_section(const struct configuration_file *file, const char *account)
{
	const char *found = NULL;

	for (size_t i = 0; i < file->n; i++) {
		const char *section = file->entries[i].key ? NULL : file->entries[i].section;

		if (section && !strcmp(section, account))
			return section;
		if (section && is_path_of(account, section))
			found = section;
	}
	return found;
}

/* mount(8) makes "/home/alice/work" of "work" where a file of that name happens to be. */
static int name_account(const struct configuration_file *file, struct configuration *c, struct buf *why)
{
	const char *section = find_section(file, c->account);
	char *name;

	if (!section)
		return no_such_section(file, c, why);
	name = strdup(section);
	if (!name)
		return -ENOMEM;
	free(c->account);
	c->account = name;
	return 0;
}

/* The first of the default files that exists into c->path; stays NULL when none does. */
static int find_file(struct configuration *c)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	int r = configuration_xdg_directory("XDG_CONFIG_HOME", "/.config", &path);

	if (r == 0)
		r = buf_append_str(&path, "/mailfs/mailfs.conf");
	if (r == 0 && access(path.data, F_OK) == 0) {
		c->path = buf_steal(&path);
		return 0;
	}
	if (access(SYSTEM_FILE, F_OK) < 0)
		return 0;
	c->path = strdup(SYSTEM_FILE);
	return c->path ? 0 : -ENOMEM;
}

/* The user's own configuration file, whether it exists or not, for advice. */
static void name_user_file(struct buf *why)
{
	if (configuration_xdg_directory("XDG_CONFIG_HOME", "/.config", why) < 0)
		buf_append_str(why, "~/.config");
	buf_append_str(why, "/mailfs/mailfs.conf");
}

static int load_file(const char *file, bool account_is_url, struct configuration *c, struct buf *why)
{
	CLEANUP(configuration_file) struct configuration_file content = { 0 };
	int r = 0;

	if (file)
		c->path = strdup(file);
	else
		r = find_file(c);
	if (r < 0 || (file && !c->path))
		return -ENOMEM;
	if (!c->path && account_is_url)
		return 0;
	if (!c->path) {
		buf_printf(why, "no section [%s], for there is no configuration: write ", c->account);
		name_user_file(why);
		buf_append_str(why, ", or name the account by a URL like imaps://user@host");
		return -ENOENT;
	}
	r = configuration_file_read(c->path, &content, why);
	if (r < 0)
		return r;
	if (!account_is_url)
		r = name_account(&content, c, why);
	if (r < 0)
		return r;
	return apply_file(&content, account_is_url ? NULL : c->account, c, why);
}

static int apply_url(struct configuration *c, struct buf *why)
{
	struct url url = { 0 };
	const char *advice;
	int r = url_parse(c->account, &url, &advice);

	if (r == 0 && url.protocol == URL_SMTP) {
		url_release(&url);
		advice = "an account's URL is that of its mailbox: imaps://user@host (smtp goes into the configuration or -o "
			 "smtp=URL)";
		r = -EINVAL;
	}
	if (r < 0) {
		buf_printf(why, "%s: %s", c->account, advice);
		return r;
	}
	url_release(&c->imap);
	url_release(&c->pop3);
	*(url.protocol == URL_POP3 ? &c->pop3 : &c->imap) = url;
	return 0;
}

static int apply_option(const char *option, struct configuration *c, struct buf *why)
{
	CLEANUP(free) char *name = strndup(option, strcspn(option, "="));
	const struct configuration_key *key;
	const char *value;

	if (!name)
		return -ENOMEM;
	key = configuration_key_find(name, strlen(name));
	if (!key)
		return unknown_key(c, CONFIGURATION_OPTION, name, why);
	if (configuration_key_is_secret(key)) {
		buf_printf(why, "-o %s: everybody sees a command line: use password-command or password-file", name);
		return -EINVAL;
	}
	value = option + strlen(name);
	if (!*value && !configuration_key_is_bool(key)) {
		buf_printf(why, "-o %s: a value is missing: write %s=VALUE", name, name);
		return -EINVAL;
	}
	return set(key, *value ? value + 1 : "yes", CONFIGURATION_OPTION, c, why);
}

/* One of the two, and a word on what to add or take away. */
static int check_mailbox(const struct configuration *c, struct buf *why)
{
	if (c->imap.host && c->pop3.host)
		return configuration_fault(c, "pop3", why, "account %s has both imap and pop3: keep one", c->account);
	if (!c->imap.host && !c->pop3.host) {
		buf_printf(why, "%s: account %s has no server: add imap = imaps://user@host", c->path ? c->path : "-o", c->account);
		return -EINVAL;
	}
	if (c->tls_key && !c->tls_cert)
		return configuration_fault(c, "tls-key", why, "a key without its certificate: add tls-cert = FILE");
	return 0;
}

static int load(const char *file, const char *const *options, size_t n, struct configuration *c, struct buf *why)
{
	bool account_is_url = strstr(c->account, "://");
	int r = configuration_key_set_defaults(c);

	if (r == 0)
		r = load_file(file, account_is_url, c, why);
	if (r == 0 && account_is_url)
		r = apply_url(c, why);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = apply_option(options[i], c, why);
	if (r == 0)
		r = check_mailbox(c, why);
	return r < 0 ? r : configuration_complete(c, account_is_url, why);
}

int configuration_load(const char *file, const char *account, const char *const *options, size_t n, struct configuration *ret,
		       struct buf *why)
{
	CLEANUP(configuration) struct configuration c = { 0 };
	int r;

	c.account = strdup(account);
	r = c.account ? load(file, options, n, &c, why) : -ENOMEM;
	if (r < 0) {
		if (!why->len)
			buf_printf(why, "configuration: %s", strerror(-r));
		return r;
	}
	*ret = c;
	c = (struct configuration){ 0 };
	return 0;
}

void configuration_release(struct configuration *c)
{
	if (!c)
		return;
	configuration_key_clear_all(c);
	free(c->account);
	free(c->path);
	*c = (struct configuration){ 0 };
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a configuration says that takes more than its own text to judge: files, the time zone, patterns, addresses.
 */
#include "mailbox/mailbox.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message/address.h"
#include "message/date.h"
#include "message/folder_name.h"
#include "net/secret.h"

static int check_file(const struct configuration *c, const char *key, const char *path, struct buf *why)
{
	struct stat st;

	if (!path)
		return 0;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		errno = EISDIR;
	else if (access(path, R_OK) == 0)
		return 0;
	return configuration_fault(c, key, why, "%s: %s: name a file that can be read", path, strerror(errno));
}

/* A command goes before a file. */
static int check_secret(const struct configuration *c, const char *key, const struct secret_source *source, struct buf *why)
{
	CLEANUP(buf) struct buf fault = BUF_INIT;
	int r;

	if (source->command || !source->file)
		return 0;
	r = check_file(c, key, source->file, why);
	if (r < 0 || secret_check_file(source->file, &fault) == 0)
		return r;
	return configuration_fault(c, key, why, "%s", buf_str(&fault));
}

static int check_files(const struct configuration *c, struct buf *why)
{
	const struct {
		const char *key, *path;
	} files[] = { { "tls-ca", c->tls_ca }, { "tls-cert", c->tls_cert }, { "tls-key", c->tls_key } };
	int r = check_secret(c, "password-file", &c->secret, why);

	if (r == 0)
		r = check_secret(c, "smtp-password-file", &c->smtp_secret, why);
	for (size_t i = 0; r == 0 && i < sizeof files / sizeof *files; i++)
		r = check_file(c, files[i].key, files[i].path, why);
	return r;
}

static int check_zone(const struct configuration *c, struct buf *why)
{
	struct date_zone *zone = NULL;

	if (c->zone && date_zone_new(c->zone, &zone) < 0)
		return configuration_fault(c, "zone", why, "no time zone %s is installed: write one such as Europe/Berlin, or UTC",
					   c->zone);
	date_zone_free(zone);
	return 0;
}

static int check_folders(const struct configuration *c, struct buf *why)
{
	const char *advice;
	int r = folder_name_check_patterns(c->folders, &advice);

	return r == -EINVAL ? configuration_fault(c, "folders", why, "%s", advice) : r;
}

/* One that cannot be read matches nobody: no message could be sent, and none would say why. */
static int check_from(const struct configuration *c, struct buf *why)
{
	CLEANUP(address_list) struct address_list list = { NULL, 0 };
	int r;

	if (!configuration_is_given(c, "from"))
		return 0;
	r = address_parse(c->from, strlen(c->from), &list);
	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (!list.items[i].domain)
			r = -EINVAL;
	if (r == -ENOMEM || (r == 0 && list.n))
		return r;
	return configuration_fault(c, "from", why,
				   "write addresses, with commas between them: Alice <alice@example.com>, *@alice.example");
}

static int check_sent(const struct configuration *c, struct buf *why)
{
	size_t len = strlen(c->sent);

	if (!strchr("/\"", c->sent[0]) && !strchr("/\"", c->sent[len - 1]))
		return 0;
	return configuration_fault(
		c, "sent", why,
		"write the folder's path below the mountpoint, without quotes and without / at its ends: Mail/Sent");
}

int mailbox_check(const struct configuration *c, struct buf *why)
{
	static int (*const checks[])(const struct configuration *c, struct buf *why) = { check_files, check_zone, check_folders,
											 check_from, check_sent };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof checks / sizeof *checks; i++)
		r = checks[i](c, why);
	return r;
}

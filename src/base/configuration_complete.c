/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/configuration_complete.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int copy_text(const char *from, char **to)
{
	if (!from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

static int inherit_secret(const struct secret_source *from, struct secret_source *to)
{
	if (to->command || to->file || to->literal)
		return 0;
	if (copy_text(from->command, &to->command) < 0 || copy_text(from->file, &to->file) < 0 ||
	    copy_text(from->literal, &to->literal) < 0)
		return -ENOMEM;
	return 0;
}

/* SCRAM is not spoken to a submission server (net/smtp.c), and none takes mail from anonymous. */
static const char *submission_auth(const char *auth)
{
	return !strncmp(auth, "scram-", 6) || !strcmp(auth, "anonymous") ? "auto" : auth;
}

/* What follows from other keys. A relay on this machine that nobody named a user for is not asked to know one. */
static int inherit(struct configuration *c)
{
	const struct url *mailbox = c->imap.host ? &c->imap : &c->pop3;
	const char *user = mailbox->user ? mailbox->user : c->smtp.user;
	int r = 0;

	if (!c->from && user && strchr(user, '@'))
		r = copy_text(user, &c->from);
	if (r == 0 && c->smtp.host && !c->smtp.user && c->smtp.transport != URL_INSECURE)
		r = copy_text(mailbox->user, &c->smtp.user);
	if (r == 0 && !c->smtp_auth)
		r = copy_text(submission_auth(c->auth), &c->smtp_auth);
	return r < 0 ? r : inherit_secret(&c->secret, &c->smtp_secret);
}

/* The account as one safe path component: the section's name; of a URL what tells its mailbox from others. */
static int append_component(const struct configuration *c, bool account_is_url, struct buf *out)
{
	CLEANUP(buf) struct buf name = BUF_INIT;
	const struct url *url = c->imap.host ? &c->imap : &c->pop3;
	int r;

	if (!account_is_url)
		r = buf_append_str(&name, c->account);
	else
		r = buf_printf(&name, "%s%s%s", url->user ? url->user : "", url->user ? "@" : "", url->host);
	if (r == 0 && account_is_url && url->port != url_default_port(url))
		r = buf_printf(&name, ":%u", url->port);
	if (r == 0 && account_is_url && url->protocol == URL_POP3)
		r = buf_append_str(&name, "+pop3");
	for (size_t i = 0; r == 0 && i < name.len; i++) {
		unsigned char byte = (unsigned char)name.data[i];
		bool plain = byte > ' ' && byte != '/' && byte != '%' && byte != 0x7f && (i || byte != '.');

		r = plain ? buf_append_char(out, (char)byte) : buf_printf(out, "%%%02X", byte);
	}
	return r;
}

static int default_directory(const char *variable, const char *below_home, const struct configuration *c, bool account_is_url,
			     char **ret, struct buf *why)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	int r;

	if (*ret)
		return 0;
	r = configuration_xdg_directory(variable, below_home, &path);
	if (r == -ENOENT)
		buf_printf(why, "no home directory is known: set %s or the keys cache-dir and state-dir", variable);
	if (r == 0)
		r = buf_append_str(&path, "/mailfs/");
	if (r == 0)
		r = append_component(c, account_is_url, &path);
	if (r == 0)
		*ret = buf_steal(&path);
	return r;
}

int configuration_complete(struct configuration *c, bool account_is_url, struct buf *why)
{
	int r = inherit(c);

	if (r == 0)
		r = default_directory("XDG_CACHE_HOME", "/.cache", c, account_is_url, &c->cache_dir, why);
	if (r == 0)
		r = default_directory("XDG_STATE_HOME", "/.local/state", c, account_is_url, &c->state_dir, why);
	return r;
}

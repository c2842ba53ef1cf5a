/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailfsctl check: signs in to the servers of an account and says how that went.
 */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/cleanup.h"
#include "base/configuration.h"
#include "ctl/command.h"
#include "mailbox/mailbox.h"
#include "net/secret.h"
#include "net/smtp.h"

DEFINE_CLEANUP(secret, struct secret *, secret_free)

/* What to try, where the error's own words do not say it. */
static const struct {
	int error;
	const char *advice;
} advices[] = {
	{ -EACCES,
	  "is the user's name right, and the password? Many providers want one made for this program, an \"app password\"" },
	{ -ECONNREFUSED, "nobody listens there: are host and port right?" },
	{ -EHOSTUNREACH, "is the host's name right, and is this machine on the network?" },
	{ -ENETUNREACH, "is this machine on the network?" },
	{ -ETIMEDOUT,
	  "is the port right? A firewall that swallows connections looks like this; timeout in mailfs.conf(5) waits longer" },
	{ -EOPNOTSUPP, "only IMAP is spoken: imap = imaps://user@host" },
};

static void print_failure(int r, const struct buf *why)
{
	printf("  FAILED: %s\n", why->len ? buf_str(why) : strerror(-r));
	for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++)
		if (advices[i].error == r)
			printf("  %s\n", advices[i].advice);
}

/* One line, broken at blanks: capabilities are many. */
static void print_wrapped(const char *line, size_t len)
{
	enum { COLUMNS = 76 };
	const char *indent = "  ";

	while (len > 0) {
		size_t n = len;

		if (len > COLUMNS) {
			const char *blank = memrchr(line, ' ', COLUMNS);

			n = blank && blank > line ? (size_t)(blank - line) : strcspn(line, " \n");
		}
		printf("%s%.*s\n", indent, (int)n, line);
		for (; n < len && line[n] == ' '; n++)
			;
		line += n;
		len -= n;
		indent = "      ";
	}
}

static void print_indented(const char *text)
{
	for (size_t len; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		print_wrapped(text, len);
	}
}

static void print_server(const struct url *url, const char *user)
{
	printf("%s://%s:%u, as %s\n", url_scheme(url), url->host, url->port, user ? user : "nobody");
	fflush(stdout);
}

/* Nothing of a session goes on before its certificate was found good, so that one that stands has a good one. */
static void print_certificate(const struct url *url, const struct tls_options *tls)
{
	if (url->transport == URL_INSECURE)
		puts("  Certificate: none, this connection does not leave the machine");
	else if (tls->fingerprint)
		puts("  Certificate: ok, the one of tls-fingerprint");
	else
		printf("  Certificate: ok, vouched for by %s\n", tls->ca ? tls->ca : "an authority that this system trusts");
}

static int make_secret(const struct secret_source *source, const struct url *url, const char *user, struct secret **ret,
		       struct buf *why)
{
	CLEANUP(buf) struct buf what = BUF_INIT;
	int r = buf_printf(&what, "password for %s at %s", user, url->host);

	if (r == 0)
		r = secret_new(source, buf_str(&what), ret);
	return r < 0 ? r : secret_prepare(*ret, why);
}

static int sign_in_to_mailbox(const struct backend_options *options, struct buf *description, struct buf *why)
{
	const struct backend_ops *ops = backend_for(options->url);
	struct backend *session = NULL;
	int r = ops ? backend_open(ops, options, &session, why) : -EOPNOTSUPP;

	if (r < 0)
		return r;
	r = backend_describe(&session, description);
	if (r < 0)
		buf_append_str(why, backend_why(session));
	backend_close(session);
	return r;
}

static int check_mailbox(const struct configuration *c, const char *user, struct secret *secret)
{
	CLEANUP(buf) struct buf description = BUF_INIT;
	CLEANUP(buf) struct buf why = BUF_INIT;
	const struct backend_options options = {
		.url = c->imap.host ? &c->imap : &c->pop3,
		.user = user,
		.secret = secret,
		.auth = c->auth,
		.tls = { c->tls_ca, c->tls_fingerprint, c->tls_cert, c->tls_key },
		.timeout_s = c->timeout_s,
	};
	int r;

	print_server(options.url, user);
	r = sign_in_to_mailbox(&options, &description, &why);
	if (r < 0) {
		print_failure(r, &why);
		return r;
	}
	print_certificate(options.url, &options.tls);
	print_indented(buf_str(&description));
	return 0;
}

static void print_submission(const struct smtp *session)
{
	const struct smtp_capabilities *offered = smtp_capabilities(session);
	const struct {
		bool offered;
		const char *name;
	} capabilities[] = {
		{ offered->pipelining, "PIPELINING" }, { offered->eightbitmime, "8BITMIME" },
		{ offered->smtputf8, "SMTPUTF8" },     { offered->dsn, "DSN" },
		{ offered->chunking, "CHUNKING" },
	};

	printf("  TLS and sign-in: %s\n", smtp_description(session));
	fputs("  Capabilities:", stdout);
	for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++)
		if (capabilities[i].offered)
			printf(" %s", capabilities[i].name);
	if (offered->size)
		printf(" SIZE=%lld", (long long)offered->size_max);
	putchar('\n');
}

static int check_submission(const struct configuration *c, struct secret *secret)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	const struct smtp_options options = {
		.url = &c->smtp,
		.user = c->smtp.user,
		.secret = c->smtp.user ? secret : NULL,
		.auth = c->smtp_auth,
		.tls = { c->tls_ca, c->tls_fingerprint, c->tls_cert, c->tls_key },
		.timeout_s = c->timeout_s,
	};
	struct smtp *session = NULL;
	int r;

	print_server(&c->smtp, c->smtp.user);
	r = smtp_open(&options, &session, &why);
	if (r < 0) {
		print_failure(r, &why);
		return r;
	}
	print_certificate(&c->smtp, &options.tls);
	print_submission(session);
	smtp_close(session);
	return 0;
}

static bool is_set(const struct secret_source *source)
{
	return source->command || source->file || source->literal;
}

static int check_configured(const struct configuration *c)
{
	const struct url *url = c->imap.host ? &c->imap : &c->pop3;
	const struct passwd *me = url->user ? NULL : getpwuid(getuid());
	const char *user = me ? me->pw_name : url->user;
	const bool own_secret = is_set(&c->smtp_secret);
	CLEANUP(secret) struct secret *secret = NULL;
	CLEANUP(secret) struct secret *smtp_secret = NULL;
	CLEANUP(buf) struct buf why = BUF_INIT;
	int mailbox, submission = 0;
	int r = make_secret(&c->secret, url, user ? user : "", &secret, &why);

	if (r == 0 && own_secret)
		r = make_secret(&c->smtp_secret, &c->smtp, c->smtp.user ? c->smtp.user : "", &smtp_secret, &why);
	if (r < 0) {
		print_failure(r, &why);
		return r;
	}
	mailbox = check_mailbox(c, user, secret);
	if (c->smtp.host)
		submission = check_submission(c, own_secret ? smtp_secret : secret);
	else
		puts("No smtp in the configuration: there will be no outbox");
	return mailbox < 0 ? mailbox : submission;
}

static int check(const char *file, const char *account, const char *const *options, size_t n)
{
	CLEANUP(configuration) struct configuration c = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT;

	if (configuration_load(file, account, options, n, &c, &why) < 0 || mailbox_check(&c, &why) < 0) {
		fprintf(stderr, "mailfsctl: %s\n", buf_str(&why));
		return EXIT_FAILURE;
	}
	if (!c.imap.host && !c.pop3.host) {
		fprintf(stderr, "mailfsctl: %s: no server; write imap = imaps://user@host\n", account);
		return EXIT_FAILURE;
	}
	return check_configured(&c) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' }, { 0 } };
	CLEANUP(free) const char **keys = calloc((size_t)argc, sizeof *keys);
	const char *file = NULL;
	size_t n = 0;
	int c;

	while (keys && (c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == 'c')
			file = optarg;
		else if (c == 'o')
			keys[n++] = optarg;
		else
			return COMMAND_USAGE;
	}
	if (!keys || argc - optind != 1)
		return COMMAND_USAGE;
	return check(file, argv[optind], keys, n);
}

const struct command command_check = {
	"check",
	"[--config FILE] [-o KEY=VALUE] ACCOUNT",
	"sign in to the servers of ACCOUNT; show TLS, sign-in method and capabilities",
	run,
};

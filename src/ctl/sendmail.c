/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailfsctl sendmail: what contrib/mailfs-sendmail runs. A message from standard input into the outbox of the account that it belongs to.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/deposit.h"
#include "ctl/interrupt.h"
#include "ctl/letter.h"
#include "ctl/outboxes.h"
#include "ctl/sendmail_arguments.h"

enum { BLOCK_BYTES = 65536 };

/* One line, whatever a server or a header put into it. Returns the exit status. */
__attribute__((format(printf, 2, 3))) static int fail(int status, const char *format, ...)
{
	CLEANUP(buf) struct buf line = BUF_INIT;
	va_list arguments;

	va_start(arguments, format);
	buf_vprintf(&line, format, arguments);
	va_end(arguments);
	for (size_t i = 0; i < line.len; i++)
		if (iscntrl((unsigned char)line.data[i]))
			line.data[i] = ' ';
	fprintf(stderr, "mailfs-sendmail: %s\n", buf_str(&line));
	return status;
}

static int fail_errno(int r)
{
	return fail(EX_TEMPFAIL, "not queued: %s; try again", strerror(-r));
}

/* 0, or the exit status once it was told that there is none. */
static int choose_account(const struct outboxes *o, const char *account, const struct mounted_outbox **ret)
{
	*ret = outboxes_of_account(o, account);
	return *ret ? 0
		    : fail(EX_TEMPFAIL, "%s: no account of this name is mounted with an outbox: mount it and send again", account);
}

static int choose_sender(const struct outboxes *o, const char *sender, const struct mounted_outbox **ret)
{
	CLEANUP(address_list) struct address_list list = { NULL, 0 };

	if (address_parse_first(sender, strlen(sender), &list) < 0 || !list.n)
		return fail(EX_USAGE, "-f %s: not an address", sender);
	*ret = outboxes_of_address(o, &list.items[0]);
	return *ret ? 0
		    : fail(EX_TEMPFAIL, "%s: no account that is mounted with an outbox has it in `from`: mount it and send again",
			   sender);
}

/* Nobody said which: that of the message's own sender, else the first. */
static int choose_by_letter(const struct outboxes *o, const struct letter *l, const struct mounted_outbox **ret)
{
	CLEANUP(address_list) struct address_list from = { NULL, 0 };
	int r = letter_from(l, &from);

	if (r < 0)
		return fail_errno(r);
	*ret = NULL;
	for (size_t i = 0; !*ret && i < from.n; i++)
		*ret = outboxes_of_address(o, &from.items[i]);
	if (!*ret)
		*ret = &o->items[0];
	return 0;
}

/* The directory that MAILFS_OUTBOX names; NULL where it names none, or an account is asked for. */
static const char *named_directory(const struct sendmail_arguments *a)
{
	const char *directory = getenv("MAILFS_OUTBOX");

	return a->account || !directory || !*directory ? NULL : directory;
}

static int fail_without_directory(const char *directory)
{
	if (access(directory, F_OK) < 0)
		return fail(EX_TEMPFAIL, "%s: %s: mount it and send again, or have MAILFS_OUTBOX name another", directory,
			    strerror(errno));
	return fail(EX_CONFIG, "%s: not the outbox of a mailfs mount, have MAILFS_OUTBOX name one", directory);
}

static int fail_without_outbox(const struct outboxes *o)
{
	if (o->mounts)
		return fail(EX_CONFIG, "what is mounted has no outbox: set `smtp` in mailfs.conf, and mount without -o ro");
	return fail(EX_TEMPFAIL, "no mailbox of yours is mounted: mount one with mailfs and send again");
}

static int choose(const struct outboxes *o, const struct sendmail_arguments *a, const struct letter *l,
		  const struct mounted_outbox **ret)
{
	const char *directory = named_directory(a);

	if (o->n == 0)
		return directory ? fail_without_directory(directory) : fail_without_outbox(o);
	if (a->account)
		return choose_account(o, a->account, ret);
	return a->sender && !directory ? choose_sender(o, a->sender, ret) : choose_by_letter(o, l, ret);
}

/* Those named, and with -t those of the header beside them. Stays empty where the outbox is to read the header by itself. */
static int collect_recipients(const struct sendmail_arguments *a, const struct letter *l, const char *own, struct string_list *ret)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r = 0;

	for (char **p = a->recipients; *p && !r; p++)
		r = letter_add_recipients(*p, own, ret, &why);
	if (r == -EINVAL)
		return fail(EX_NOUSER, "not queued: %s", buf_str(&why));
	if (!r && ret->n && a->reads_header)
		r = letter_recipients(l, ret, &why);
	if (r == -EINVAL)
		return fail(EX_DATAERR, "not queued: %s", buf_str(&why));
	return r < 0 ? fail_errno(r) : 0;
}

static int fail_to_create(const char *directory, int r)
{
	static const int lasting[] = { EACCES, EPERM, EROFS, ENOENT, ENOTDIR };

	for (size_t i = 0; i < sizeof lasting / sizeof lasting[0]; i++)
		if (r == -lasting[i])
			return fail(EX_CANTCREAT, "%s: no file can be made there: %s", directory, strerror(-r));
	return fail(EX_TEMPFAIL, "%s: no file can be made there: %s; try again", directory, strerror(-r));
}

static int fail_to_write(const char *directory, int r)
{
	if (interrupted())
		return fail(EXIT_INTERRUPTED, "interrupted, nothing is queued");
	if (r == -E2BIG)
		return fail(EX_UNAVAILABLE, "not queued: too many recipients, name fewer at a time");
	return fail(EX_TEMPFAIL, "%s: not queued: %s; try again", directory, strerror(-r));
}

static int fail_to_read(int r)
{
	if (interrupted())
		return fail(EXIT_INTERRUPTED, "interrupted, nothing is queued");
	return fail(EX_IOERR, "standard input cannot be read, nothing is queued: %s", strerror(-r));
}

/* The rest of the message, as it comes. */
static int copy_rest(const char *directory, struct deposit *d)
{
	char block[BLOCK_BYTES];

	for (;;) {
		ssize_t n = interrupted() ? -1 : read(STDIN_FILENO, block, sizeof block);
		int r;

		if (n == 0)
			return 0;
		if (n < 0)
			return fail_to_read(-errno);
		r = deposit_write(d, block, (size_t)n);
		if (r < 0)
			return fail_to_write(directory, r);
	}
}

static int write_all(const struct mounted_outbox *outbox, const struct letter *l, const struct string_list *recipients,
		     struct deposit *d)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	int r = deposit_open(d, outbox->directory);

	if (r < 0)
		return fail_to_create(outbox->directory, r);
	r = string_list_join(recipients, ", ", &text);
	if (r == 0 && text.len)
		r = deposit_set_recipients(d, text.data);
	if (r == 0)
		r = deposit_write(d, l->start.data, l->start.len);
	return r < 0 ? fail_to_write(outbox->directory, r) : copy_rest(outbox->directory, d);
}

static int verdict(const struct mounted_outbox *outbox, const struct deposit *d, int r, const char *why)
{
	static const struct {
		int error, status;
	} refusals[] = {
		{ EINVAL, EX_DATAERR },	   { EPERM, EX_DATAERR },	  { EEXIST, EX_DATAERR },
		{ EFBIG, EX_UNAVAILABLE }, { EREMOTEIO, EX_UNAVAILABLE },
	};

	if (r == -ECONNABORTED)
		return fail(EX_IOERR, "%s/%s: the mount ended meanwhile: look there before you send it again, it may be queued",
			    outbox->directory, d->name);
	for (size_t i = 0; *why && i < sizeof refusals / sizeof refusals[0]; i++)
		if (r == -refusals[i].error)
			return fail(refusals[i].status,
				    "%s/failed/%s: not sent: %s; once that is mended, move it to outbox, or remove it",
				    outbox->directory, d->name, why);
	return fail_to_write(outbox->directory, r);
}

static int hand_over(const struct mounted_outbox *outbox, struct deposit *d, bool is_verbose)
{
	CLEANUP(buf) struct buf why = BUF_INIT;
	int r = deposit_commit(d, &why);

	if (r == 0 && is_verbose)
		fprintf(stderr, "mailfs-sendmail: queued as %s/%s\n", outbox->directory, d->name);
	if (r == 0)
		r = deposit_wait(d, outbox->wait_s, &why);
	return r < 0 ? verdict(outbox, d, r, buf_str(&why)) : EX_OK;
}

static int send_letter(const struct outboxes *o, const struct sendmail_arguments *a, struct letter *l)
{
	CLEANUP(string_list) struct string_list recipients = { NULL, 0 };
	CLEANUP(deposit) struct deposit d = DEPOSIT_INIT;
	const struct mounted_outbox *outbox;
	int r, status = choose(o, a, l, &outbox);

	if (!status)
		status = collect_recipients(a, l, outbox->from, &recipients);
	if (status)
		return status;
	r = letter_set_sender(l, outbox->from, a->name);
	if (r < 0)
		return fail_errno(r);
	status = write_all(outbox, l, &recipients, &d);
	return status ? status : hand_over(outbox, &d, a->is_verbose);
}

static int run(int argc, char **argv)
{
	CLEANUP(outboxes) struct outboxes outboxes = { 0 };
	CLEANUP(letter) struct letter letter = { .start = BUF_INIT };
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct sendmail_arguments arguments;
	const char *directory;
	int r = sendmail_arguments_parse(argc, argv, &arguments, &why);

	if (r == -EINVAL)
		return fail(EX_USAGE, "%s", buf_str(&why));
	if (r < 0)
		return fail_errno(r);
	interrupt_catch();
	directory = named_directory(&arguments);
	r = directory ? outboxes_read_at(directory, &outboxes) : outboxes_read(&outboxes);
	if (r < 0)
		return fail_errno(r);
	r = letter_read(STDIN_FILENO, &letter);
	if (r < 0)
		return fail_to_read(r);
	if (!letter.start.len)
		return fail(EX_DATAERR, "standard input is empty: no message, nothing is queued");
	return send_letter(&outboxes, &arguments, &letter);
}

const struct command command_sendmail = {
	"sendmail",
	"[-t] [-a ACCOUNT] [-f ADDRESS] ... [RECIPIENT ...]",
	"queue the message on standard input, as sendmail does; see mailfs-sendmail(1)",
	run,
};

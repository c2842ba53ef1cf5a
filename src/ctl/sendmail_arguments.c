/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/sendmail_arguments.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

/*
 * Those of sendmail, Postfix and msmtp that change nothing here: delivery status notifications, body types, how errors are told, tracing. `+`: what
 * follows a recipient is one as well, also where a program does not write `--`.
 */
static const char option_string[] = "+:a:f:r:F:tvb:q::IA:B:e:h:L:N:O:o:p:R:V:X:cGimnUx";

static int refuse(struct buf *why, const char *what, char letter, const char *argument)
{
	int r = buf_printf(why, "-%c%s: %s", letter, argument ? argument : "", what);

	return r < 0 ? r : -EINVAL;
}

static int refuse_mode(struct buf *why, char letter, const char *argument)
{
	return refuse(why, "there is no such mode here, one message is read from standard input and queued", letter, argument);
}

static const char *address_or_nothing(const char *text)
{
	return strchr(text, '@') ? text : NULL;
}

static int take_option(int c, struct sendmail_arguments *a, struct buf *why)
{
	switch (c) {
	case 'a':
		a->account = optarg;
		return 0;
	case 'f':
	case 'r':
		a->sender = address_or_nothing(optarg);
		return 0;
	case 'F':
		a->name = optarg;
		return 0;
	case 't':
		a->reads_header = true;
		return 0;
	case 'v':
		a->is_verbose = true;
		return 0;
	case 'b':
		return strcmp(optarg, "m") ? refuse_mode(why, 'b', optarg) : 0;
	case 'q':
	case 'I':
		return refuse_mode(why, (char)c, optarg);
	case ':':
		return refuse(why, "its value is missing", (char)optopt, NULL);
	case '?':
		return refuse(why, "there is no such option, see mailfs-sendmail(1)", (char)optopt, NULL);
	default:
		return 0;
	}
}

int sendmail_arguments_parse(int argc, char **argv, struct sendmail_arguments *ret, struct buf *why)
{
	struct sendmail_arguments a = { 0 };
	int c, r = 0;

	optind = 0;
	opterr = 0;
	while (r == 0 && (c = getopt(argc, argv, option_string)) != -1)
		r = take_option(c, &a, why);
	if (r < 0)
		return r;
	a.recipients = argv + optind;
	if (!a.reads_header && !a.recipients[0]) {
		r = buf_append_str(why, "nobody to send to: name recipients, or take them from the header with -t");
		return r < 0 ? r : -EINVAL;
	}
	*ret = a;
	return 0;
}

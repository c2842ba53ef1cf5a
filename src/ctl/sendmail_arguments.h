/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of sendmail, as mail programs, cron and git write it. Pure but for getopt's own state.
 */
#ifndef MAILFS_CTL_SENDMAIL_ARGUMENTS_H
#define MAILFS_CTL_SENDMAIL_ARGUMENTS_H

#include <stdbool.h>

#include "base/buf.h"

/* All borrowed from argv; NULL where not given. */
struct sendmail_arguments {
	const char *account; /* -a */
	const char *sender;  /* -f, -r: an address that a `from` can have; `root` and <> say nothing here */
	const char *name;    /* -F */
	bool reads_header;   /* -t */
	bool is_verbose;
	char **recipients; /* ends with a NULL */
};

/* Options stand before the recipients. -EINVAL with `why`: a mode that is no sending of one message, an unknown option, nobody to send to. */
int sendmail_arguments_parse(int argc, char **argv, struct sendmail_arguments *ret, struct buf *why);

#endif

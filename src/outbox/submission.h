/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The submission server as the sender sees it: net/smtp.h as a table, so that a test can stand in its place without a network.
 */
#ifndef MAILFS_OUTBOX_SUBMISSION_H
#define MAILFS_OUTBOX_SUBMISSION_H

#include "net/smtp.h"

struct submission_ops {
	int (*open)(const struct smtp_options *options, struct smtp **ret, struct buf *why);
	void (*close)(struct smtp *s);
	const struct smtp_capabilities *(*capabilities)(const struct smtp *s);
	int (*send)(struct smtp *s, const struct smtp_message *message, struct smtp_result *ret);
	void (*result_release)(struct smtp_result *r);
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/submission.h"

#include "outbox/queue.h"

static const struct submission_ops over_smtp = {
	.open = smtp_open,
	.close = smtp_close,
	.capabilities = smtp_capabilities,
	.send = smtp_send,
	.result_release = smtp_result_release,
};

int outbox_new(const char *state_dir, const struct outbox_options *options, struct outbox **ret)
{
	return queue_open(state_dir, options, &over_smtp, ret);
}

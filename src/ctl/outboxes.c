/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/outboxes.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/mounts.h"
#include "ctl/status_file.h"

DEFINE_CLEANUP(json, json_t *, json_decref)

static void release(struct mounted_outbox *outbox)
{
	free(outbox->directory);
	free(outbox->account);
	free(outbox->from);
}

static int fill(const char *point, const json_t *status, const json_t *submission, struct mounted_outbox *ret)
{
	const char *account = json_string_value(json_object_get(status, "account"));
	const char *from = json_string_value(json_object_get(submission, "from"));
	CLEANUP(buf) struct buf directory = BUF_INIT;
	struct mounted_outbox outbox = { .wait_s = json_integer_value(json_object_get(submission, "wait")) };

	if (buf_printf(&directory, "%s/outbox", point) < 0)
		return -ENOMEM;
	outbox.directory = buf_steal(&directory);
	outbox.account = strdup(account ? account : "");
	outbox.from = from ? strdup(from) : NULL;
	if (!outbox.account || (from && !outbox.from)) {
		release(&outbox);
		return -ENOMEM;
	}
	*ret = outbox;
	return 0;
}

/* One that does not answer, or not us, is as good as not mounted. */
static int add_mount(struct outboxes *o, const char *point)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	CLEANUP(json) json_t *status = NULL;
	struct mounted_outbox *items;
	json_t *submission;
	int r;

	if (status_file_read(point, &text) < 0)
		return 0;
	status = json_loads(buf_str(&text), 0, NULL);
	submission = json_object_get(status, "submission");
	o->mounts += json_is_object(status);
	if (!json_is_object(submission))
		return 0;
	items = reallocarray(o->items, o->n + 1, sizeof *items);
	if (!items)
		return -ENOMEM;
	o->items = items;
	r = fill(point, status, submission, &items[o->n]);
	o->n += r == 0;
	return r;
}

int outboxes_read(struct outboxes *ret)
{
	CLEANUP(outboxes) struct outboxes o = { 0 };
	CLEANUP(mounts) struct mounts m = { 0 };
	int r = mounts_read(&m);

	for (size_t i = 0; r == 0 && i < m.n; i++)
		if (m.owners[i] == 0 || m.owners[i] == geteuid())
			r = add_mount(&o, m.points[i]);
	if (r < 0)
		return r;
	*ret = o;
	o = (struct outboxes){ 0 };
	return 0;
}

int outboxes_read_at(const char *directory, struct outboxes *ret)
{
	CLEANUP(outboxes) struct outboxes o = { 0 };
	CLEANUP(free) char *absolute = realpath(directory, NULL);
	CLEANUP(buf) struct buf point = BUF_INIT;
	int r = absolute ? mounts_find(absolute, &point) : -errno;

	if (r == 0)
		r = add_mount(&o, buf_str(&point));
	if (r == -ENOMEM)
		return r;
	if (o.n == 0 || strcmp(o.items[0].directory, absolute))
		return 0;
	*ret = o;
	o = (struct outboxes){ 0 };
	return 0;
}

void outboxes_release(struct outboxes *o)
{
	for (size_t i = 0; i < o->n; i++)
		release(&o->items[i]);
	free(o->items);
	*o = (struct outboxes){ 0 };
}

const struct mounted_outbox *outboxes_of_account(const struct outboxes *o, const char *account)
{
	for (size_t i = 0; i < o->n; i++)
		if (!strcmp(o->items[i].account, account))
			return &o->items[i];
	return NULL;
}

const struct mounted_outbox *outboxes_of_address(const struct outboxes *o, const struct address *a)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->items[i].from && address_matches(a, o->items[i].from))
			return &o->items[i];
	return NULL;
}

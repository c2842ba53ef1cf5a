/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * .mailfs/status: the account's state as one JSON object, for people through mailfsctl and for scripts.
 */
#include "mailbox/mailbox_private.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_words[] = {
	[WORKERS_CONNECTING] = "connecting",
	[WORKERS_ONLINE] = "online",
	[WORKERS_OFFLINE] = "offline",
};

struct counts {
	json_int_t folders, synced, messages;
};

static int count(void *userdata, const struct index_folder *f)
{
	struct counts *c = userdata;

	if (f->row == INDEX_ROOT || f->attributes & FOLDER_NOSELECT)
		return 0;
	c->folders++;
	c->synced += f->complete;
	c->messages += f->messages;
	return 0;
}

struct running {
	int64_t folder;
	uint32_t done, total;
};

struct running_list {
	struct running items[32];
	size_t n;
};

static void note_running(void *userdata, int64_t folder, uint32_t done, uint32_t total)
{
	struct running_list *l = userdata;

	if (l->n < sizeof l->items / sizeof *l->items)
		l->items[l->n++] = (struct running){ folder, done, total };
}

static json_t *describe_syncs(struct mailbox *mb)
{
	struct running_list running = { .n = 0 };
	json_t *list = json_array();

	look_each_running(mb, note_running, &running);
	for (size_t i = 0; i < running.n; i++) {
		CLEANUP(buf) struct buf path = BUF_INIT;

		if (folder_list_path(mb, running.items[i].folder, &path) == 0)
			json_array_append_new(list, json_pack("{s:s#, s:I, s:I}", "folder", buf_str(&path), (int)path.len, "done",
							      (json_int_t)running.items[i].done, "total",
							      (json_int_t)running.items[i].total));
	}
	return list;
}

static json_t *describe_alerts(struct mailbox *mb)
{
	json_t *list = json_array();

	pthread_mutex_lock(&mb->lock);
	for (int i = 0; i < ALERTS_MAX; i++)
		if (mb->alerts[i])
			json_array_append_new(list, json_string(mb->alerts[i]));
	pthread_mutex_unlock(&mb->lock);
	return list;
}

static json_t *describe_outbox(struct mailbox *mb)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	json_t *list = NULL;

	if (mb->outbox && outbox_describe(mb->outbox, &text) == 0)
		list = json_loads(buf_str(&text), 0, NULL);
	return list ? list : json_array();
}

/* What a program that hands messages in has to know: whose they may be, and how long it should listen for the verdict. Null without an outbox. */
static json_t *describe_submission(struct mailbox *mb)
{
	const struct configuration *c = mb->configuration;
	json_t *object = mb->outbox ? json_object() : NULL;

	if (!object)
		return json_null();
	json_object_set_new(object, "wait", json_integer(c->outbox_wait_s));
	/* Left out where it is not valid UTF-8. */
	if (c->from)
		json_object_set_new(object, "from", json_string(c->from));
	return object;
}

static json_t *describe(struct mailbox *mb)
{
	struct workers_status w;
	struct counts c = { 0 };

	workers_status(mb->workers, &w);
	index_folder_each(mb->index, 0, 0, count, &c);
	return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:I, s:{s:I, s:I}, s:{s:I}, s:o, s:{s:I, s:I}, s:{s:i, s:i}, s:{s:I, s:I}, "
			 "s:o, s:o, s:o, s:s?}",
			 "account", mb->configuration->account, "mountpoint", mb->options.mountpoint, "server",
			 mb->backend.url->host, "state", state_words[w.state], "error", w.state == WORKERS_OFFLINE ? w.why : NULL,
			 "since", (json_int_t)w.since_s, "folders", "total", c.folders, "synced", c.synced, "messages", "known",
			 c.messages, "sync", describe_syncs(mb), "cache", "bytes", (json_int_t)bodies_total(mb->bodies), "limit",
			 (json_int_t)mb->configuration->cache_size_bytes, "connections", "open", w.open, "limit", w.limit, "quota",
			 "used", (json_int_t)atomic_load(&mb->quota_used), "limit", (json_int_t)atomic_load(&mb->quota_limit),
			 "alerts", describe_alerts(mb), "outbox", describe_outbox(mb), "submission", describe_submission(mb),
			 "events", mb->events ? events_path(mb->events) : NULL);
}

int mailbox_status(struct mailbox *mb, struct buf *out)
{
	json_t *object = describe(mb);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	int r = text ? buf_printf(out, "%s\n", text) : -EIO;

	free(text);
	json_decref(object);
	return r;
}

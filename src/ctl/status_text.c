/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/status_text.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "ctl/amount.h"
#include "ctl/words.h"

DEFINE_CLEANUP(json, json_t *, json_decref)

static const char *string_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int64_t number_at(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void add_words(struct buf *out, const char *words)
{
	words_append(out, words, ' ');
}

static void add_label(struct buf *out, const char *label)
{
	buf_printf(out, "  %-12s", label);
}

/* "1.2 GiB of 2.0 GiB", without the rest where there is no limit. */
static void add_part(struct buf *out, int64_t part, int64_t whole, int (*amount)(struct buf *out, int64_t n))
{
	amount(out, part);
	if (whole <= 0)
		return;
	buf_append_str(out, " of ");
	amount(out, whole);
}

static void add_share(struct buf *out, int64_t part, int64_t whole)
{
	if (whole <= 0)
		return;
	buf_append_str(out, " (");
	amount_percent(out, part, whole);
	buf_append_char(out, ')');
}

static void add_state(const json_t *status, int64_t now_s, struct buf *out)
{
	const char *state = string_at(status, "state");
	const char *error = string_at(status, "error");
	const char *server = string_at(status, "server");
	int64_t since_s = number_at(status, "since");

	add_label(out, "server");
	if (server) {
		add_words(out, server);
		buf_append_str(out, ", ");
	}
	buf_append_str(out, state ? state : "state unknown");
	if (since_s > 0) {
		buf_append_str(out, " for ");
		amount_duration(out, now_s - since_s);
	}
	buf_append_char(out, '\n');
	if (!error)
		return;
	add_label(out, "");
	add_words(out, error);
	buf_append_char(out, '\n');
}

static void add_folders(const json_t *status, struct buf *out)
{
	const json_t *folders = json_object_get(status, "folders");
	const json_t *messages = json_object_get(status, "messages");

	if (!folders)
		return;
	add_label(out, "folders");
	amount_count(out, number_at(folders, "total"));
	buf_append_str(out, ", ");
	amount_count(out, number_at(folders, "synced"));
	buf_append_str(out, " of them compared with the server; ");
	amount_count(out, number_at(messages, "known"));
	buf_append_str(out, " messages known\n");
}

static void add_sync(const json_t *status, struct buf *out)
{
	const json_t *sync;
	size_t i;

	json_array_foreach(json_object_get(status, "sync"), i, sync)
	{
		const char *folder = string_at(sync, "folder");

		add_label(out, "syncing");
		add_words(out, folder ? folder : "?");
		buf_append_str(out, ": ");
		add_part(out, number_at(sync, "done"), number_at(sync, "total"), amount_count);
		add_share(out, number_at(sync, "done"), number_at(sync, "total"));
		buf_append_char(out, '\n');
	}
}

/* A line with bytes and their limit, where the status has such an object. */
static void add_bytes(const json_t *status, const char *key, const char *part, struct buf *out)
{
	int64_t bytes = number_at(json_object_get(status, key), part);
	int64_t limit = number_at(json_object_get(status, key), "limit");

	if (!bytes && !limit)
		return;
	add_label(out, key);
	add_part(out, bytes, limit, amount_size);
	add_share(out, bytes, limit);
	buf_append_char(out, '\n');
}

static void add_connections(const json_t *status, struct buf *out)
{
	const json_t *connections = json_object_get(status, "connections");

	if (!connections)
		return;
	add_label(out, "connections");
	add_part(out, number_at(connections, "open"), number_at(connections, "limit"), amount_count);
	buf_append_char(out, '\n');
}

static void add_alerts(const json_t *status, struct buf *out)
{
	const json_t *alert;
	size_t i;

	json_array_foreach(json_object_get(status, "alerts"), i, alert)
	{
		add_label(out, "server says");
		add_words(out, json_is_string(alert) ? json_string_value(alert) : "?");
		buf_append_char(out, '\n');
	}
}

static void add_outbox(const json_t *status, struct buf *out)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(status, "outbox"), i, entry)
	{
		const char *state = string_at(entry, "state");
		const char *name = string_at(entry, "name");
		const char *error = string_at(entry, "error");

		add_label(out, i ? "" : "outbox");
		buf_printf(out, "%-10s", state ? state : "?");
		add_words(out, name ? name : "?");
		buf_append_str(out, ", ");
		amount_size(out, number_at(entry, "size"));
		if (error) {
			buf_append_str(out, ": ");
			add_words(out, error);
		}
		buf_append_char(out, '\n');
	}
}

static json_t *load(const char *text, size_t len)
{
	json_t *status = json_loadb(text, len, 0, NULL);

	if (json_is_object(status))
		return status;
	json_decref(status);
	return NULL;
}

int status_text(const char *mountpoint, const char *json, size_t len, int64_t now_s, struct buf *out)
{
	CLEANUP(json) json_t *status = load(json, len);
	const char *account;

	if (!status)
		return -EINVAL;
	account = string_at(status, "account");
	add_words(out, mountpoint);
	if (account) {
		buf_append_str(out, ": ");
		add_words(out, account);
	}
	buf_append_char(out, '\n');
	add_state(status, now_s, out);
	add_folders(status, out);
	add_sync(status, out);
	add_bytes(status, "cache", "bytes", out);
	add_connections(status, out);
	add_bytes(status, "quota", "used", out);
	add_alerts(status, out);
	add_outbox(status, out);
	return 0;
}

int status_line(const char *json, size_t len, struct buf *out)
{
	CLEANUP(json) json_t *status = load(json, len);
	CLEANUP(free) char *line = NULL;

	if (!status)
		return -EINVAL;
	line = json_dumps(status, JSON_COMPACT);
	if (!line)
		return -ENOMEM;
	if (buf_append_str(out, line) < 0)
		return -ENOMEM;
	return buf_append_char(out, '\n');
}

int64_t status_cache_limit(const char *json, size_t len)
{
	CLEANUP(json) json_t *status = load(json, len);

	return number_at(json_object_get(status, "cache"), "limit");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an IMAP server may send, fuzzed through the guard, libetpan and everything behind them: a session that signs in and does all
 * that the backend can. The input is the server's side of it.
 *
 * Three bytes of settings come first: how many bytes a read gives, how to sign in (and whether to change things), which of the
 * other operations. In the rest, byte 1 stands for the tag of the client's last command, byte 2 for the one before, so that an answer fits whatever came before it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/imap_session.h"
#include "base/log.h"
#include "message/flags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TAG_LAST = 1, TAG_BEFORE = 2 };

struct server {
	const uint8_t *data; /* borrowed */
	size_t size, at;
	size_t piece;	  /* most bytes that one read gives */
	char tags[2][16]; /* of the last command and the one before */
	const char *rest; /* of a tag that did not fit */
};

static void require_at(bool holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "line %d: not true: %s\n", line, what);
	abort();
}

#define require(what) require_at(what, #what, __LINE__)

/* ------------------------------------------------------------ the server */

static bool server_next(struct server *v, char *ret)
{
	while (!v->rest || !*v->rest) {
		if (v->at == v->size)
			return false;
		if (v->data[v->at] != TAG_LAST && v->data[v->at] != TAG_BEFORE) {
			*ret = (char)v->data[v->at++];
			return true;
		}
		v->rest = v->tags[v->data[v->at++] == TAG_BEFORE];
	}
	*ret = *v->rest++;
	return true;
}

/* What answers a command is not sent before it: the tag is that of the last command only once all before it was read. */
static bool server_waits(const struct server *v)
{
	bool tag = v->at < v->size && (v->data[v->at] == TAG_LAST || v->data[v->at] == TAG_BEFORE);

	return tag && !(v->rest && *v->rest);
}

static ssize_t server_read(void *userdata, void *data, size_t len)
{
	struct server *v = userdata;
	size_t n = 0;

	while (n < len && n < v->piece && !(n && server_waits(v)) && server_next(v, (char *)data + n))
		n++;
	return (ssize_t)n;
}

static int server_write(void *userdata, const void *data, size_t len)
{
	struct server *v = userdata;
	char tag[16];
	size_t n = 0;

	while (n < len && n < sizeof(tag) - 1 && ((const char *)data)[n] >= '0' && ((const char *)data)[n] <= '9') {
		tag[n] = ((const char *)data)[n];
		n++;
	}
	if (!n || n == len || ((const char *)data)[n] != ' ')
		return 0;
	tag[n] = '\0';
	memcpy(v->tags[1], v->tags[0], sizeof(tag));
	memcpy(v->tags[0], tag, n + 1);
	v->rest = NULL;
	return 0;
}

/* ------------------------------------------------------------ what the mailbox would do with it */

struct mailbox {
	bool stated, completed;
	uint32_t present; /* the last UID that present() told */
	int64_t left;	  /* of a body that has begun, -1: none */
	uint64_t bodies;
};

static int on_folder(void *userdata, const struct backend_folder *f)
{
	(void)userdata;
	require(*f->wire && f->prefix_len < strlen(f->wire) && !strpbrk(f->wire, "\0"));
	return 0;
}

static int on_state(void *userdata, const struct backend_status *s)
{
	struct mailbox *m = userdata;

	require(!m->stated && s->uidvalidity && s->uidnext);
	m->stated = true;
	return 0;
}

static void require_canonical(const char *flags)
{
	CLEANUP(buf) struct buf again = BUF_INIT;

	require(flags_canonical(flags, &again) == 0 && !strcmp(buf_str(&again), flags));
}

static int on_message(void *userdata, const struct backend_message *message)
{
	struct mailbox *m = userdata;
	volatile char sum = 0;

	require(m->stated && !m->completed && message->uid && message->header_len <= 2048);
	require(message->header || !message->header_len);
	for (size_t i = 0; i < message->header_len; i++)
		sum += message->header[i];
	(void)sum;
	require_canonical(message->flags);
	return 0;
}

static int on_batch(void *userdata, uint32_t uidnext)
{
	struct mailbox *m = userdata;

	require(m->stated && uidnext);
	return 0;
}

static int on_flags(void *userdata, uint32_t uid, const char *flags)
{
	struct mailbox *m = userdata;

	require(m->stated && uid);
	require_canonical(flags);
	return 0;
}

static int on_present(void *userdata, uint32_t first, uint32_t last)
{
	struct mailbox *m = userdata;

	require(m->stated && first > m->present && first <= last);
	m->present = last;
	return 0;
}

static int on_complete(void *userdata, const struct backend_status *s, bool gone_told)
{
	struct mailbox *m = userdata;

	(void)gone_told;
	require(m->stated && !m->completed && s->uidvalidity);
	m->completed = true;
	return 0;
}

static int on_begin(void *userdata, uint32_t uid, int64_t size)
{
	struct mailbox *m = userdata;

	(void)uid;
	require(m->left < 0 && size >= 0);
	m->left = size;
	return 0;
}

static int on_data(void *userdata, const void *data, size_t len)
{
	struct mailbox *m = userdata;

	require(data && len && (int64_t)len <= m->left);
	m->left -= (int64_t)len;
	return 0;
}

static int on_end(void *userdata, uint32_t uid)
{
	struct mailbox *m = userdata;

	require(m->left == 0 && uid);
	m->left = -1;
	m->bodies++;
	return 0;
}

static const struct backend_known known[] = {
	{ .uidnext = 1, .want_headers = true },
	{ .uidvalidity = 7, .uidnext = 4, .highestmodseq = 5, .messages = 3, .want_headers = true, .outgoing = true },
	{ .uidvalidity = 7, .uidnext = 4, .messages = 2 },
};

static void do_sync(struct backend **b, unsigned which)
{
	struct mailbox m = { .left = -1 };
	const struct backend_sync_sink sink = { &m, on_state, on_message, on_batch, on_flags, on_present, on_complete };
	int r = backend_sync(b, "INBOX", &known[which], &sink);

	require(r < 0 || m.completed);
	require(r == 0 || *backend_why(*b));
}

static void do_fetch(struct backend **b, bool range)
{
	static const uint32_t uids[] = { 1, 2, 3, 5, 4294967295 };
	struct mailbox m = { .left = -1 };
	const struct backend_fetch_sink sink = { &m, on_begin, on_data, on_end };
	const struct backend_fetch all = { .uids = uids, .n = 5 }, one = { .uids = uids, .n = 1, .offset = 3, .length = 9 };
	int r = backend_fetch(b, "INBOX", range ? 0 : 7, range ? &one : &all, &sink);

	require(r < 0 || (m.left < 0 && m.bodies <= (range ? 1 : 5)));
	require(r == 0 || *backend_why(*b));
}

/* A message of ten bytes; there is one file for all of them. */
static struct backend_append a_message(const char *flags)
{
	static int fd = -1;

	if (fd < 0) {
		FILE *file = tmpfile();

		require(file && fwrite("a: b\r\n\r\nc\r\n", 1, 11, file) == 11 && fflush(file) == 0);
		fd = dup(fileno(file));
		fclose(file);
	}
	return (struct backend_append){ .fd = fd, .size_bytes = 10, .flags = flags, .internaldate_s = 1 };
}

static void do_append(struct backend **b)
{
	const struct backend_append message = a_message("\\Seen a");
	uint32_t uidvalidity, uid;
	int r = backend_append(b, "Caf\xc3\xa9", &message, &uidvalidity, &uid);

	require(r < 0 || !uid == !uidvalidity);
}

static void do_append_many(struct backend **b)
{
	const struct backend_append messages[] = { a_message(""), a_message("a") };
	uint32_t uidvalidity, uids[2];
	int r = backend_append_many(b, "INBOX", messages, 2, &uidvalidity, uids);

	require(r < 0 || (uidvalidity ? uids[0] && uids[0] < uids[1] : !uids[0] && !uids[1]));
}

typedef int copy_call(struct backend **b, const char *folder, uint32_t uidvalidity, const uint32_t *uids, size_t n, const char *to,
		      struct backend_copied *ret);

static void do_copy(struct backend **b, copy_call *call)
{
	static const uint32_t uids[] = { 1, 2, 3, 5, 4294967295 };
	CLEANUP(backend_copied) struct backend_copied copied = { 0 };
	int r = call(b, "INBOX", 7, uids, 5, "Caf\xc3\xa9", &copied);

	require(r < 0 ? copied.done < 5 : copied.done == 5);
	for (size_t i = 0; copied.uids && i < 5; i++)
		require(!copied.uids[i] || copied.uidvalidity);
}

static void do_changes(struct backend **b)
{
	static const uint32_t uids[] = { 1, 2, 3, 5, 4294967295 };
	CLEANUP(free) uint32_t *exist = NULL;
	size_t n = 0;

	backend_store(b, "INBOX", 7, uids, 5, "\\Seen a", "b");
	do_copy(b, backend_copy);
	do_copy(b, backend_move);
	backend_expunge(b, "INBOX", 7, uids, 5);
	backend_uids_from(b, "INBOX", 0, 2, &exist, &n);
	for (size_t i = 0; i < n; i++)
		require(exist[i] >= 2 && (!i || exist[i] > exist[i - 1]));
	do_append_many(b);
	backend_rename(b, "INBOX", "a\nb");
	backend_subscribe(b, "a", false);
	backend_remove(b, "a");
}

static void do_others(struct backend **b)
{
	CLEANUP(free) uint32_t *uids = NULL;
	CLEANUP(buf) struct buf text = BUF_INIT;
	struct backend_status status;
	struct backend_quota quota;
	struct backend_gmail gmail = { .labels = BUF_INIT };
	size_t n;

	backend_status(b, "a\"b", &status);
	backend_search_message_id(b, "INBOX", "Message-ID", "<a@b>", &uids, &n);
	backend_quota(b, &quota);
	if (backend_gmail(b, "INBOX", 0, 3, &gmail) == 0)
		require(gmail.labels.data && !memchr(gmail.labels.data, 0, gmail.labels.len));
	buf_release(&gmail.labels);
	backend_rights(b, "x\ny", &text);
	backend_create(b, "new", USE_SENT);
	backend_noop(b);
	backend_describe(b, &text);
}

/* Each bit of `which` is an operation. */
static void do_all(struct backend **b, unsigned which)
{
	if (which & 1)
		backend_list(b, on_folder, NULL);
	for (unsigned i = 0; i < 3; i++)
		if (which & 2u << i)
			do_sync(b, i);
	if (which & 16)
		do_fetch(b, false);
	if (which & 32)
		do_fetch(b, true);
	if (which & 64)
		do_append(b);
	if (which & 128)
		do_others(b);
}

static void on_alert(void *userdata, const char *text)
{
	(void)userdata;
	for (; *text; text++)
		require(*text >= ' ' && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const auths[] = { "auto",	    "plain",   "login",	      "cram-md5",
					     "scram-sha-1", "xoauth2", "oauthbearer", "anonymous" };
	static const size_t pieces[] = { 1, 3, 80, 100000 };
	struct url url = { URL_IMAP, URL_INSECURE, NULL, (char *)"localhost", 1 };
	struct secret_source password = { .literal = (char *)"secret" };
	struct backend_options options = { .url = &url, .user = "alice", .timeout_s = 15, .alert = on_alert };
	struct server server = { 0 };
	const struct imap_source source = { server_read, server_write, &server, NULL };
	CLEANUP(buf) struct buf why = BUF_INIT;
	struct backend *b;

	if (size < 3)
		return 0;
	log_open(false, LOG_LEVEL_ERROR);
	server.data = data + 3;
	server.size = size - 3;
	server.piece = pieces[data[0] % 4];
	options.auth = auths[data[1] % 8];
	require(secret_new(&password, "password", &options.secret) == 0);
	if (imap_session_open_source(&options, &source, &b, &why) == 0) {
		do_all(&b, data[2]);
		if (data[1] & 8)
			do_changes(&b);
		backend_close(b);
	} else {
		require(why.len);
	}
	secret_free(options.secret);
	return 0;
}

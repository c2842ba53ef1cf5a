/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"

struct node {
	int64_t row, parent;
	bool is_folder, is_gone, is_hidden, is_trusted;
	char *name, *flags;
	int64_t said_size, size; /* said_size -1: the truth */
	int64_t mtime_ns;
	int64_t *children; /* rows, ascending; folders and messages */
	size_t n_children, capacity;
	uint32_t folders, messages;
	int64_t next_in_bucket;
};

struct body {
	struct node *node;
	int fd;
	bool was_wrong, is_there;
};

/* A kept waiter. */
struct kept {
	struct kept *next;
	struct waiter *waiter;
	int64_t due_ms; /* INT64_MAX: never */
	int result;
	struct body *body;
	struct node *node;
	enum fake_operation operation;
};

enum { BUCKETS = 1 << 17 };

struct mailbox {
	pthread_mutex_t lock; /* protects all */
	pthread_cond_t news;
	pthread_t answerer;
	bool is_ending;
	char *directory;
	struct node **nodes; /* by row - 1 */
	int64_t n, capacity;
	int64_t buckets[BUCKETS];
	struct kept *kept;
	struct fake_behaviour behaviours[FAKE_OPERATIONS];
	struct fake_counts counts;
	int64_t used, limit;
};

struct outbox *fake_outbox;

static size_t bucket_of(int64_t parent, const char *name)
{
	uint64_t hash = 1469598103934665603ULL ^ (uint64_t)parent;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211ULL;
	return hash % BUCKETS;
}

static struct node *node_of(struct mailbox *mb, int64_t row)
{
	return row >= 1 && row <= mb->n ? mb->nodes[row - 1] : NULL;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void add_child(struct node *parent, struct node *child)
{
	if (parent->n_children == parent->capacity) {
		parent->capacity = parent->capacity ? 2 * parent->capacity : 16;
		parent->children = realloc(parent->children, parent->capacity * sizeof(int64_t));
	}
	parent->children[parent->n_children++] = child->row;
	if (child->is_folder)
		parent->folders++;
	else
		parent->messages++;
	parent->mtime_ns = now_ns();
}

static struct node *add_node(struct mailbox *mb, int64_t parent, const char *name, bool is_folder)
{
	struct node *node = calloc(1, sizeof(*node));
	size_t bucket = bucket_of(parent, name);

	if (mb->n == mb->capacity) {
		mb->capacity = mb->capacity ? 2 * mb->capacity : 64;
		mb->nodes = realloc(mb->nodes, (size_t)mb->capacity * sizeof(*mb->nodes));
	}
	*node = (struct node){ .row = mb->n + 1,
			       .parent = parent,
			       .is_folder = is_folder,
			       .is_trusted = true,
			       .name = strdup(name),
			       .flags = strdup("\\Seen"),
			       .said_size = -1,
			       .mtime_ns = now_ns(),
			       .next_in_bucket = mb->buckets[bucket] };
	mb->nodes[mb->n++] = node;
	mb->buckets[bucket] = node->row;
	if (parent)
		add_child(node_of(mb, parent), node);
	return node;
}

static struct node *find(struct mailbox *mb, int64_t parent, const char *name)
{
	struct node *node;

	for (node = node_of(mb, mb->buckets[bucket_of(parent, name)]); node; node = node_of(mb, node->next_in_bucket))
		if (node->parent == parent && !node->is_gone && strcmp(node->name, name) == 0)
			return node;
	return NULL;
}

static struct kept *take_due(struct mailbox *mb)
{
	int64_t now = clock_monotonic_ms();
	struct kept **at, *kept;

	for (at = &mb->kept; (kept = *at); at = &kept->next) {
		if (kept->due_ms > now)
			continue;
		*at = kept->next;
		return kept;
	}
	return NULL;
}

static void wait_a_little(struct mailbox *mb)
{
	struct timespec until;

	if (!mb->kept) {
		pthread_cond_wait(&mb->news, &mb->lock);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&mb->news, &mb->lock, &until);
}

/* What an answer without error makes true. */
static void fulfil(struct kept *kept)
{
	if (kept->result < 0)
		return;
	if (kept->operation == FAKE_READ)
		kept->body->is_there = true;
	else if (kept->operation == FAKE_LOOK)
		kept->node->is_hidden = false;
}

static void *answer(void *userdata)
{
	struct mailbox *mb = userdata;
	struct kept *kept;

	pthread_mutex_lock(&mb->lock);
	for (;;) {
		kept = take_due(mb);
		if (!kept) {
			if (mb->is_ending && !mb->kept)
				break;
			wait_a_little(mb);
			continue;
		}
		fulfil(kept);
		mb->counts.waiting--;
		pthread_mutex_unlock(&mb->lock);
		kept->waiter->done(kept->waiter, kept->result);
		free(kept);
		pthread_mutex_lock(&mb->lock);
	}
	pthread_mutex_unlock(&mb->lock);
	return NULL;
}

/* Called with the lock held. -EINPROGRESS, or the answer there is now. */
static int keep(struct mailbox *mb, enum fake_operation operation, struct waiter *w, struct body *body, struct node *node)
{
	struct fake_behaviour behaviour = mb->behaviours[operation];
	struct kept *kept;

	if (behaviour.delay_ms == 0)
		return behaviour.error;
	kept = calloc(1, sizeof(*kept));
	*kept = (struct kept){ .next = mb->kept,
			       .waiter = w,
			       .result = behaviour.error,
			       .body = body,
			       .node = node,
			       .operation = operation,
			       .due_ms = behaviour.delay_ms < 0 ? INT64_MAX : clock_monotonic_ms() + behaviour.delay_ms };
	mb->kept = kept;
	mb->counts.waiting++;
	pthread_cond_signal(&mb->news);
	return -EINPROGRESS;
}

struct mailbox *fake_new(const char *directory)
{
	struct mailbox *mb = calloc(1, sizeof(*mb));

	pthread_mutex_init(&mb->lock, NULL);
	pthread_cond_init(&mb->news, NULL);
	mb->directory = strdup(directory);
	add_node(mb, 0, "", true);
	pthread_create(&mb->answerer, NULL, answer, mb);
	return mb;
}

static void answer_all(struct mailbox *mb, int result, bool is_result)
{
	struct kept *kept;

	for (kept = mb->kept; kept; kept = kept->next) {
		kept->due_ms = 0;
		if (is_result)
			kept->result = result;
	}
	pthread_cond_signal(&mb->news);
}

void fake_free(struct mailbox *mb)
{
	pthread_mutex_lock(&mb->lock);
	mb->is_ending = true;
	answer_all(mb, -ENOTCONN, true);
	pthread_mutex_unlock(&mb->lock);
	pthread_join(mb->answerer, NULL);
	for (int64_t i = 0; i < mb->n; i++) {
		free(mb->nodes[i]->name);
		free(mb->nodes[i]->flags);
		free(mb->nodes[i]->children);
		free(mb->nodes[i]);
	}
	free(mb->nodes);
	free(mb->directory);
	free(mb);
}

int64_t fake_add_folder(struct mailbox *mb, int64_t parent, const char *name)
{
	int64_t row;

	pthread_mutex_lock(&mb->lock);
	row = add_node(mb, parent, name, true)->row;
	pthread_mutex_unlock(&mb->lock);
	return row;
}

static int open_bytes(struct mailbox *mb, int64_t row, int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/body-%lld", mb->directory, (long long)row);
	return open(path, flags | O_CLOEXEC, 0600);
}

static char *make_up(int64_t row, size_t size)
{
	char *bytes = malloc(size + 256);
	size_t n = (size_t)sprintf(bytes,
				   "From: Alice <alice@example.com>\r\nTo: bob@example.com\r\nSubject: number %lld\r\n"
				   "Message-ID: <%lld@example.com>\r\nDate: Tue, 14 Apr 2026 09:30:00 +0200\r\n\r\n",
				   (long long)row, (long long)row);

	while (n < size)
		n += (size_t)sprintf(bytes + n, "line of message %lld at %zu\r\n", (long long)row, n);
	return bytes;
}

int64_t fake_add_message(struct mailbox *mb, int64_t folder, const char *name, const char *bytes, size_t size_bytes)
{
	struct node *node;
	char *made = NULL;
	int fd;

	pthread_mutex_lock(&mb->lock);
	node = add_node(mb, folder, name, false);
	node->size = (int64_t)size_bytes;
	if (!bytes && size_bytes)
		bytes = made = make_up(node->row, size_bytes);
	fd = size_bytes ? open_bytes(mb, node->row, O_WRONLY | O_CREAT) : -1;
	if (fd >= 0 && write(fd, bytes, size_bytes) < 0)
		perror("fake");
	if (fd >= 0)
		close(fd);
	pthread_mutex_unlock(&mb->lock);
	free(made);
	return node->row;
}

void fake_lie(struct mailbox *mb, int64_t row, int64_t size_bytes, bool is_trusted)
{
	pthread_mutex_lock(&mb->lock);
	node_of(mb, row)->said_size = size_bytes;
	node_of(mb, row)->is_trusted = is_trusted;
	pthread_mutex_unlock(&mb->lock);
}

void fake_remove(struct mailbox *mb, int64_t row)
{
	struct node *node, *parent;

	pthread_mutex_lock(&mb->lock);
	node = node_of(mb, row);
	parent = node_of(mb, node->parent);
	node->is_gone = true;
	if (node->is_folder)
		parent->folders--;
	else
		parent->messages--;
	parent->mtime_ns = now_ns();
	pthread_mutex_unlock(&mb->lock);
}

void fake_set_flags(struct mailbox *mb, int64_t row, const char *flags)
{
	pthread_mutex_lock(&mb->lock);
	free(node_of(mb, row)->flags);
	node_of(mb, row)->flags = strdup(flags);
	node_of(mb, row)->mtime_ns = now_ns();
	pthread_mutex_unlock(&mb->lock);
}

void fake_hide(struct mailbox *mb, int64_t folder)
{
	pthread_mutex_lock(&mb->lock);
	node_of(mb, folder)->is_hidden = true;
	pthread_mutex_unlock(&mb->lock);
}

void fake_set_quota(struct mailbox *mb, int64_t used, int64_t limit)
{
	pthread_mutex_lock(&mb->lock);
	mb->used = used;
	mb->limit = limit;
	pthread_mutex_unlock(&mb->lock);
}

void fake_behave(struct mailbox *mb, enum fake_operation operation, struct fake_behaviour behaviour)
{
	pthread_mutex_lock(&mb->lock);
	mb->behaviours[operation] = behaviour;
	pthread_mutex_unlock(&mb->lock);
}

void fake_release(struct mailbox *mb)
{
	pthread_mutex_lock(&mb->lock);
	answer_all(mb, 0, false);
	pthread_mutex_unlock(&mb->lock);
}

struct fake_counts fake_counts(struct mailbox *mb)
{
	struct fake_counts counts;

	pthread_mutex_lock(&mb->lock);
	counts = mb->counts;
	pthread_mutex_unlock(&mb->lock);
	return counts;
}

/* The facade */

struct outbox *mailbox_outbox(struct mailbox *mb)
{
	(void)mb;
	return fake_outbox;
}

static void show_folder(const struct node *node, struct mailbox_folder *ret)
{
	*ret = (struct mailbox_folder){ .row = node->row,
					.parent = node->parent,
					.is_selectable = true,
					.is_writable = true,
					.folders = node->folders,
					.messages = node->messages,
					.unseen = 1,
					.uidvalidity = 7,
					.mtime_ns = node->mtime_ns };
	snprintf(ret->name, sizeof(ret->name), "%s", node->name);
}

static void show_message(const struct node *node, struct mailbox_message *ret)
{
	*ret = (struct mailbox_message){ .row = node->row,
					 .folder = node->is_gone ? 0 : node->parent,
					 .uid = (uint32_t)node->row,
					 .size_bytes = node->said_size >= 0 ? node->said_size : node->size,
					 .size_trusted = node->is_trusted,
					 .internaldate_s = 1776151800 + node->row,
					 .ctime_ns = node->mtime_ns };
	memcpy(ret->name, node->name, strlen(node->name) + 1);
}

static void show(const struct node *node, struct mailbox_entry *ret)
{
	ret->is_folder = node->is_folder;
	ret->cookie = (uint64_t)node->row;
	if (node->is_folder)
		show_folder(node, &ret->folder);
	else
		show_message(node, &ret->message);
}

int mailbox_folder(struct mailbox *mb, int64_t row, struct mailbox_folder *ret)
{
	struct node *node;
	int r = -ENOENT;

	pthread_mutex_lock(&mb->lock);
	node = node_of(mb, row);
	if (node && node->is_folder && !node->is_gone) {
		show_folder(node, ret);
		r = 0;
	}
	pthread_mutex_unlock(&mb->lock);
	return r;
}

int mailbox_message(struct mailbox *mb, int64_t row, struct mailbox_message *ret)
{
	struct node *node;
	int r = -ENOENT;

	pthread_mutex_lock(&mb->lock);
	node = node_of(mb, row);
	if (node && !node->is_folder) {
		show_message(node, ret);
		r = 0;
	}
	pthread_mutex_unlock(&mb->lock);
	return r;
}

int mailbox_look(struct mailbox *mb, int64_t folder, struct waiter *w)
{
	struct node *node;
	int r = -ENOENT;

	pthread_mutex_lock(&mb->lock);
	mb->counts.looks++;
	node = node_of(mb, folder);
	if (node && !node->is_gone)
		r = node->is_hidden ? keep(mb, FAKE_LOOK, w, NULL, node) : 0;
	if (r == 0)
		node->is_hidden = false;
	pthread_mutex_unlock(&mb->lock);
	return r;
}

int mailbox_lookup(struct mailbox *mb, int64_t folder, const char *name, struct mailbox_entry *ret)
{
	struct node *node;
	int r = -ENOENT;

	pthread_mutex_lock(&mb->lock);
	node = find(mb, folder, name);
	if (node && (node->is_folder || !node_of(mb, folder)->is_hidden)) {
		show(node, ret);
		r = 0;
	}
	pthread_mutex_unlock(&mb->lock);
	return r;
}

/* The first child behind `after`. */
static size_t child_behind(const struct node *folder, int64_t after)
{
	size_t low = 0, high = folder->n_children;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (folder->children[middle] <= after)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int list_kind(struct mailbox *mb, const struct node *folder, int64_t after, bool folders,
		     int (*each)(void *, const struct mailbox_entry *), void *userdata)
{
	struct mailbox_entry entry;
	const struct node *child;

	for (size_t i = child_behind(folder, after); i < folder->n_children; i++) {
		child = node_of(mb, folder->children[i]);
		if (child->is_gone || child->is_folder != folders || (!folders && folder->is_hidden))
			continue;
		show(child, &entry);
		if (each(userdata, &entry))
			return 1;
	}
	return 0;
}

int mailbox_list(struct mailbox *mb, int64_t folder, uint64_t after, int (*each)(void *userdata, const struct mailbox_entry *e),
		 void *userdata)
{
	const struct node *last, *node;
	int r = -ENOENT;

	pthread_mutex_lock(&mb->lock);
	node = node_of(mb, folder);
	last = node_of(mb, (int64_t)after);
	if (node && !node->is_gone) {
		r = 0;
		if (!last || last->is_folder)
			r = list_kind(mb, node, (int64_t)after, true, each, userdata);
		if (r == 0)
			list_kind(mb, node, last && !last->is_folder ? (int64_t)after : 0, false, each, userdata);
		r = 0;
	}
	pthread_mutex_unlock(&mb->lock);
	return r;
}

int mailbox_open(struct mailbox *mb, int64_t row, struct waiter *w, struct body **ret)
{
	struct body *body;
	struct node *node;
	int r = -ENOENT;

	pthread_mutex_lock(&mb->lock);
	node = node_of(mb, row);
	if (node && !node->is_folder && !node->is_gone) {
		body = calloc(1, sizeof(*body));
		*body = (struct body){ .node = node,
				       .fd = open_bytes(mb, row, O_RDONLY),
				       .was_wrong = node->said_size >= 0,
				       .is_there =
					       mb->behaviours[FAKE_READ].delay_ms == 0 && mb->behaviours[FAKE_READ].error == 0 };
		node->said_size = -1;
		node->is_trusted = true;
		*ret = body;
		mb->counts.opens++;
		r = keep(mb, FAKE_OPEN, w, body, node);
	}
	pthread_mutex_unlock(&mb->lock);
	return r;
}

void mailbox_close(struct mailbox *mb, struct body *b)
{
	pthread_mutex_lock(&mb->lock);
	mb->counts.closes++;
	pthread_mutex_unlock(&mb->lock);
	if (b->fd >= 0)
		close(b->fd);
	free(b);
}

int64_t body_size(const struct body *b)
{
	return b->node->size;
}

bool body_size_was_wrong(const struct body *b)
{
	return b->was_wrong;
}

ssize_t body_read(struct mailbox *mb, struct body *b, int64_t offset, size_t len, struct waiter *w)
{
	int64_t left = b->node->size - offset;
	int r = 0;

	pthread_mutex_lock(&mb->lock);
	mb->counts.reads++;
	if (!b->is_there)
		r = keep(mb, FAKE_READ, w, b, b->node);
	pthread_mutex_unlock(&mb->lock);
	if (r < 0)
		return r;
	return left <= 0 ? 0 : left < (int64_t)len ? (ssize_t)left : (ssize_t)len;
}

int body_fd(const struct body *b)
{
	return b->fd;
}

void mailbox_interrupt(struct mailbox *mb, struct waiter *w)
{
	struct kept *kept;

	pthread_mutex_lock(&mb->lock);
	for (kept = mb->kept; kept; kept = kept->next) {
		if (kept->waiter != w)
			continue;
		kept->due_ms = 0;
		kept->result = -EINTR;
		mb->counts.interrupts++;
		pthread_cond_signal(&mb->news);
	}
	pthread_mutex_unlock(&mb->lock);
}

int mailbox_message_attribute(struct mailbox *mb, int64_t row, const char *name, struct buf *out)
{
	int r = -ENODATA;

	pthread_mutex_lock(&mb->lock);
	if (strcmp(name, "flags") == 0)
		r = buf_append_str(out, node_of(mb, row)->flags);
	else if (strcmp(name, "uid") == 0)
		r = buf_printf(out, "%lld", (long long)row);
	else if (strcmp(name, "uidvalidity") == 0)
		r = buf_append_str(out, "7");
	pthread_mutex_unlock(&mb->lock);
	return r;
}

int mailbox_folder_attribute(struct mailbox *mb, int64_t row, const char *name, struct buf *out)
{
	int r = -ENODATA;

	pthread_mutex_lock(&mb->lock);
	if (strcmp(name, "messages") == 0)
		r = buf_printf(out, "%u", node_of(mb, row)->messages);
	else if (strcmp(name, "name") == 0)
		r = buf_append_str(out, node_of(mb, row)->name);
	pthread_mutex_unlock(&mb->lock);
	return r;
}

/* Not Gmail, and not asked. */
bool mailbox_gmail_has(const char *name)
{
	(void)name;
	return false;
}

int mailbox_gmail_open(struct mailbox *mb, int64_t row, struct waiter *w, struct gmail **ret)
{
	(void)mb, (void)row, (void)w, (void)ret;
	return -ENODATA;
}

void mailbox_gmail_close(struct mailbox *mb, struct gmail *g)
{
	(void)mb, (void)g;
}

int gmail_attribute(const struct gmail *g, const char *name, struct buf *out)
{
	(void)g, (void)name, (void)out;
	return -ENODATA;
}

bool mailbox_is_cached(struct mailbox *mb, int64_t row)
{
	bool cached;

	(void)row;
	pthread_mutex_lock(&mb->lock);
	cached = mb->behaviours[FAKE_READ].delay_ms == 0 && mb->behaviours[FAKE_READ].error == 0;
	pthread_mutex_unlock(&mb->lock);
	return cached;
}

void mailbox_quota(struct mailbox *mb, int64_t *ret_used_bytes, int64_t *ret_limit_bytes)
{
	pthread_mutex_lock(&mb->lock);
	*ret_used_bytes = mb->used;
	*ret_limit_bytes = mb->limit;
	pthread_mutex_unlock(&mb->lock);
}

int mailbox_status(struct mailbox *mb, struct buf *out)
{
	(void)mb;
	return buf_append_str(out, "{\"state\": \"online\"}\n");
}

int mailbox_special(struct mailbox *mb, size_t i, struct buf *ret_name, struct buf *ret_path)
{
	static const char *const special[][2] = { { "sent", "Sent" }, { "trash", "Archive/Trash" } };

	(void)mb;
	if (i >= 2)
		return -ENOENT;
	buf_append_str(ret_name, special[i][0]);
	return buf_append_str(ret_path, special[i][1]);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_mailbox_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "message/flags.h"

struct outbox *fake_outbox;
void (*fake_changed)(const struct change *change);

static size_t bucket_of(int64_t parent, const char *name)
{
	uint64_t hash = 1469598103934665603ULL ^ (uint64_t)parent;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211ULL;
	return hash % BUCKETS;
}

struct node *fake_node(struct mailbox *mb, int64_t row)
{
	return row >= 1 && row <= mb->n ? mb->nodes[row - 1] : NULL;
}

int64_t fake_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
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

static void count(struct node *parent, const struct node *child, int number)
{
	if (child->is_folder)
		parent->folders += number;
	else
		parent->messages += number;
	parent->mtime_ns = fake_now_ns();
}

static void add_child(struct node *parent, struct node *child)
{
	size_t at = child_behind(parent, child->row);

	if (parent->n_children == parent->capacity) {
		parent->capacity = parent->capacity ? 2 * parent->capacity : 16;
		parent->children = realloc(parent->children, parent->capacity * sizeof(int64_t));
	}
	memmove(parent->children + at + 1, parent->children + at, (parent->n_children - at) * sizeof(int64_t));
	parent->children[at] = child->row;
	parent->n_children++;
	count(parent, child, 1);
}

static void remove_child(struct node *parent, struct node *child)
{
	size_t at = child_behind(parent, child->row - 1);

	memmove(parent->children + at, parent->children + at + 1, (parent->n_children - at - 1) * sizeof(int64_t));
	parent->n_children--;
	count(parent, child, -1);
}

struct node *fake_add_node(struct mailbox *mb, int64_t parent, const char *name, bool is_folder)
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
			       .internaldate_s = 1776151800 + mb->n + 1,
			       .mtime_ns = fake_now_ns(),
			       .next_in_bucket = mb->buckets[bucket] };
	mb->nodes[mb->n++] = node;
	mb->index_state++;
	mb->buckets[bucket] = node->row;
	if (parent)
		add_child(fake_node(mb, parent), node);
	return node;
}

struct node *fake_find(struct mailbox *mb, int64_t parent, const char *name)
{
	struct node *node;

	for (node = fake_node(mb, mb->buckets[bucket_of(parent, name)]); node; node = fake_node(mb, node->next_in_bucket))
		if (node->parent == parent && !node->is_gone && strcmp(node->name, name) == 0)
			return node;
	return NULL;
}

void fake_move_node(struct mailbox *mb, struct node *node, int64_t parent, const char *name)
{
	size_t bucket = bucket_of(parent, name);
	int64_t *at;

	for (at = &mb->buckets[bucket_of(node->parent, node->name)]; *at != node->row; at = &fake_node(mb, *at)->next_in_bucket)
		;
	*at = node->next_in_bucket;
	remove_child(fake_node(mb, node->parent), node);
	free(node->name);
	node->name = strdup(name);
	node->parent = parent;
	node->next_in_bucket = mb->buckets[bucket];
	mb->buckets[bucket] = node->row;
	add_child(fake_node(mb, parent), node);
}

/* It stays among its folder's children, so that a listing goes on at its place. */
void fake_remove_node(struct mailbox *mb, struct node *node)
{
	node->is_gone = true;
	mb->index_state++;
	count(fake_node(mb, node->parent), node, -1);
}

void fake_note(struct mailbox *mb, enum change_kind kind, int64_t folder, int64_t row, const char *name)
{
	struct news *news = calloc(1, sizeof(*news));

	news->name = name ? strdup(name) : NULL;
	news->change = (struct change){ kind, folder, row, news->name };
	*mb->news_last = news;
	mb->news_last = &news->next;
}

void fake_tell(struct mailbox *mb)
{
	struct news *news, *next;

	pthread_mutex_lock(&mb->lock);
	news = mb->news_first;
	mb->news_first = NULL;
	mb->news_last = &mb->news_first;
	pthread_mutex_unlock(&mb->lock);
	for (; news; news = next) {
		next = news->next;
		if (fake_changed)
			fake_changed(&news->change);
		free(news->name);
		free(news);
	}
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
static void fulfil(struct mailbox *mb, struct kept *kept)
{
	if (kept->operation == FAKE_COMMIT)
		kept->result = fake_judged(mb, kept->node, kept->result);
	if (kept->result < 0)
		return;
	if (kept->operation == FAKE_READ)
		kept->body->is_there = true;
	else if (kept->operation == FAKE_LOOK)
		kept->node->is_hidden = false;
	else if (kept->operation == FAKE_EDIT || kept->operation == FAKE_COMPARE)
		kept->node->is_fetched = true;
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
		fulfil(mb, kept);
		mb->counts.waiting--;
		pthread_mutex_unlock(&mb->lock);
		fake_tell(mb);
		kept->waiter->done(kept->waiter, kept->result);
		free(kept);
		pthread_mutex_lock(&mb->lock);
	}
	pthread_mutex_unlock(&mb->lock);
	return NULL;
}

int fake_keep(struct mailbox *mb, enum fake_operation operation, struct waiter *w, struct body *body, struct node *node)
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
	mb->news_last = &mb->news_first;
	fake_add_node(mb, 0, "", true);
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
	row = fake_add_node(mb, parent, name, true)->row;
	pthread_mutex_unlock(&mb->lock);
	return row;
}

int fake_open_bytes(struct mailbox *mb, const char *kind, int64_t row, int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s-%lld", mb->directory, kind, (long long)row);
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
	node = fake_add_node(mb, folder, name, false);
	node->size = (int64_t)size_bytes;
	if (!bytes && size_bytes)
		bytes = made = make_up(node->row, size_bytes);
	fd = size_bytes ? fake_open_bytes(mb, "body", node->row, O_WRONLY | O_CREAT) : -1;
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
	fake_node(mb, row)->said_size = size_bytes;
	fake_node(mb, row)->is_trusted = is_trusted;
	pthread_mutex_unlock(&mb->lock);
}

void fake_remove(struct mailbox *mb, int64_t row)
{
	pthread_mutex_lock(&mb->lock);
	fake_remove_node(mb, fake_node(mb, row));
	pthread_mutex_unlock(&mb->lock);
}

void fake_set_flags(struct mailbox *mb, int64_t row, const char *flags)
{
	pthread_mutex_lock(&mb->lock);
	free(fake_node(mb, row)->flags);
	fake_node(mb, row)->flags = strdup(flags);
	fake_node(mb, row)->mtime_ns = fake_now_ns();
	mb->index_state++;
	pthread_mutex_unlock(&mb->lock);
}

void fake_hide(struct mailbox *mb, int64_t folder)
{
	pthread_mutex_lock(&mb->lock);
	fake_node(mb, folder)->is_hidden = true;
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
					.mtime_ns = node->mtime_ns,
					.is_local = node->is_local };
	snprintf(ret->name, sizeof(ret->name), "%s", node->name);
}

static void show_bytes(struct mailbox *mb, int64_t row, struct mailbox_message *ret)
{
	struct stat st = { 0 };
	int fd = fake_open_bytes(mb, "body", row, O_RDONLY);

	if (fd < 0)
		return;
	fstat(fd, &st);
	close(fd);
	ret->size_bytes = st.st_size;
	ret->mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
}

static void show_message(struct mailbox *mb, const struct node *node, struct mailbox_message *ret)
{
	*ret = (struct mailbox_message){ .row = node->row,
					 .folder = node->is_gone ? 0 : node->parent,
					 .uid = (uint32_t)node->row,
					 .size_bytes = node->said_size >= 0 ? node->said_size : node->size,
					 .size_trusted = node->is_trusted,
					 .internaldate_s = node->internaldate_s,
					 .ctime_ns = node->mtime_ns,
					 .is_local = node->is_local,
					 .mode = node->mode };
	ret->mtime_ns = ret->internaldate_s * 1000000000;
	if (node->is_local)
		show_bytes(mb, node->row, ret);
	if (node->set_mtime_ns)
		ret->mtime_ns = node->set_mtime_ns;
	memcpy(ret->name, node->name, strlen(node->name) + 1);
}

static void show(struct mailbox *mb, const struct node *node, struct mailbox_entry *ret)
{
	ret->is_folder = node->is_folder;
	ret->cookie = (uint64_t)node->row;
	if (node->is_folder)
		show_folder(node, &ret->folder);
	else
		show_message(mb, node, &ret->message);
}

int mailbox_folder(struct mailbox *mb, int64_t row, struct mailbox_folder *ret)
{
	struct node *node;
	int r = -ENOENT;

	pthread_mutex_lock(&mb->lock);
	node = fake_node(mb, row);
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
	node = fake_node(mb, row);
	if (node && !node->is_folder) {
		show_message(mb, node, ret);
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
	node = fake_node(mb, folder);
	if (node && !node->is_gone)
		r = node->is_hidden ? fake_keep(mb, FAKE_LOOK, w, NULL, node) : 0;
	if (r == 0)
		node->is_hidden = false;
	pthread_mutex_unlock(&mb->lock);
	return r;
}

bool mailbox_was_looked_at(struct mailbox *mb, int64_t folder)
{
	struct node *node;
	bool was;

	pthread_mutex_lock(&mb->lock);
	node = fake_node(mb, folder);
	was = node && !node->is_hidden;
	pthread_mutex_unlock(&mb->lock);
	return was;
}

int mailbox_lookup(struct mailbox *mb, int64_t folder, const char *name, struct mailbox_entry *ret)
{
	struct node *node;
	int r = -ENOENT;

	pthread_mutex_lock(&mb->lock);
	node = fake_find(mb, folder, name);
	if (node && (node->is_folder || !fake_node(mb, folder)->is_hidden)) {
		show(mb, node, ret);
		r = 0;
	}
	pthread_mutex_unlock(&mb->lock);
	return r;
}

/* What to list: messages with any flags (word NULL), or those that have one, or that have it not. */
struct selected {
	int (*each)(void *userdata, const struct mailbox_entry *e);
	void *userdata;
	const char *word;
	bool is_set;
};

static bool is_selected(const struct selected *s, const struct node *node)
{
	return node->is_folder || !s->word || flags_has(node->flags, s->word) == s->is_set;
}

static int list_kind(struct mailbox *mb, const struct node *folder, int64_t after, bool folders, const struct selected *s)
{
	struct mailbox_entry entry;
	const struct node *child;

	for (size_t i = child_behind(folder, after); i < folder->n_children; i++) {
		child = fake_node(mb, folder->children[i]);
		if (child->is_gone || child->is_folder != folders || (!folders && folder->is_hidden) || !is_selected(s, child))
			continue;
		show(mb, child, &entry);
		if (s->each(s->userdata, &entry))
			return 1;
	}
	return 0;
}

static int list(struct mailbox *mb, int64_t folder, uint64_t after, const struct selected *s)
{
	const struct node *last, *node;
	int r = -ENOENT;

	pthread_mutex_lock(&mb->lock);
	node = fake_node(mb, folder);
	last = fake_node(mb, (int64_t)after);
	if (node && !node->is_gone) {
		r = 0;
		if (!last || last->is_folder)
			r = list_kind(mb, node, (int64_t)after, true, s);
		if (r == 0)
			list_kind(mb, node, last && !last->is_folder ? (int64_t)after : 0, false, s);
		r = 0;
	}
	pthread_mutex_unlock(&mb->lock);
	return r;
}

int mailbox_list(struct mailbox *mb, int64_t folder, uint64_t after, int (*each)(void *userdata, const struct mailbox_entry *e),
		 void *userdata)
{
	return list(mb, folder, after, &(struct selected){ each, userdata, NULL, false });
}

int mailbox_list_names(struct mailbox *mb, int64_t folder, uint64_t after,
		       int (*each)(void *userdata, const struct mailbox_entry *e), void *userdata)
{
	return mailbox_list(mb, folder, after, each, userdata);
}

int mailbox_list_by_flag(struct mailbox *mb, int64_t folder, const char *flag, bool is_set, uint64_t after,
			 int (*each)(void *userdata, const struct mailbox_entry *e), void *userdata)
{
	return list(mb, folder, after, &(struct selected){ each, userdata, flag, is_set });
}

uint64_t mailbox_index_state(struct mailbox *mb)
{
	return mb->index_state;
}

/* No test asks for a Maildir of this one. */
int mailbox_message_by_uid(struct mailbox *mb, int64_t folder, uint32_t uid, struct mailbox_message *ret)
{
	(void)mb, (void)folder, (void)uid, (void)ret;
	return -ENOENT;
}

static bool is_in(const struct node *node, int64_t folder)
{
	return !node->is_folder && !node->is_gone && (!folder || node->parent == folder);
}

int mailbox_flags_in_use(struct mailbox *mb, int64_t folder, struct buf *out)
{
	CLEANUP(buf) struct buf words = BUF_INIT;

	pthread_mutex_lock(&mb->lock);
	for (int64_t i = 0; i < mb->n; i++)
		if (is_in(mb->nodes[i], folder))
			buf_printf(&words, "%s ", mb->nodes[i]->flags);
	pthread_mutex_unlock(&mb->lock);
	return flags_canonical_lenient(buf_str(&words), out);
}

int mailbox_is_flag_in_use(struct mailbox *mb, int64_t folder, const char *flag)
{
	bool is_in_use = false;

	pthread_mutex_lock(&mb->lock);
	for (int64_t i = 0; i < mb->n; i++)
		is_in_use = is_in_use || (is_in(mb->nodes[i], folder) && flags_has(mb->nodes[i]->flags, flag));
	pthread_mutex_unlock(&mb->lock);
	return is_in_use;
}

int mailbox_open(struct mailbox *mb, int64_t row, struct waiter *w, struct body **ret)
{
	struct body *body;
	struct node *node;
	int r = -ENOENT;

	pthread_mutex_lock(&mb->lock);
	node = fake_node(mb, row);
	if (node && node->is_local)
		r = -EACCES;
	else if (node && !node->is_folder && !node->is_gone) {
		body = calloc(1, sizeof(*body));
		*body = (struct body){ .node = node,
				       .fd = fake_open_bytes(mb, "body", row, O_RDONLY),
				       .was_wrong = node->said_size >= 0,
				       .is_there =
					       mb->behaviours[FAKE_READ].delay_ms == 0 && mb->behaviours[FAKE_READ].error == 0 };
		node->said_size = -1;
		node->is_trusted = true;
		*ret = body;
		mb->counts.opens++;
		r = fake_keep(mb, FAKE_OPEN, w, body, node);
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
		r = fake_keep(mb, FAKE_READ, w, b, b->node);
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
		r = buf_append_str(out, fake_node(mb, row)->flags);
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
		r = buf_printf(out, "%u", fake_node(mb, row)->messages);
	else if (strcmp(name, "name") == 0)
		r = buf_append_str(out, fake_node(mb, row)->name);
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

bool body_is_whole(struct mailbox *mb, const struct body *b)
{
	(void)b;
	return mailbox_is_cached(mb, 0);
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

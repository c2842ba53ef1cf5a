/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The changing half of the fake mailbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_mailbox_private.h"
#include "message/scratch_name.h"

static int unlock(struct mailbox *mb, int r)
{
	pthread_mutex_unlock(&mb->lock);
	fake_tell(mb);
	return r;
}

void fake_set_safe(struct mailbox *mb, bool is_safe)
{
	pthread_mutex_lock(&mb->lock);
	mb->is_safe = is_safe;
	pthread_mutex_unlock(&mb->lock);
}

static struct node *alive(struct mailbox *mb, int64_t row)
{
	struct node *node = fake_node(mb, row);

	return node && !node->is_gone ? node : NULL;
}

static bool is_draft(struct mailbox *mb, const struct node *node)
{
	return strcmp(fake_node(mb, node->parent)->name, "Drafts") == 0;
}

static char *read_all(struct mailbox *mb, const char *kind, int64_t row, size_t *ret_len)
{
	int fd = fake_open_bytes(mb, kind, row, O_RDONLY);
	struct stat st = { 0 };
	char *bytes;

	*ret_len = 0;
	if (fd >= 0)
		fstat(fd, &st);
	bytes = malloc((size_t)st.st_size + 1);
	if (fd >= 0 && read(fd, bytes, (size_t)st.st_size) == st.st_size)
		*ret_len = (size_t)st.st_size;
	bytes[*ret_len] = '\0';
	if (fd >= 0)
		close(fd);
	return bytes;
}

/* A new file: whoever has the old one open goes on reading it. */
static void write_all(struct mailbox *mb, const char *kind, int64_t row, const char *bytes, size_t len)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s-%lld", mb->directory, kind, (long long)row);
	unlink(path);
	fd = fake_open_bytes(mb, kind, row, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		perror("fake");
	if (fd >= 0)
		close(fd);
}

static char *with_crlf(const char *bytes, size_t len, size_t *ret_len)
{
	char *out = malloc(2 * len + 1), *to = out;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r'))
			*to++ = '\r';
		*to++ = bytes[i];
	}
	*ret_len = (size_t)(to - out);
	return out;
}

static void store(struct mailbox *mb, struct node *node, const char *bytes, size_t len)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	write_all(mb, "body", node->row, bytes, len);
	node->size = (int64_t)len;
	node->said_size = -1;
	node->internaldate_s = node->set_mtime_ns ? node->set_mtime_ns / 1000000000 : now.tv_sec;
	node->mtime_ns = fake_now_ns();
	node->is_local = node->is_edited = false;
	fake_note(mb, CHANGE_MESSAGE_ATTRIBUTES, node->parent, node->row, NULL);
}

static void upload(struct mailbox *mb, struct node *node)
{
	const char *kind = node->is_edited ? "edit" : "body";
	size_t len, stored_len;
	char *bytes = read_all(mb, kind, node->row, &len), *stored = with_crlf(bytes, len, &stored_len);

	mb->counts.uploads++;
	store(mb, node, stored, stored_len);
	free(bytes);
	free(stored);
}

static void name_partial(struct mailbox *mb, const struct node *node, char name[512])
{
	snprintf(name, 512, "%s.partial", node->name);
	for (int n = 2; fake_find(mb, node->parent, name); n++)
		snprintf(name, 512, "%s-%d.partial", node->name, n);
}

/* The bytes of a draft that was edited become a file of their own, anything else gets another name. */
static void set_aside(struct mailbox *mb, struct node *node)
{
	struct node *aside = node;
	char name[512], *bytes;
	size_t len;

	if (!node->is_edited && scratch_name(node->name))
		return;
	name_partial(mb, node, name);
	if (node->is_edited) {
		bytes = read_all(mb, "edit", node->row, &len);
		aside = fake_add_node(mb, node->parent, name, false);
		aside->is_local = true;
		write_all(mb, "body", aside->row, bytes, len);
		free(bytes);
		node->is_edited = false;
	} else {
		fake_note(mb, CHANGE_MESSAGE_RENAMED, node->parent, node->row, node->name);
		fake_move_node(mb, node, node->parent, name);
	}
	fake_note(mb, CHANGE_MESSAGE_ADDED, aside->parent, aside->row, name);
}

int fake_judged(struct mailbox *mb, struct node *node, int verdict)
{
	node->is_committing = false;
	if (node->is_gone)
		return -ENOENT;
	if (verdict < 0)
		set_aside(mb, node);
	else
		upload(mb, node);
	return verdict;
}

int mailbox_create(struct mailbox *mb, int64_t folder, const char *name, mode_t mode, int64_t *ret_row, int *ret_fd)
{
	struct node *node;

	pthread_mutex_lock(&mb->lock);
	if (!alive(mb, folder))
		return unlock(mb, -ENOENT);
	if (fake_find(mb, folder, name))
		return unlock(mb, -EEXIST);
	node = fake_add_node(mb, folder, name, false);
	node->is_local = node->is_written = true;
	node->mode = mode;
	*node->flags = '\0';
	*ret_row = node->row;
	*ret_fd = fake_open_bytes(mb, "body", node->row, O_RDWR | O_CREAT | O_TRUNC);
	fake_note(mb, CHANGE_MESSAGE_ADDED, folder, node->row, name);
	return unlock(mb, *ret_fd < 0 ? -errno : 0);
}

static int begin_edit(struct mailbox *mb, struct node *node, bool truncate, struct waiter *w)
{
	size_t len = 0;
	char *bytes;
	int r;

	if (!node->is_fetched && !truncate) {
		r = fake_keep(mb, FAKE_EDIT, w, NULL, node);
		if (r < 0)
			return r;
	}
	bytes = truncate ? calloc(1, 1) : read_all(mb, "body", node->row, &len);
	write_all(mb, "edit", node->row, bytes, len);
	free(bytes);
	node->is_edited = true;
	return 0;
}

static int edit(struct mailbox *mb, struct node *node, bool write, bool truncate, struct waiter *w, int *ret_fd)
{
	int r = 0;

	if (!node)
		return -ENOENT;
	if (write && node->is_committing)
		return -EBUSY;
	if (!node->is_local && !node->is_edited && !(write && is_draft(mb, node)))
		return -EACCES;
	if (!node->is_local && !node->is_edited)
		r = begin_edit(mb, node, truncate, w);
	if (r < 0)
		return r;
	node->is_written |= write;
	*ret_fd = fake_open_bytes(mb, node->is_edited ? "edit" : "body", node->row,
				  (write ? O_RDWR : O_RDONLY) | (truncate ? O_TRUNC : 0));
	return *ret_fd < 0 ? -errno : 0;
}

int mailbox_edit(struct mailbox *mb, int64_t row, bool write, bool truncate, struct waiter *w, int *ret_fd)
{
	pthread_mutex_lock(&mb->lock);
	return unlock(mb, edit(mb, alive(mb, row), write, truncate, w, ret_fd));
}

static bool is_unchanged(struct mailbox *mb, const struct node *node, const char *bytes, size_t len)
{
	size_t stored_len;
	char *stored = read_all(mb, "body", node->row, &stored_len);
	bool same = node->is_edited && len == stored_len && memcmp(bytes, stored, len) == 0;

	free(stored);
	return same;
}

/* What the bytes say; 1: there is nothing to upload. */
static int judge(struct mailbox *mb, const struct node *node)
{
	size_t len;
	char *bytes = read_all(mb, node->is_edited ? "edit" : "body", node->row, &len);
	const char *colon = strchr(bytes, ':'), *newline = strchr(bytes, '\n');
	int r = 0;

	if (len == 0 || scratch_name(node->name) || is_unchanged(mb, node, bytes, len))
		r = 1;
	else if (!colon || !newline || colon > newline)
		r = -EINVAL;
	free(bytes);
	return r;
}

static int commit(struct mailbox *mb, struct node *node, struct waiter *w)
{
	int r;

	if (!node || !node->is_written)
		return 0;
	node->is_written = false;
	r = judge(mb, node);
	if (r == 1) {
		node->is_edited = false;
		return 0;
	}
	if (r == 0) {
		node->is_committing = true;
		r = fake_keep(mb, FAKE_COMMIT, w, NULL, node);
	}
	return r == -EINPROGRESS ? r : fake_judged(mb, node, r);
}

int mailbox_commit(struct mailbox *mb, int64_t row, struct waiter *w)
{
	int delay_ms;

	pthread_mutex_lock(&mb->lock);
	delay_ms = mb->behaviours[FAKE_HAND_OVER].delay_ms;
	pthread_mutex_unlock(&mb->lock);
	usleep((useconds_t)delay_ms * 1000);
	pthread_mutex_lock(&mb->lock);
	return unlock(mb, commit(mb, alive(mb, row), w));
}

bool mailbox_commit_is_safe(struct mailbox *mb, int64_t row)
{
	bool is_safe;

	(void)row;
	pthread_mutex_lock(&mb->lock);
	is_safe = mb->is_safe;
	pthread_mutex_unlock(&mb->lock);
	return is_safe;
}

void mailbox_abandon(struct mailbox *mb, int64_t row)
{
	struct node *node;

	pthread_mutex_lock(&mb->lock);
	node = alive(mb, row);
	if (node && node->is_written) {
		node->is_written = false;
		set_aside(mb, node);
	}
	unlock(mb, 0);
}

static int copy(struct mailbox *mb, const struct node *from, struct node *to)
{
	size_t len;
	char *bytes;

	if (!to)
		return 0;
	if (!from)
		return -ENOENT;
	if (mb->behaviours[FAKE_COPY].error)
		return mb->behaviours[FAKE_COPY].error;
	if (from->is_local || !to->is_local)
		return -EXDEV;
	bytes = read_all(mb, "body", from->row, &len);
	store(mb, to, bytes, len);
	to->is_written = false;
	free(bytes);
	mb->counts.copies++;
	return 0;
}

int mailbox_copy(struct mailbox *mb, int64_t from, int64_t to)
{
	pthread_mutex_lock(&mb->lock);
	return unlock(mb, copy(mb, alive(mb, from), alive(mb, to)));
}

static bool have_same_bytes(struct mailbox *mb, const struct node *a, const struct node *b)
{
	size_t a_len, b_len, crlf_len;
	char *a_bytes = read_all(mb, "body", a->row, &a_len), *b_bytes = read_all(mb, "body", b->row, &b_len);
	char *crlf = with_crlf(a_bytes, a_len, &crlf_len);
	bool same = crlf_len == b_len && memcmp(crlf, b_bytes, b_len) == 0;

	free(a_bytes);
	free(b_bytes);
	free(crlf);
	return same;
}

static bool is_below(struct mailbox *mb, int64_t folder, int64_t above)
{
	while (folder && folder != above)
		folder = fake_node(mb, folder)->parent;
	return folder == above;
}

/* 1: the target stays, the source goes. */
static int over(struct mailbox *mb, struct node *node, struct node *target, bool no_replace, struct waiter *w)
{
	int r;

	if (no_replace)
		return -EEXIST;
	if (node->is_folder != target->is_folder)
		return target->is_folder ? -EISDIR : -ENOTDIR;
	if (target->is_folder)
		return target->folders + target->messages ? -ENOTEMPTY : 0;
	if (target->is_local || is_draft(mb, target))
		return 0;
	if (!target->is_fetched) {
		r = fake_keep(mb, FAKE_COMPARE, w, NULL, target);
		if (r < 0)
			return r;
	}
	return have_same_bytes(mb, node, target) ? 1 : -EEXIST;
}

static void move(struct mailbox *mb, struct node *node, int64_t to_folder, const char *to_name)
{
	fake_note(mb, node->is_folder ? CHANGE_FOLDER_GONE : CHANGE_MESSAGE_RENAMED, node->parent, node->row, node->name);
	fake_move_node(mb, node, to_folder, to_name);
	fake_note(mb, node->is_folder ? CHANGE_FOLDER_ADDED : CHANGE_MESSAGE_ADDED, to_folder, node->row, to_name);
	if (!node->is_folder && node->is_local && !node->is_written && judge(mb, node) == 0)
		upload(mb, node);
}

static int rename_node(struct mailbox *mb, struct node *node, int64_t to_folder, const char *to_name, bool no_replace,
		       struct waiter *w)
{
	struct node *target = fake_find(mb, to_folder, to_name);
	int r = 0;

	if (!node || !alive(mb, to_folder))
		return -ENOENT;
	if (node->is_folder && strcmp(node->name, "INBOX") == 0)
		return -EBUSY;
	if (node->is_folder && is_below(mb, to_folder, node->row))
		return -EINVAL;
	if (target)
		r = over(mb, node, target, no_replace, w);
	if (r < 0)
		return r;
	if (target && r == 0)
		fake_remove_node(mb, target);
	if (r == 0)
		move(mb, node, to_folder, to_name);
	else
		fake_remove_node(mb, node);
	return 0;
}

int mailbox_rename(struct mailbox *mb, int64_t folder, const char *name, int64_t to_folder, const char *to_name, bool no_replace,
		   struct waiter *w)
{
	pthread_mutex_lock(&mb->lock);
	return unlock(mb, rename_node(mb, fake_find(mb, folder, name), to_folder, to_name, no_replace, w));
}

/* Told as news too, as if another client had done it. */
static int remove_named(struct mailbox *mb, struct node *node, bool is_folder)
{
	if (!node)
		return -ENOENT;
	if (node->is_folder != is_folder)
		return is_folder ? -ENOTDIR : -EISDIR;
	if (is_folder && strcmp(node->name, "INBOX") == 0)
		return -EBUSY;
	if (is_folder && node->folders + node->messages)
		return -ENOTEMPTY;
	fake_remove_node(mb, node);
	fake_note(mb, is_folder ? CHANGE_FOLDER_GONE : CHANGE_MESSAGE_GONE, node->parent, node->row, node->name);
	return 0;
}

void mailbox_abandon_copy(struct mailbox *mb, int64_t row)
{
	struct node *node;

	pthread_mutex_lock(&mb->lock);
	node = alive(mb, row);
	if (node && node->is_edited)
		node->is_written = node->is_edited = false;
	else if (node && node->is_written)
		remove_named(mb, node, false);
	unlock(mb, 0);
}

int mailbox_unlink(struct mailbox *mb, int64_t folder, const char *name)
{
	pthread_mutex_lock(&mb->lock);
	return unlock(mb, remove_named(mb, fake_find(mb, folder, name), false));
}

int mailbox_rmdir(struct mailbox *mb, int64_t parent, const char *name)
{
	pthread_mutex_lock(&mb->lock);
	return unlock(mb, remove_named(mb, fake_find(mb, parent, name), true));
}

int mailbox_mkdir(struct mailbox *mb, int64_t parent, const char *name, int64_t *ret_row)
{
	struct node *node;

	pthread_mutex_lock(&mb->lock);
	if (fake_find(mb, parent, name))
		return unlock(mb, -EEXIST);
	node = fake_add_node(mb, parent, name, true);
	node->is_local = scratch_name(name);
	*ret_row = node->row;
	fake_note(mb, CHANGE_FOLDER_ADDED, parent, node->row, name);
	return unlock(mb, 0);
}

int mailbox_set_flags(struct mailbox *mb, int64_t row, const char *value, size_t len)
{
	struct node *node;
	char *flags;

	pthread_mutex_lock(&mb->lock);
	node = alive(mb, row);
	if (!node)
		return unlock(mb, -ENOENT);
	if (memchr(value, '(', len))
		return unlock(mb, -EINVAL);
	flags = strndup(value, len);
	free(node->flags);
	node->flags = flags;
	node->mtime_ns = fake_now_ns();
	fake_note(mb, CHANGE_MESSAGE_ATTRIBUTES, node->parent, row, NULL);
	return unlock(mb, 0);
}

int mailbox_takes_keyword(struct mailbox *mb, int64_t folder, const char *keyword, struct waiter *w)
{
	if (strcmp(keyword, "refused") == 0)
		return -ENOTSUP;
	pthread_mutex_lock(&mb->lock);
	return unlock(mb, fake_keep(mb, FAKE_SETTLE, w, NULL, fake_node(mb, folder)));
}

int mailbox_set_mtime(struct mailbox *mb, int64_t row, const struct timespec *mtime)
{
	struct node *node;

	pthread_mutex_lock(&mb->lock);
	node = fake_node(mb, row);
	node->set_mtime_ns = mtime->tv_sec * INT64_C(1000000000) + mtime->tv_nsec;
	return unlock(mb, 0);
}

int mailbox_set_mode(struct mailbox *mb, int64_t row, mode_t mode)
{
	pthread_mutex_lock(&mb->lock);
	fake_node(mb, row)->mode = mode;
	return unlock(mb, 0);
}

static int settle(struct mailbox *mb, int64_t row, struct waiter *w)
{
	pthread_mutex_lock(&mb->lock);
	mb->counts.settles++;
	return unlock(mb, fake_keep(mb, FAKE_SETTLE, w, NULL, fake_node(mb, row)));
}

int mailbox_settle_message(struct mailbox *mb, int64_t row, struct waiter *w)
{
	return settle(mb, row, w);
}

int mailbox_settle_folder(struct mailbox *mb, int64_t row, struct waiter *w)
{
	return settle(mb, row, w);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/listing.h"

#include <stdlib.h>

#include "fs/dispatch.h"
#include "fs/inode.h"
#include "fs/kinds.h"
#include "fs/session.h"

enum { POSITION_DOT = 1, POSITION_DOT_DOT = 2 };

/* The first piece of a large one: who wants attributes, too, looks up each name in it. */
enum { FIRST_BYTES = 4096 };

/* An open directory of more than LISTING_LARGE entries. */
struct large_listing {
	struct handle handle; /* first */
	uint64_t ino;
	atomic_size_t given, looked_up; /* entries */
	atomic_int users;		/* the kernel, and whoever makes a piece ahead */
	pthread_mutex_t lock;
	struct listing ahead;	    /* lock; its data NULL: none */
	struct large_listing *next; /* protected by the listings' lock */
};

void listings_init(struct listings *listings)
{
	pthread_mutex_init(&listings->lock, NULL);
	listings->first = NULL;
	atomic_init(&listings->n, 0);
}

bool listing_add(struct listing *listing, const char *name, const struct fuse_entry_param *entry, uint64_t position)
{
	struct fuse_entry_param bare = *entry;
	size_t need;

	if (listing->names_only)
		bare.ino = 0;
	/* libfuse has no use for the request, and a piece that is made ahead has none yet. */
	need = fuse_add_direntry_plus(NULL, listing->data + listing->used, listing->size - listing->used, name, &bare,
				      (off_t)position);
	if (need > listing->size - listing->used)
		return false;
	listing->used += need;
	listing->added++;
	listing->last = position;
	return true;
}

bool listing_add_fixed(struct listing *listing, uint64_t after, unsigned number, const char *name,
		       const struct fuse_entry_param *entry)
{
	uint64_t position = inode_make(INODE_POSITION, 0, number);

	if (after != 0 && (inode_kind(after) != INODE_POSITION || after >= position))
		return true;
	return listing_add(listing, name, entry, position);
}

bool listing_add_dots(struct listing *listing, uint64_t after, uint64_t ino, uint64_t parent)
{
	/* Without a node: the kernel knows both already. */
	struct fuse_entry_param dot = { .attr = { .st_ino = ino, .st_mode = S_IFDIR } };
	struct fuse_entry_param dot_dot = { .attr = { .st_ino = parent, .st_mode = S_IFDIR } };

	return listing_add_fixed(listing, after, POSITION_DOT, ".", &dot) &&
	       listing_add_fixed(listing, after, POSITION_DOT_DOT, "..", &dot_dot);
}

uint64_t listing_stored_position(uint64_t after)
{
	return inode_kind(after) == INODE_POSITION ? 0 : after;
}

static void unref_large(struct large_listing *large)
{
	if (atomic_fetch_sub(&large->users, 1) > 1)
		return;
	pthread_mutex_destroy(&large->lock);
	free(large->ahead.data);
	free(large);
}

static void close_large(struct fs *fs, struct handle *handle)
{
	struct large_listing *large = (struct large_listing *)handle, **at;

	pthread_mutex_lock(&fs->listings.lock);
	for (at = &fs->listings.first; *at != large; at = &(*at)->next)
		;
	*at = large->next;
	pthread_mutex_unlock(&fs->listings.lock);
	atomic_fetch_sub(&fs->listings.n, 1);
	unref_large(large);
}

static struct large_listing *open_large(struct fs *fs, uint64_t ino)
{
	struct large_listing *large = calloc(1, sizeof(*large));

	if (!large)
		return NULL;
	large->ino = ino;
	atomic_init(&large->users, 1);
	pthread_mutex_init(&large->lock, NULL);
	pthread_mutex_lock(&fs->listings.lock);
	large->next = fs->listings.first;
	fs->listings.first = large;
	pthread_mutex_unlock(&fs->listings.lock);
	atomic_fetch_add(&fs->listings.n, 1);
	handle_open(&fs->handles, &large->handle, close_large);
	return large;
}

static struct large_listing *large_of(const struct fuse_file_info *fi)
{
	return (struct large_listing *)(uintptr_t)fi->fh;
}

void listing_reply_open(struct fs *fs, struct fuse_req *req, uint64_t ino, size_t entries, struct fuse_file_info *fi)
{
	struct large_listing *large = entries > LISTING_LARGE ? open_large(fs, ino) : NULL;

	fi->fh = (uintptr_t)large;
	if (fuse_reply_open(req, fi) != 0 && large)
		handle_close(fs, &large->handle);
}

void listing_note_lookup(struct fs *fs, uint64_t parent)
{
	struct large_listing *large;

	if (atomic_load_explicit(&fs->listings.n, memory_order_relaxed) == 0)
		return;
	pthread_mutex_lock(&fs->listings.lock);
	for (large = fs->listings.first; large; large = large->next)
		if (large->ino == parent)
			atomic_fetch_add(&large->looked_up, 1);
	pthread_mutex_unlock(&fs->listings.lock);
}

/* After a first piece, whoever looks up a fair part of the names that it got wants them all. */
static bool wants_names_only(struct large_listing *large)
{
	return large && (atomic_load(&large->given) == 0 || atomic_load(&large->looked_up) < atomic_load(&large->given) / 4);
}

static int fill(struct fs *fs, uint64_t ino, struct listing *piece)
{
	piece->index_state = mailbox_index_state(fs->mailbox);
	piece->data = malloc(piece->size);
	return piece->data ? dispatch_operations(ino)->list(fs, ino, piece->after, piece) : -ENOMEM;
}

/* The piece made ahead, if it is the one wanted and as it would be made now. */
static bool take_ahead(struct fs *fs, struct large_listing *large, struct listing *piece)
{
	const struct listing *ahead = &large->ahead;
	bool is_it;

	pthread_mutex_lock(&large->lock);
	is_it = ahead->data && ahead->after == piece->after && ahead->size == piece->size &&
		ahead->names_only == piece->names_only && ahead->index_state == mailbox_index_state(fs->mailbox);
	if (is_it) {
		*piece = *ahead;
		large->ahead.data = NULL;
	}
	pthread_mutex_unlock(&large->lock);
	return is_it;
}

static void make_ahead(struct fs *fs, struct large_listing *large, size_t size, uint64_t after)
{
	struct listing piece = { .size = size, .after = after, .names_only = wants_names_only(large) };
	char *unused;

	if (fill(fs, large->ino, &piece) < 0) {
		free(piece.data);
		return;
	}
	pthread_mutex_lock(&large->lock);
	unused = large->ahead.data;
	large->ahead = piece;
	pthread_mutex_unlock(&large->lock);
	free(unused);
}

static void reply_piece(struct fuse_req *req, const struct listing *piece, int r)
{
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_buf(req, piece->data, piece->used);
}

static void list_large(struct fs *fs, struct fuse_req *req, struct large_listing *large, struct listing *piece)
{
	size_t size = piece->size;
	bool is_first = atomic_load(&large->given) == 0;
	int r = 0;

	if (is_first && size > FIRST_BYTES)
		piece->size = FIRST_BYTES;
	piece->names_only = wants_names_only(large);
	if (!take_ahead(fs, large, piece))
		r = fill(fs, large->ino, piece);
	if (piece->names_only)
		atomic_fetch_add(&large->given, piece->added);
	atomic_fetch_add(&large->users, 1); /* the reply may be followed by the close */
	reply_piece(req, piece, r);
	if (r == 0 && piece->added && !is_first)
		make_ahead(fs, large, size, piece->last);
	unref_large(large);
}

void listing_readdirplus(struct fuse_req *req, uint64_t ino, size_t size, int64_t after, struct fuse_file_info *fi)
{
	struct large_listing *large = large_of(fi);
	struct listing piece = { .size = size, .after = (uint64_t)after };
	struct fs *fs = fs_of(req);

	if (large)
		list_large(fs, req, large, &piece);
	else
		reply_piece(req, &piece, fill(fs, ino, &piece));
	free(piece.data);
}

void listing_releasedir(struct fuse_req *req, uint64_t ino, struct fuse_file_info *fi)
{
	struct large_listing *large = large_of(fi);

	(void)ino;
	if (large)
		handle_close(fs_of(req), &large->handle);
	fuse_reply_err(req, 0);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/listing.h"

#include <stdlib.h>

#include "base/clock.h"
#include "fs/dispatch.h"
#include "fs/inode.h"
#include "fs/kinds.h"
#include "fs/session.h"

enum { POSITION_DOT = 1, POSITION_DOT_DOT = 2 };

/* The first piece of one without attributes: who wants them, too, looks up each name in it. */
enum { FIRST_BYTES = 4096 };

/* For so long after a listing that gave them all, or made no use of them, the kernel is thought to have the attributes still. */
enum { KNOWN_FOR_MS = 10000 };

/* An open directory of more than LISTING_LONG entries. */
struct long_listing {
	struct handle handle; /* first */
	uint64_t ino;
	bool is_large;	  /* names alone, unless lookups follow */
	atomic_int users; /* the kernel, and whoever makes a piece ahead */
	atomic_bool gave_names_only;
	atomic_bool is_in_flux; /* what was made ahead was out of date */
	pthread_mutex_t lock;
	struct listing ahead; /* lock; its data NULL: none */
};

void listings_init(struct listings *listings)
{
	*listings = (struct listings){ .next = 0 };
	pthread_mutex_init(&listings->lock, NULL);
}

/* Lock held. One that is kept, or NULL. */
static struct listed *find_listed(struct listings *listings, uint64_t ino)
{
	for (size_t i = 0; i < LISTED_KEPT; i++)
		if (listings->listed[i].ino == ino)
			return &listings->listed[i];
	return NULL;
}

/* Lock held. */
static struct listed *get_listed(struct listings *listings, uint64_t ino)
{
	struct listed *d = find_listed(listings, ino);

	if (d)
		return d;
	d = &listings->listed[listings->next];
	listings->next = (listings->next + 1) % LISTED_KEPT;
	*d = (struct listed){ .ino = ino };
	return d;
}

void listing_note_lookup(struct fs *fs, uint64_t ino)
{
	struct listed *d;

	pthread_mutex_lock(&fs->listings.lock);
	d = find_listed(&fs->listings, ino);
	if (d)
		d->looked_up++;
	pthread_mutex_unlock(&fs->listings.lock);
}

/* Who looks up a fair part of the names that it got wants them all. */
static bool is_looked_up(const struct listed *d)
{
	return d->given > 0 && d->looked_up >= d->given / 4;
}

static bool is_known(const struct listed *d)
{
	return d->known_ms && clock_monotonic_ms() < d->known_ms + KNOWN_FOR_MS && !is_looked_up(d);
}

static void note_begin(struct fs *fs, uint64_t ino)
{
	struct listed *d;

	pthread_mutex_lock(&fs->listings.lock);
	d = get_listed(&fs->listings, ino);
	if (!is_known(d))
		d->known_ms = 0;
	d->given = d->looked_up = 0;
	pthread_mutex_unlock(&fs->listings.lock);
}

/* A piece goes to the kernel; an empty one is the end. */
static void note_given(struct fs *fs, struct long_listing *l, const struct listing *piece)
{
	struct listed *d;

	if (piece->names_only && piece->added)
		atomic_store(&l->gave_names_only, true);
	pthread_mutex_lock(&fs->listings.lock);
	d = get_listed(&fs->listings, l->ino);
	if (piece->names_only)
		d->given += piece->added;
	if (!piece->added && (!l->gave_names_only || is_known(d)))
		d->known_ms = clock_monotonic_ms();
	pthread_mutex_unlock(&fs->listings.lock);
}

static bool wants_names_only(struct fs *fs, const struct long_listing *l)
{
	struct listed *d;
	bool wants;

	pthread_mutex_lock(&fs->listings.lock);
	d = get_listed(&fs->listings, l->ino);
	wants = is_known(d) || (l->is_large && !is_looked_up(d));
	pthread_mutex_unlock(&fs->listings.lock);
	return wants;
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

static void unref_long(struct long_listing *l)
{
	if (atomic_fetch_sub(&l->users, 1) > 1)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l->ahead.data);
	free(l);
}

static void close_long(struct fs *fs, struct handle *handle)
{
	(void)fs;
	unref_long((struct long_listing *)handle);
}

static struct long_listing *open_long(struct fs *fs, uint64_t ino, bool is_large)
{
	struct long_listing *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->ino = ino;
	l->is_large = is_large;
	atomic_init(&l->users, 1);
	pthread_mutex_init(&l->lock, NULL);
	note_begin(fs, ino);
	handle_open(&fs->handles, &l->handle, close_long);
	return l;
}

static struct long_listing *long_of(const struct fuse_file_info *fi)
{
	return (struct long_listing *)(uintptr_t)fi->fh;
}

void listing_reply_open(struct fs *fs, struct fuse_req *req, uint64_t ino, size_t entries, struct fuse_file_info *fi)
{
	struct long_listing *l = entries > LISTING_LONG ? open_long(fs, ino, entries > LISTING_LARGE) : NULL;

	fi->fh = (uintptr_t)l;
	if (fuse_reply_open(req, fi) != 0 && l)
		handle_close(fs, &l->handle);
}

static int fill(struct fs *fs, uint64_t ino, struct listing *piece)
{
	piece->index_state = mailbox_index_state(fs->mailbox);
	piece->data = malloc(piece->size);
	return piece->data ? dispatch_operations(ino)->list(fs, ino, piece->after, piece) : -ENOMEM;
}

/* The piece made ahead, if it is the one wanted and as it would be made now. */
static bool take_ahead(struct fs *fs, struct long_listing *l, struct listing *piece)
{
	const struct listing *ahead = &l->ahead;
	bool is_it;

	pthread_mutex_lock(&l->lock);
	is_it = ahead->data && ahead->after == piece->after && ahead->size == piece->size &&
		ahead->names_only == piece->names_only && ahead->index_state == mailbox_index_state(fs->mailbox);
	atomic_store(&l->is_in_flux, ahead->data && !is_it);
	if (is_it)
		*piece = *ahead;
	else
		free(l->ahead.data);
	l->ahead.data = NULL;
	pthread_mutex_unlock(&l->lock);
	return is_it;
}

/* Not while the folder changes: it would be made in vain. */
static void make_ahead(struct fs *fs, struct long_listing *l, size_t size, uint64_t after)
{
	struct listing piece = { .size = size, .after = after, .names_only = wants_names_only(fs, l) };
	char *unused;

	if (l->is_in_flux)
		return;
	if (fill(fs, l->ino, &piece) < 0) {
		free(piece.data);
		return;
	}
	pthread_mutex_lock(&l->lock);
	unused = l->ahead.data;
	l->ahead = piece;
	pthread_mutex_unlock(&l->lock);
	free(unused);
}

static void reply_piece(struct fuse_req *req, const struct listing *piece, int r)
{
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_buf(req, piece->data, piece->used);
}

static void list_long(struct fs *fs, struct fuse_req *req, struct long_listing *l, struct listing *piece)
{
	size_t size = piece->size;
	bool is_first;
	int r = 0;

	piece->names_only = wants_names_only(fs, l);
	is_first = piece->names_only && piece->after == 0 && size > FIRST_BYTES;
	if (is_first)
		piece->size = FIRST_BYTES;
	if (!take_ahead(fs, l, piece))
		r = fill(fs, l->ino, piece);
	if (r == 0)
		note_given(fs, l, piece);
	atomic_fetch_add(&l->users, 1); /* the reply may be followed by the close */
	reply_piece(req, piece, r);
	if (r == 0 && piece->added && !is_first)
		make_ahead(fs, l, size, piece->last);
	unref_long(l);
}

void listing_readdirplus(struct fuse_req *req, uint64_t ino, size_t size, int64_t after, struct fuse_file_info *fi)
{
	struct long_listing *l = long_of(fi);
	struct listing piece = { .size = size, .after = (uint64_t)after };
	struct fs *fs = fs_of(req);

	if (l)
		list_long(fs, req, l, &piece);
	else
		reply_piece(req, &piece, fill(fs, ino, &piece));
	free(piece.data);
}

void listing_releasedir(struct fuse_req *req, uint64_t ino, struct fuse_file_info *fi)
{
	struct long_listing *l = long_of(fi);

	(void)ino;
	if (l)
		handle_close(fs_of(req), &l->handle);
	fuse_reply_err(req, 0);
}

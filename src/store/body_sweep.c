/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes over the body cache as a whole: counting it, evicting from it, clearing away what a crash or another index left.
 */
#include "store/body_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

enum {
	COUNT_AT_ONCE_MS = 50, /* bodies_open() counts for so long by itself */
	SPARE_S = 10,	       /* what was published or opened in this time goes last: somebody is about to read it */
	AGE_CHECK_MIN_S = 60,
	AGE_CHECK_MAX_S = 3600,
};

struct candidate {
	int64_t row, size_bytes, used_ns;
};

struct candidates {
	struct candidate *list; /* own; NULL: only the sums are wanted */
	size_t n, cap;
};

static inline void directory_cleanup(DIR **d)
{
	if (*d)
		closedir(*d);
}

static DIR *open_directory(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

static int add_candidate(struct candidates *c, int64_t row, const struct stat *st)
{
	struct candidate *more;

	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 1024;
		more = realloc(c->list, c->cap * sizeof *c->list);
		if (!more)
			return -ENOMEM;
		c->list = more;
	}
	c->list[c->n++] = (struct candidate){ row, st->st_size, st->st_atim.tv_sec * INT64_C(1000000000) + st->st_atim.tv_nsec };
	return 0;
}

/* lock is held. A stranger's file among the bodies is not ours to touch. */
static int scan_bucket(struct bodies *b, unsigned bucket, struct candidates *wanted, int64_t *ret_bytes)
{
	CLEANUP(directory) DIR *d = NULL;
	struct dirent *entry;
	struct stat st;
	char name[4], *end;
	int64_t row;
	int r = 0;

	*ret_bytes = 0;
	snprintf(name, sizeof name, "%02x", bucket);
	d = open_directory(b->dirfd, name);
	if (!d)
		return -errno;
	while (r == 0 && (entry = readdir(d))) {
		row = strtoll(entry->d_name, &end, 10);
		if (row <= 0 || *end != '\0' || fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		*ret_bytes += st.st_size;
		r = wanted ? add_candidate(wanted, row, &st) : 0;
	}
	return r;
}

/* Sets a bucket's sum to what is there, and lists its bodies. */
static int count_bucket(struct bodies *b, unsigned bucket, struct candidates *wanted)
{
	int64_t bytes;
	int r;

	pthread_mutex_lock(&b->lock);
	r = scan_bucket(b, bucket, wanted, &bytes);
	if (r == 0)
		bodies_account(b, bucket, bytes - b->bucket_bytes[bucket]);
	pthread_mutex_unlock(&b->lock);
	return r;
}

static int least_recently_used(const void *left, const void *right)
{
	const struct candidate *l = left, *r = right;

	if (l->used_ns != r->used_ns)
		return l->used_ns < r->used_ns ? -1 : 1;
	return l->row < r->row ? -1 : l->row > r->row;
}

/* Unless it was opened since it was listed. */
static void evict_one(struct bodies *b, const struct candidate *c)
{
	char name[BODY_NAME_MAX];
	struct stat st;

	body_name(c->row, name);
	pthread_mutex_lock(&b->lock);
	if (fstatat(b->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_atim.tv_sec * INT64_C(1000000000) + st.st_atim.tv_nsec == c->used_ns && unlinkat(b->dirfd, name, 0) == 0)
		bodies_account(b, c->row, -st.st_size);
	pthread_mutex_unlock(&b->lock);
}

/* Oldest first: all that are too old, then more until the total is a tenth below its limit, but not `keep`. Those of the last seconds
 * come last by their order; for them the limit itself is low enough. */
static void evict_from(struct bodies *b, const struct candidates *c, int64_t keep)
{
	bool is_over = bodies_total(b) > b->limit_bytes;
	int64_t low_bytes = is_over ? b->limit_bytes - b->limit_bytes / 10 : INT64_MAX;
	struct timespec now;
	int64_t age_s, target;
	size_t i;

	clock_gettime(CLOCK_REALTIME, &now);
	for (i = 0; i < c->n; i++) {
		age_s = now.tv_sec - c->list[i].used_ns / INT64_C(1000000000);
		target = is_over && age_s < SPARE_S ? b->limit_bytes : low_bytes;
		if (bodies_total(b) <= target && (b->limit_age_s == 0 || age_s <= b->limit_age_s))
			break;
		if (c->list[i].row != keep)
			evict_one(b, &c->list[i]);
	}
}

static void evict(struct bodies *b, int64_t keep)
{
	struct candidates all = { NULL, 0, 0 };
	int64_t before = bodies_total(b);
	unsigned i;
	int r = 0;

	for (i = 0; i < BODY_BUCKETS && !b->stop; i++)
		if (count_bucket(b, i, &all) == -ENOMEM)
			r = -ENOMEM;
	/* Out of memory, what was listed is evicted all the same. */
	if (all.n > 0 && !b->stop) {
		qsort(all.list, all.n, sizeof *all.list, least_recently_used);
		evict_from(b, &all, keep);
	}
	free(all.list);
	log_debug("body cache: %lld of %lld bytes left%s", (long long)bodies_total(b), (long long)before,
		  r < 0 ? " (out of memory)" : "");
}

static int64_t age_check_interval_s(const struct bodies *b)
{
	int64_t interval_s = b->limit_age_s / 8;

	return interval_s < AGE_CHECK_MIN_S ? AGE_CHECK_MIN_S : interval_s > AGE_CHECK_MAX_S ? AGE_CHECK_MAX_S : interval_s;
}

static bool is_needed(struct bodies *b, int64_t now_s)
{
	if (bodies_total(b) > b->limit_bytes)
		return true;
	return b->limit_age_s > 0 && now_s >= b->next_age_check_s;
}

void bodies_evict_if_needed(struct bodies *b, int64_t keep)
{
	int64_t now_s = clock_monotonic_ms() / 1000;

	if (!is_needed(b, now_s))
		return;
	atomic_fetch_add(&b->evictions_wanted, 1);
	/* Who comes while another evicts leaves it to that one, who then goes round once more: it may have listed too early. */
	while (!b->stop && pthread_mutex_trylock(&b->evicting) == 0) {
		unsigned wanted = atomic_load(&b->evictions_wanted);

		b->next_age_check_s = now_s + age_check_interval_s(b);
		evict(b, keep);
		pthread_mutex_unlock(&b->evicting);
		if (atomic_load(&b->evictions_wanted) == wanted)
			return;
	}
}

static void remove_tree(struct bodies *b, int dirfd_above, const char *name)
{
	CLEANUP(directory) DIR *d = open_directory(dirfd_above, name);
	struct dirent *entry;

	while (d && !b->stop && (entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) < 0 && errno == EISDIR)
			remove_tree(b, dirfd(d), entry->d_name);
	}
	unlinkat(dirfd_above, name, AT_REMOVEDIR);
}

/* Bodies of an index that is no more. */
static void remove_strangers(struct bodies *b)
{
	CLEANUP(directory) DIR *d = open_directory(AT_FDCWD, b->cache_dir);
	struct dirent *entry;

	while (d && !b->stop && (entry = readdir(d)))
		if (strncmp(entry->d_name, "bodies-", 7) == 0 && strcmp(entry->d_name, b->directory) != 0)
			remove_tree(b, dirfd(d), entry->d_name);
}

/* Half-written ones of a process that died; done before anybody can begin a new one. */
static void remove_temporaries(struct bodies *b)
{
	CLEANUP(directory) DIR *d = open_directory(b->dirfd, ".");
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (strncmp(entry->d_name, "tmp-", 4) == 0)
			unlinkat(b->dirfd, entry->d_name, 0);
}

static unsigned count_until(struct bodies *b, unsigned bucket, int64_t until_ms)
{
	for (; bucket < BODY_BUCKETS && !b->stop && clock_monotonic_ms() < until_ms; bucket++)
		count_bucket(b, bucket, NULL);
	return bucket;
}

static void *sweep(void *userdata)
{
	struct bodies *b = userdata;

	/* Some are counted twice: a bucket's sum is set, not added to. */
	count_until(b, 0, INT64_MAX);
	remove_strangers(b);
	bodies_evict_if_needed(b, 0);
	return NULL;
}

static bool has_strangers(struct bodies *b)
{
	CLEANUP(directory) DIR *d = open_directory(AT_FDCWD, b->cache_dir);
	struct dirent *entry;
	bool found = false;

	while (d && !found && (entry = readdir(d)))
		found = strncmp(entry->d_name, "bodies-", 7) == 0 && strcmp(entry->d_name, b->directory) != 0;
	return found;
}

int bodies_sweep_start(struct bodies *b)
{
	unsigned counted;
	int r;

	remove_temporaries(b);
	counted = count_until(b, 0, clock_monotonic_ms() + COUNT_AT_ONCE_MS);
	if (counted == BODY_BUCKETS && !has_strangers(b)) {
		bodies_evict_if_needed(b, 0);
		return 0;
	}
	r = pthread_create(&b->sweeper, NULL, sweep, b);
	b->has_sweeper = r == 0;
	return -r;
}

void bodies_sweep_stop(struct bodies *b)
{
	b->stop = true;
	if (b->has_sweeper)
		pthread_join(b->sweeper, NULL);
}

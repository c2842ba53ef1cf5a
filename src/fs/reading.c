/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/reading.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "fs/inode.h"
#include "fs/loop.h"

/* An open message. */
struct reader {
	struct handle handle; /* first */
	struct body *body;
	fuse_ino_t ino;
	atomic_bool is_stale;	      /* its message has other bytes by now */
	atomic_int failure;	      /* -errno of a read that failed */
	atomic_llong failure_ends_ms; /* until then it stands for others too */
};

static void close_reader(struct fs *fs, struct handle *handle)
{
	struct reader *reader = (struct reader *)handle;

	if (reader->body)
		mailbox_close(fs->mailbox, reader->body);
	free(reader);
}

static struct reader *reader_of(const struct fuse_file_info *fi)
{
	return (struct reader *)(uintptr_t)fi->fh;
}

struct opening {
	struct wait wait; /* first */
	struct reader *reader;
	struct fuse_file_info fi;
	struct notice size_notice;
};

/* Reads that wait are ended at FLUSH; with the whole body here there are none, and the kernel need not send one. */
static void reply_opened(struct opening *opening)
{
	opening->fi.noflush = body_is_whole(opening->wait.fs->mailbox, opening->reader->body);
	if (fuse_reply_open(opening->wait.req, &opening->fi) != 0)
		handle_close(opening->wait.fs, &opening->reader->handle);
	free(opening);
}

static void size_told(struct notice *notice)
{
	reply_opened((struct opening *)((char *)notice - offsetof(struct opening, size_notice)));
}

/* A size that came out other than stat(2) said so far must reach the kernel before open(2) returns: rsync and tar believe it. */
static void opened(struct wait *w, int result)
{
	struct opening *opening = (struct opening *)w;

	if (result < 0) {
		handle_close(w->fs, &opening->reader->handle);
		fuse_reply_err(w->req, -result);
		free(opening);
		return;
	}
	if (body_size_was_wrong(opening->reader->body))
		notify_attributes_then(&w->fs->notifier, opening->reader->ino, &opening->size_notice, size_told);
	else
		reply_opened(opening);
}

static struct opening *new_opening(struct fs *fs, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct opening *opening = calloc(1, sizeof(*opening));
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!opening || !reader) {
		free(opening);
		free(reader);
		return NULL;
	}
	reader->ino = ino;
	handle_open(&fs->handles, &reader->handle, close_reader);
	fi->fh = (uintptr_t)reader;
	fi->keep_cache = 1; /* a message's bytes never change */
	opening->reader = reader;
	opening->fi = *fi;
	return opening;
}

void reading_open(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct opening *opening;
	int r;

	opening = new_opening(fs, ino, fi);
	if (!opening) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	wait_start(&opening->wait, fs, req, opened);
	r = mailbox_open(fs->mailbox, inode_row(ino), &opening->wait.waiter, &opening->reader->body);
	if (r == -EINPROGRESS)
		return;
	wait_end(&opening->wait);
	opened(&opening->wait, r);
}

int64_t reading_size(const struct fuse_file_info *fi)
{
	return body_size(reader_of(fi)->body);
}

struct reading {
	struct wait wait; /* first */
	struct reader *reader;
	size_t size;
	off_t offset;
};

/* What the disk's cache does not hold may take a while. A copy, not a splice: that was no quicker, whatever the size. */
static ssize_t copy_bytes(int fd, char *data, size_t size, off_t offset)
{
	struct iovec part = { .iov_base = data, .iov_len = size };
	ssize_t n = preadv2(fd, &part, 1, offset, RWF_NOWAIT);

	if (n == (ssize_t)size)
		return n;
	loop_step_aside();
	return pread(fd, data, size, offset);
}

static void reply_bytes(const struct reading *reading, size_t size)
{
	CLEANUP(free) char *data = malloc(size ? size : 1);
	ssize_t n = data ? copy_bytes(body_fd(reading->reader->body), data, size, reading->offset) : -1;

	if (n < 0)
		fuse_reply_err(reading->wait.req, data ? errno : ENOMEM);
	else if (atomic_load(&reading->reader->is_stale))
		fuse_reply_err(reading->wait.req, ESTALE);
	else
		fuse_reply_buf(reading->wait.req, data, (size_t)n);
}

static void remember_failure(struct reader *reader, int r)
{
	if (r == -EINTR)
		return;
	atomic_store(&reader->failure, r);
	atomic_store(&reader->failure_ends_ms, clock_monotonic_ms() + READING_FAILED_MS);
}

static void wait_for_bytes(struct reading *reading);

static void bytes_came(struct wait *w, int result)
{
	struct reading *reading = (struct reading *)w;

	if (result == 0) {
		wait_for_bytes(reading);
		return;
	}
	remember_failure(reading->reader, result);
	fuse_reply_err(w->req, -result);
	free(reading);
}

/* Replies with what is there, or waits. */
static void wait_for_bytes(struct reading *reading)
{
	struct reader *reader = reading->reader;
	struct fs *fs = reading->wait.fs;
	ssize_t n;

	wait_start(&reading->wait, fs, reading->wait.req, bytes_came);
	n = body_read(fs->mailbox, reader->body, reading->offset, reading->size, &reading->wait.waiter);
	if (n == -EINPROGRESS)
		return;
	wait_end(&reading->wait);
	if (n < 0) {
		bytes_came(&reading->wait, (int)n);
		return;
	}
	reply_bytes(reading, (size_t)n);
	free(reading);
}

void reading_read(struct fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct reader *reader = reader_of(fi);
	struct reading *reading;
	int failure = atomic_load(&reader->failure);

	(void)ino;
	if (atomic_load(&reader->is_stale)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (failure && clock_monotonic_ms() < atomic_load(&reader->failure_ends_ms)) {
		fuse_reply_err(req, -failure);
		return;
	}
	reading = calloc(1, sizeof(*reading));
	if (!reading) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	*reading = (struct reading){
		.wait = { .fs = fs, .req = req, .owner = reader }, .reader = reader, .size = size, .offset = offset
	};
	wait_for_bytes(reading);
}

void reading_end_of(struct fs *fs, fuse_ino_t ino)
{
	struct reader *reader;

	pthread_mutex_lock(&fs->handles.lock);
	for (struct handle *at = fs->handles.head.next; at != &fs->handles.head; at = at->next) {
		reader = at->close == close_reader ? (struct reader *)at : NULL;
		if (reader && reader->ino == ino)
			atomic_store(&reader->is_stale, true);
	}
	pthread_mutex_unlock(&fs->handles.lock);
}

/*
 * Read-ahead gets no INTERRUPT when its process is killed, but its FLUSH comes: when nobody has the message open any more, nobody waits for its bytes.
 */
void reading_flush(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (waits_has(fs, reader_of(fi)) && !holders_exist(&fs->own_mount, ino))
		waits_end_of(fs, reader_of(fi));
	fuse_reply_err(req, 0);
}

void reading_release(struct fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_close(fs, &reader_of(fi)->handle);
	fuse_reply_err(req, 0);
}

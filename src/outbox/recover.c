/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue as a crash, a power cut or an orderly end left it: what is on disk decides, by the rules at the top of entry.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "message/scratch_name.h"
#include "outbox/entry.h"
#include "outbox/name.h"
#include "outbox/queue.h"
#include "outbox/uncertain.h"
#include "store/durable.h"

static const char next_id_file[] = "next-id";

/* Nobody knows any more what it was called or where it was to go: its bytes are kept, it is never sent. */
static void make_nameless_scratch(struct outbox *o, struct entry *e)
{
	char name[NAME_MAX + 1];

	snprintf(name, sizeof name, "recovered-%" PRId64 ".partial", e->id);
	record_release(&e->record);
	e->record.mode = 0600;
	e->record.state = OUTBOX_SCRATCH;
	queue_move(o, e, OUTBOX_QUEUE, name);
	queue_save(o, e);
	log_warning("outbox: an entry without a readable record is kept as %s", e->record.name);
}

/* It was open for writing, or scratch already. */
static void recover_unfinished(struct outbox *o, struct entry *e, int64_t size_bytes)
{
	char name[NAME_MAX + 1];

	e->record.state = OUTBOX_SCRATCH;
	if (size_bytes == 0 || scratch_name(e->record.name))
		return;
	name_partial(e->record.name, name);
	queue_move(o, e, e->record.place, name);
	queue_save(o, e);
}

/* The final dot may have gone out and the verdict was not recorded. */
static void recover_undecided(struct outbox *o, struct entry *e)
{
	e->record.attempts++;
	uncertain_enter(o, e, "interrupted while the server was taking the message: it may have been sent");
	queue_save(o, e);
}

static void recover_entry(struct outbox *o, struct entry *e, int64_t size_bytes)
{
	char name[NAME_MAX + 1];

	switch (e->record.state) {
	case OUTBOX_WRITING:
	case OUTBOX_SCRATCH:
		recover_unfinished(o, e, size_bytes);
		break;
	case OUTBOX_HELD:
	case OUTBOX_QUEUED:
	case OUTBOX_SENDING:
	case OUTBOX_RETRY:
		if (entry_has_dot(o->dirfd, e->id, e->record.attempts + 1))
			recover_undecided(o, e);
		break;
	case OUTBOX_FAILED_STATE:
	case OUTBOX_UNCERTAIN:
	case OUTBOX_SENT:
		break;
	}
	/* Two of one name: a crash in the middle of a move. */
	memcpy(name, e->record.name, sizeof name);
	queue_move(o, e, e->record.place, name);
	if (strcmp(name, e->record.name))
		queue_save(o, e);
}

static int load_entry(struct outbox *o, int64_t id)
{
	struct entry *e = calloc(1, sizeof *e);
	struct stat st;
	int r;

	if (!e)
		return -ENOMEM;
	e->id = id;
	r = entry_load(o->dirfd, id, &e->record);
	if (r == -ENOMEM || entry_stat_message(o->dirfd, id, &st) < 0 || (r < 0 && st.st_size == 0)) {
		free(e);
		if (r == -ENOMEM)
			return r;
		return entry_remove(o->dirfd, id);
	}
	/* No name: make_nameless_scratch() gives it one once all names are known. */
	if (r < 0)
		e->record.name[0] = '\0';
	queue_add(o, e);
	return 0;
}

static int load_directory(struct outbox *o)
{
	int fd = openat(o->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *file;
	int r = 0;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (!r && (file = readdir(dir))) {
		bool is_gone = false;
		int64_t id = entry_id_of(file->d_name, &is_gone);

		if (id && id >= o->next_id)
			o->next_id = id + 1;
		if (id && is_gone)
			entry_sweep(o->dirfd, file->d_name);
		else if (id)
			r = load_entry(o, id);
		else if (durable_is_leftover(file->d_name))
			unlinkat(o->dirfd, file->d_name, 0);
	}
	closedir(dir);
	return r;
}

static int load_next_id(struct outbox *o)
{
	CLEANUP(buf) struct buf text = BUF_INIT;
	int r = durable_read(o->dirfd, next_id_file, 64, &text);

	o->next_id = 1;
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	o->next_id = strtoll(buf_str(&text), NULL, 10);
	if (o->next_id < 1)
		o->next_id = 1;
	return 0;
}

/* Before anything is sent: what was renamed over is gone. */
static int finish_replacements(struct outbox *o)
{
	for (struct entry *e = o->first; e; e = e->next) {
		struct entry *replaced = e->record.replaces ? queue_find(o, e->record.replaces) : NULL;
		int r = replaced ? queue_remove(o, replaced) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int queue_recover(struct outbox *o)
{
	int r = load_next_id(o);

	if (!r)
		r = load_directory(o);
	if (!r)
		r = finish_replacements(o);
	if (r < 0)
		return r;
	o->reserved_id = o->next_id;
	for (struct entry *e = o->first; e; e = e->next) {
		struct stat st = { .st_size = 0 };

		entry_stat_message(o->dirfd, e->id, &st);
		if (*e->record.name)
			recover_entry(o, e, st.st_size);
		else
			make_nameless_scratch(o, e);
		queue_note(o, e);
	}
	return 0;
}

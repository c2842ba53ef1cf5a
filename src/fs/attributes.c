/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/attributes.h"

#include "fs/inode.h"

#define NS_PER_S 1000000000
#define BLOCK_SIZE 4096
/* What opendir(3) reads at a time: since Linux 6.16 one READDIRPLUS answers as much. */
#define DIRECTORY_BLOCK_SIZE (128 << 10)
/* Where the server tells no quota, df shows this much, all of it free: zeros would stop installers and file managers. */
#define BOUNDLESS_BYTES (INT64_C(1) << 40)

static mode_t permissions(const struct fs *fs, mode_t mode, bool is_writable)
{
	return mode & ~fs->umask & (is_writable && !fs->read_only ? 0777 : 0555);
}

static void fill(const struct fs *fs, fuse_ino_t ino, mode_t mode, nlink_t nlink, struct stat *ret)
{
	*ret = (struct stat){
		.st_ino = ino,
		.st_mode = mode,
		.st_nlink = nlink,
		.st_uid = fs->uid,
		.st_gid = fs->gid,
		.st_blksize = S_ISDIR(mode) ? DIRECTORY_BLOCK_SIZE : BLOCK_SIZE,
	};
}

static void fill_size(struct stat *st, int64_t size_bytes)
{
	st->st_size = size_bytes;
	st->st_blocks = (size_bytes + 511) / 512;
}

static struct timespec from_ns(int64_t ns)
{
	int64_t s = ns / NS_PER_S - (ns % NS_PER_S < 0);

	return (struct timespec){ .tv_sec = s, .tv_nsec = ns - s * NS_PER_S };
}

void attributes_of_folder(const struct fs *fs, const struct mailbox_folder *folder, struct stat *ret)
{
	nlink_t places = folder->row == MAILBOX_ROOT && fs->outbox ? 1 : 0;

	fill(fs, inode_make(INODE_FOLDER, 0, folder->row), S_IFDIR | permissions(fs, 0777, folder->is_writable),
	     2 + folder->folders + places, ret);
	ret->st_mtim = ret->st_ctim = ret->st_atim = from_ns(folder->mtime_ns);
}

void attributes_of_message(const struct fs *fs, const struct mailbox_message *message, struct stat *ret)
{
	mode_t mode = message->mode ? message->mode & 0777 & (fs->read_only ? 0555 : 0777) : permissions(fs, 0666, true);

	fill(fs, inode_make(INODE_MESSAGE, 0, message->row), S_IFREG | mode, message->folder ? 1 : 0, ret);
	fill_size(ret, message->size_bytes);
	ret->st_mtim = ret->st_atim = from_ns(message->mtime_ns);
	ret->st_ctim = from_ns(message->ctime_ns);
}

void attributes_of_entry(const struct fs *fs, const struct outbox_entry *entry, struct stat *ret)
{
	fill(fs, inode_make(INODE_ENTRY, 0, entry->id), S_IFREG | (entry->mode & 0777), 1, ret);
	fill_size(ret, entry->size_bytes);
	ret->st_mtim = ret->st_ctim = ret->st_atim = entry->mtime;
}

void attributes_of_control(const struct fs *fs, fuse_ino_t ino, mode_t mode, nlink_t nlink, struct stat *ret)
{
	fill(fs, ino, (mode & S_IFMT) | (S_ISLNK(mode) ? 0777 : permissions(fs, mode & 0777, true)), nlink, ret);
	clock_gettime(CLOCK_REALTIME_COARSE, &ret->st_mtim);
	ret->st_ctim = ret->st_atim = ret->st_mtim;
}

/* A link count of 1: how many directories are in it is not said. */
void attributes_of_view(const struct fs *fs, fuse_ino_t ino, const struct mailbox_folder *folder, struct stat *ret)
{
	attributes_of_folder(fs, folder, ret);
	ret->st_ino = ino;
	ret->st_nlink = 1;
}

void entry_of_folder(const struct fs *fs, const struct mailbox_folder *folder, struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){ .entry_timeout = SESSION_KEEP_S, .attr_timeout = SESSION_KEEP_S };
	attributes_of_folder(fs, folder, &ret->attr);
	ret->ino = ret->attr.st_ino;
}

/* Its times are the folder's, and nobody tells the kernel of those. */
void entry_of_view(const struct fs *fs, fuse_ino_t ino, const struct mailbox_folder *folder, double keep_s,
		   struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){ .ino = ino, .entry_timeout = keep_s };
	attributes_of_view(fs, ino, folder, &ret->attr);
}

/* Whether somebody has it open as a file that is written: then its descriptor tells what the mailbox does not know yet. */
static bool refresh(struct fs *fs, const struct mailbox_message *message, struct stat *st)
{
	bool is_written;
	struct stat now;

	if (!submission_stat(&fs->submissions, st->st_ino, &now, &is_written))
		return false;
	if (is_written || message->is_local) {
		fill_size(st, now.st_size);
		st->st_mtim = st->st_atim = now.st_mtim;
	}
	return true;
}

/*
 * Of a file that is written the kernel keeps nothing: its name, size and bytes may be others once it is committed, and whoever closed it looks at once, before
 * the notifier can tell. That goes for scratch, too: a rename takes along how long its name may be kept.
 */
void entry_of_message(struct fs *fs, const struct mailbox_message *message, struct fuse_entry_param *ret)
{
	bool may_change;

	*ret = (struct fuse_entry_param){ 0 };
	attributes_of_message(fs, message, &ret->attr);
	ret->ino = ret->attr.st_ino;
	may_change = refresh(fs, message, &ret->attr) || message->is_local;
	ret->entry_timeout = may_change ? 0 : SESSION_KEEP_S;
	ret->attr_timeout = may_change || !message->size_trusted ? 0 : SESSION_KEEP_S;
}

void entry_of_name(int64_t message, struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){ .attr = { .st_ino = inode_make(INODE_MESSAGE, 0, message), .st_mode = S_IFREG } };
}

void entry_of_child(struct fs *fs, const struct mailbox_entry *child, struct fuse_entry_param *ret)
{
	if (child->is_folder)
		entry_of_folder(fs, &child->folder, ret);
	else
		entry_of_message(fs, &child->message, ret);
}

/* The queue changes by itself and is small: the kernel keeps nothing of it, and so needs to be told nothing. */
void entry_of_queued(const struct fs *fs, const struct outbox_entry *entry, struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){ 0 };
	attributes_of_entry(fs, entry, &ret->attr);
	ret->ino = ret->attr.st_ino;
}

void entry_of_control(const struct fs *fs, fuse_ino_t ino, mode_t mode, nlink_t nlink, struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){ .ino = ino };
	attributes_of_control(fs, ino, mode, nlink, &ret->attr);
}

void attributes_reply_folder(struct fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	bool is_view = inode_kind(ino) != INODE_FOLDER;
	struct mailbox_folder folder;
	struct stat st;
	int r = mailbox_folder(fs->mailbox, inode_row(ino), &folder);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	if (is_view)
		attributes_of_view(fs, ino, &folder, &st);
	else
		attributes_of_folder(fs, &folder, &st);
	fuse_reply_attr(req, &st, is_view ? 0 : SESSION_KEEP_S);
}

void entry_reply(fuse_req_t req, int r, const struct fuse_entry_param *entry)
{
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_entry(req, entry);
}

int attributes_check_owner(const struct fs *fs, const struct stat *to, int valid)
{
	bool is_same =
		(!(valid & FUSE_SET_ATTR_UID) || to->st_uid == fs->uid) && (!(valid & FUSE_SET_ATTR_GID) || to->st_gid == fs->gid);

	return is_same ? 0 : -EPERM;
}

struct timespec attributes_new_mtime(const struct stat *to, int valid)
{
	struct timespec mtime = to->st_mtim;

	if (valid & FUSE_SET_ATTR_MTIME_NOW)
		clock_gettime(CLOCK_REALTIME, &mtime);
	return mtime;
}

void attributes_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st = {
		.f_bsize = BLOCK_SIZE, .f_frsize = BLOCK_SIZE, .f_namemax = NAME_MAX, .f_files = INT32_MAX, .f_ffree = INT32_MAX
	};
	int64_t used = 0, limit = 0;

	(void)ino;
	mailbox_quota(fs_of(req)->mailbox, &used, &limit);
	if (limit <= 0)
		limit = used + BOUNDLESS_BYTES;
	st.f_blocks = limit / BLOCK_SIZE;
	st.f_bfree = st.f_bavail = used < limit ? (limit - used) / BLOCK_SIZE : 0;
	fuse_reply_statfs(req, &st);
}

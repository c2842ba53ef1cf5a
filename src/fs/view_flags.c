/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/view_flags.h"

#include <stdlib.h>
#include <string.h>

#include "fs/attributes.h"
#include "fs/folder_change.h"
#include "fs/kinds.h"
#include "fs/looking.h"
#include "fs/view.h"
#include "fs/view_flags_private.h"
#include "mailbox/changing.h"

/* How long the kernel may keep the directory of a keyword, which goes with the last message that has it. */
#define KEEP_KEYWORD_S 1.0

static unsigned part_of_keyword(unsigned number)
{
	return PART_KEYWORD + number - 1;
}

int view_flags_of(struct fs *fs, fuse_ino_t directory, struct shown_flag *ret)
{
	unsigned part = view_flags_part(directory);
	const char *word;

	if (part == PART_VIEW)
		return -ENOENT;
	if (part < PART_KEYWORD) {
		*ret = (struct shown_flag){ flag_names[part - PART_SYSTEM].word, flag_names[part - PART_SYSTEM].is_set };
		return 0;
	}
	word = flag_number_word(&fs->flag_numbers, part - PART_KEYWORD + 1);
	*ret = (struct shown_flag){ word, true };
	return word ? 0 : -ENOENT;
}

bool view_flags_lookup(struct fs *fs, fuse_ino_t folder, const char *name, struct fuse_entry_param *ret)
{
	bool is_root = folder == FUSE_ROOT_ID;
	fuse_ino_t view = inode_make(INODE_FLAGS, is_root ? PART_MIRROR | PART_VIEW : PART_VIEW, inode_row(folder));
	struct mailbox_folder f;

	if (strcmp(name, VIEW_FLAGS_NAME) != 0 || mailbox_folder(fs->mailbox, inode_row(folder), &f) < 0 ||
	    !(is_root || f.is_selectable))
		return false;
	entry_of_view(fs, view, &f, SESSION_KEEP_S, ret);
	return true;
}

/* Whose messages' keywords are in the view; 0: those of every folder. */
static int64_t folder_of(fuse_ino_t view)
{
	return view_flags_is_mirror(view) ? 0 : inode_row(view);
}

/* The keyword's number, whether it is in use or not. */
static int number_of_name(struct fs *fs, const char *name, struct buf *ret_keyword, unsigned *ret)
{
	int r = flag_name_to_keyword(name, ret_keyword);

	return r < 0 ? r : flag_number(&fs->flag_numbers, buf_str(ret_keyword), KEYWORDS_MAX, ret);
}

/* One that was made here. */
static unsigned find_made(struct fs *fs, fuse_ino_t view, const char *name)
{
	CLEANUP(buf) struct buf keyword = BUF_INIT;
	unsigned number = 0;

	if (flag_numbers_next_made(&fs->flag_numbers, inode_row(view), 0) == 0 || number_of_name(fs, name, &keyword, &number) < 0)
		return 0;
	return flag_numbers_is_made(&fs->flag_numbers, inode_row(view), number) ? number : 0;
}

static int find_keyword(struct fs *fs, fuse_ino_t view, const char *name, unsigned *ret_number)
{
	CLEANUP(buf) struct buf keyword = BUF_INIT;
	int r;

	*ret_number = find_made(fs, view, name);
	if (*ret_number)
		return 0;
	r = flag_name_to_keyword(name, &keyword);
	if (r == 0)
		r = mailbox_is_flag_in_use(fs->mailbox, folder_of(view), buf_str(&keyword));
	if (r == 1)
		return flag_number(&fs->flag_numbers, buf_str(&keyword), KEYWORDS_MAX, ret_number);
	return r == 0 || r == -EINVAL ? -ENOENT : r;
}

static int find_flag(struct fs *fs, fuse_ino_t view, const char *name, struct fuse_entry_param *ret)
{
	unsigned number;
	int r;

	for (unsigned i = 0; i < FLAG_NAMES; i++)
		if (strcmp(name, flag_names[i].name) == 0)
			return view_find_directory(fs, view_flags_ino(view, PART_SYSTEM + i), SESSION_KEEP_S, ret);
	r = find_keyword(fs, view, name, &number);
	return r < 0 ? r : view_find_directory(fs, view_flags_ino(view, part_of_keyword(number)), KEEP_KEYWORD_S, ret);
}

static int compare_numbers(const void *left, const void *right)
{
	unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;

	return (a > b) - (a < b);
}

struct numbers {
	unsigned *items; /* own */
	size_t n, cap;
};

static int add_number(struct numbers *numbers, unsigned number)
{
	size_t cap = numbers->cap ? numbers->cap * 2 : 16;
	unsigned *items;

	if (numbers->n == numbers->cap) {
		items = reallocarray(numbers->items, cap, sizeof(*items));
		if (!items)
			return -ENOMEM;
		numbers->items = items;
		numbers->cap = cap;
	}
	numbers->items[numbers->n++] = number;
	return 0;
}

/* Of the keywords in `flags`, canonical. */
static int add_keywords(struct fs *fs, const char *flags, struct numbers *numbers)
{
	int r = 0;

	for (size_t len; *flags && r == 0; flags += len + (flags[len] == ' ')) {
		CLEANUP(free) char *word = NULL;
		unsigned number;

		len = strcspn(flags, " ");
		if (*flags == '\\')
			continue;
		word = strndup(flags, len);
		r = word ? flag_number(&fs->flag_numbers, word, KEYWORDS_MAX, &number) : -ENOMEM;
		if (r == 0)
			r = add_number(numbers, number);
	}
	return r;
}

/* In the order of their numbers, each once. */
static int find_keywords(struct fs *fs, fuse_ino_t view, struct numbers *numbers)
{
	CLEANUP(buf) struct buf flags = BUF_INIT;
	unsigned made = 0;
	size_t kept = 0;
	int r = mailbox_flags_in_use(fs->mailbox, folder_of(view), &flags);

	if (r == 0)
		r = add_keywords(fs, buf_str(&flags), numbers);
	while (r == 0 && (made = flag_numbers_next_made(&fs->flag_numbers, inode_row(view), made)))
		r = add_number(numbers, made);
	if (r < 0 || numbers->n == 0)
		return r;
	qsort(numbers->items, numbers->n, sizeof(*numbers->items), compare_numbers);
	for (size_t i = 0; i < numbers->n; i++)
		if (kept == 0 || numbers->items[kept - 1] != numbers->items[i])
			numbers->items[kept++] = numbers->items[i];
	numbers->n = kept;
	return 0;
}

/* False when the listing is full. */
static bool list_directory(struct fs *fs, fuse_ino_t view, const struct mailbox_folder *folder, unsigned part, const char *name,
			   double keep_s, uint64_t after, struct listing *listing)
{
	struct fuse_entry_param entry;

	entry_of_view(fs, view_flags_ino(view, part), folder, keep_s, &entry);
	return listing_add_fixed(listing, after, part + 2, name, &entry);
}

static int list_keywords(struct fs *fs, fuse_ino_t view, const struct mailbox_folder *folder, uint64_t after,
			 struct listing *listing)
{
	struct numbers numbers = { 0 };
	bool has_room = true;
	int r = find_keywords(fs, view, &numbers);

	for (size_t i = 0; i < numbers.n && r == 0 && has_room; i++) {
		CLEANUP(buf) struct buf name = BUF_INIT;

		r = flag_name_of_keyword(flag_number_word(&fs->flag_numbers, numbers.items[i]), &name);
		if (r == -ENAMETOOLONG) /* no directory can be called that */
			r = 0;
		else if (r == 0)
			has_room = list_directory(fs, view, folder, part_of_keyword(numbers.items[i]), buf_str(&name),
						  KEEP_KEYWORD_S, after, listing);
	}
	free(numbers.items);
	return r;
}

static int list_flags(struct fs *fs, fuse_ino_t view, uint64_t after, struct listing *listing)
{
	struct mailbox_folder folder;
	int r = mailbox_folder(fs->mailbox, inode_row(view), &folder);

	if (r < 0 || !listing_add_dots(listing, after, view, inode_make(INODE_FOLDER, 0, folder.row)))
		return r;
	for (unsigned i = 0; i < FLAG_NAMES; i++)
		if (!list_directory(fs, view, &folder, PART_SYSTEM + i, flag_names[i].name, SESSION_KEEP_S, after, listing))
			return 0;
	return list_keywords(fs, view, &folder, after, listing);
}

struct making {
	struct wait wait; /* first */
	fuse_ino_t view;
	unsigned number;
};

static void reply_made(struct fs *fs, fuse_req_t req, fuse_ino_t view, unsigned number, int r)
{
	struct fuse_entry_param entry;

	if (r == 0)
		r = flag_numbers_make(&fs->flag_numbers, inode_row(view), number);
	if (r == 0)
		r = view_find_directory(fs, view_flags_ino(view, part_of_keyword(number)), KEEP_KEYWORD_S, &entry);
	entry_reply(req, r, &entry);
}

static void made(struct wait *w, int result)
{
	struct making *making = (struct making *)w;

	if (w->req)
		reply_made(w->fs, w->req, making->view, making->number, result);
	free(making);
}

static bool leave(struct wait *w, int *ret_result)
{
	(void)w;
	*ret_result = -EINTR;
	return true;
}

/* The directory's lock is held as long as the server is asked, but that of a view, where hardly anybody else is. In the view of all folders it depends on the folder. */
static void flags_mkdir(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	CLEANUP(buf) struct buf keyword = BUF_INIT;
	struct making *making;
	unsigned number = 0;
	int r = view_flags_part(parent) == PART_VIEW ? number_of_name(fs, name, &keyword, &number) : -EPERM;

	if (r < 0 || !folder_of(parent)) {
		reply_made(fs, req, parent, number, r);
		return;
	}
	making = calloc(1, sizeof(*making));
	if (!making) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	making->view = parent;
	making->number = number;
	making->wait.may_leave = leave;
	wait_start(&making->wait, fs, req, made);
	r = mailbox_takes_keyword(fs->mailbox, inode_row(parent), buf_str(&keyword), &making->wait.waiter);
	if (r == -EINPROGRESS)
		return;
	wait_end(&making->wait);
	made(&making->wait, r);
}

/* A keyword that no message has any more. The system flags' directories stay, and so do folders. */
static void flags_rmdir(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	CLEANUP(buf) struct buf keyword = BUF_INIT;
	unsigned number = 0;
	int r = view_flags_part(parent) == PART_VIEW ? number_of_name(fs, name, &keyword, &number) : -EPERM;

	if (r == -EINVAL)
		r = -EBUSY;
	if (r == 0)
		r = mailbox_is_flag_in_use(fs->mailbox, folder_of(parent), buf_str(&keyword));
	if (r == 0)
		flag_numbers_unmake(&fs->flag_numbers, inode_row(parent), number);
	fuse_reply_err(req, r == 1 ? ENOTEMPTY : -r);
}

static void flags_lookup(struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	looking_lookup(fs, req, parent, name, view_flags_part(parent) == PART_VIEW ? find_flag : view_flags_find_child);
}

static int flags_list(struct fs *fs, fuse_ino_t ino, uint64_t after, struct listing *listing)
{
	return (view_flags_part(ino) == PART_VIEW ? list_flags : view_flags_list_children)(fs, ino, after, listing);
}

const struct kind_operations view_flags_operations = {
	.getattr = attributes_reply_folder,
	.lookup = flags_lookup,
	.opendir = looking_opendir,
	.list = flags_list,
	.mkdir = flags_mkdir,
	.rmdir = flags_rmdir,
	.fsyncdir = folder_change_sync,
	.link = view_flags_link,
	.unlink = view_flags_unlink,
};

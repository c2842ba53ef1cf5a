/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers for keywords, for the inodes of `.flags`: given as they are met, the same for a word in every folder, for as long as the mount lasts. And
 * which keywords a mkdir(2) made in a folder where no message has them yet. Any thread.
 */
#ifndef MAILFS_FLAG_NUMBERS_H
#define MAILFS_FLAG_NUMBERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct made_flag {
	int64_t folder;
	unsigned number;
};

struct flag_numbers {
	pthread_mutex_t lock; /* protects the rest */
	char **words;	      /* own; by number - 1. Each stays where it is */
	size_t n, cap;
	struct made_flag *made; /* own */
	size_t n_made, made_cap;
};

void flag_numbers_init(struct flag_numbers *numbers);
void flag_numbers_release(struct flag_numbers *numbers);

/* From 1 on; words that differ in case have different ones. -ENOMEM; -ENOSPC: `max` are given. */
int flag_number(struct flag_numbers *numbers, const char *word, unsigned max, unsigned *ret);
/* NULL: no such number. Valid until the release. */
const char *flag_number_word(struct flag_numbers *numbers, unsigned number);

int flag_numbers_make(struct flag_numbers *numbers, int64_t folder, unsigned number);
void flag_numbers_unmake(struct flag_numbers *numbers, int64_t folder, unsigned number);
bool flag_numbers_is_made(struct flag_numbers *numbers, int64_t folder, unsigned number);
/* The lowest number above `after` that was made in the folder; 0: none. */
unsigned flag_numbers_next_made(struct flag_numbers *numbers, int64_t folder, unsigned after);

#endif

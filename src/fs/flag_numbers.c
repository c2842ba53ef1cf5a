/* SPDX-License-Identifier: BSD-2-Clause */
#include "fs/flag_numbers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void flag_numbers_init(struct flag_numbers *numbers)
{
	*numbers = (struct flag_numbers){ 0 };
	pthread_mutex_init(&numbers->lock, NULL);
}

void flag_numbers_release(struct flag_numbers *numbers)
{
	for (size_t i = 0; i < numbers->n; i++)
		free(numbers->words[i]);
	free(numbers->words);
	free(numbers->made);
	pthread_mutex_destroy(&numbers->lock);
}

/* Room for one more of `size` bytes. Lock held. */
static int reserve(void **items, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *grown;

	if (n < *cap)
		return 0;
	grown = reallocarray(*items, more, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*cap = more;
	return 0;
}

/* Lock held; 0: not met yet. */
static unsigned find(const struct flag_numbers *numbers, const char *word)
{
	for (size_t i = 0; i < numbers->n; i++)
		if (strcmp(numbers->words[i], word) == 0)
			return (unsigned)i + 1;
	return 0;
}

static int add(struct flag_numbers *numbers, const char *word, unsigned max, unsigned *ret)
{
	char *copy;
	int r = numbers->n < max ? reserve((void **)&numbers->words, numbers->n, &numbers->cap, sizeof(*numbers->words)) : -ENOSPC;

	if (r < 0)
		return r;
	copy = strdup(word);
	if (!copy)
		return -ENOMEM;
	numbers->words[numbers->n++] = copy;
	*ret = (unsigned)numbers->n;
	return 0;
}

int flag_number(struct flag_numbers *numbers, const char *word, unsigned max, unsigned *ret)
{
	unsigned number;
	int r = 0;

	pthread_mutex_lock(&numbers->lock);
	number = find(numbers, word);
	if (number)
		*ret = number;
	else
		r = add(numbers, word, max, ret);
	pthread_mutex_unlock(&numbers->lock);
	return r;
}

const char *flag_number_word(struct flag_numbers *numbers, unsigned number)
{
	const char *word;

	pthread_mutex_lock(&numbers->lock);
	word = number > 0 && number <= numbers->n ? numbers->words[number - 1] : NULL;
	pthread_mutex_unlock(&numbers->lock);
	return word;
}

/* Lock held; n_made: none. */
static size_t find_made(const struct flag_numbers *numbers, int64_t folder, unsigned number)
{
	size_t i;

	for (i = 0; i < numbers->n_made; i++)
		if (numbers->made[i].folder == folder && numbers->made[i].number == number)
			break;
	return i;
}

int flag_numbers_make(struct flag_numbers *numbers, int64_t folder, unsigned number)
{
	int r = 0;

	pthread_mutex_lock(&numbers->lock);
	if (find_made(numbers, folder, number) == numbers->n_made) {
		r = reserve((void **)&numbers->made, numbers->n_made, &numbers->made_cap, sizeof(*numbers->made));
		if (r == 0)
			numbers->made[numbers->n_made++] = (struct made_flag){ folder, number };
	}
	pthread_mutex_unlock(&numbers->lock);
	return r;
}

void flag_numbers_unmake(struct flag_numbers *numbers, int64_t folder, unsigned number)
{
	size_t i;

	pthread_mutex_lock(&numbers->lock);
	i = find_made(numbers, folder, number);
	if (i < numbers->n_made)
		numbers->made[i] = numbers->made[--numbers->n_made];
	pthread_mutex_unlock(&numbers->lock);
}

bool flag_numbers_is_made(struct flag_numbers *numbers, int64_t folder, unsigned number)
{
	bool is_made;

	pthread_mutex_lock(&numbers->lock);
	is_made = find_made(numbers, folder, number) < numbers->n_made;
	pthread_mutex_unlock(&numbers->lock);
	return is_made;
}

unsigned flag_numbers_next_made(struct flag_numbers *numbers, int64_t folder, unsigned after)
{
	unsigned next = 0;

	pthread_mutex_lock(&numbers->lock);
	for (size_t i = 0; i < numbers->n_made; i++) {
		const struct made_flag *made = &numbers->made[i];

		if (made->folder == folder && made->number > after && (!next || made->number < next))
			next = made->number;
	}
	pthread_mutex_unlock(&numbers->lock);
	return next;
}

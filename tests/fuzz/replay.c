/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target over its corpus, tests/fuzz/corpus/NAME for the program replay_NAME, and prints TAP. A find that is
 * back crashes the program, which the driver counts as a failure.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX_BYTES = 1 << 20 };

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay(const char *directory, const char *name)
{
	CLEANUP(free) uint8_t *data = NULL;
	char path[4096];
	size_t size;
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "rb");
	if (!file)
		return -1;
	data = malloc(INPUT_MAX_BYTES);
	size = data ? fread(data, 1, INPUT_MAX_BYTES, file) : 0;
	fclose(file);
	/* Memory of the input's very size lets the sanitizers see a read past it. */
	data = size ? realloc(data, size) : data;
	return data ? LLVMFuzzerTestOneInput(data, size) : -1;
}

int main(int argc, char **argv)
{
	const char *source = getenv("MAILFS_SRCDIR");
	const char *target = argc ? strstr(argv[0], "replay_") : NULL;
	char directory[2048];
	struct dirent **entries;
	int failed = 0;
	int n;

	if (!target)
		return 1;
	snprintf(directory, sizeof directory, "%s/tests/fuzz/corpus/%s", source ? source : ".", target + strlen("replay_"));
	n = scandir(directory, &entries, is_input, alphasort);
	printf("TAP version 12\n1..%d\n", n > 0 ? n : 1);
	if (n <= 0)
		printf("not ok 1 - no corpus in %s\n", directory);
	for (int i = 0; i < n; i++) {
		int r = replay(directory, entries[i]->d_name);

		printf("%sok %d - %s\n", r ? "not " : "", i + 1, entries[i]->d_name);
		fflush(stdout);
		failed |= r;
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return failed || n <= 0;
}

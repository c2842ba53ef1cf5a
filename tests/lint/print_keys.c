/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints the keys that mailfs.conf may hold, a line each, for tests/lint/documentation.py. */
#include <stdio.h>

#include "base/configuration.h"

int main(void)
{
	const char *key;

	for (size_t i = 0; (key = configuration_key(i)); i++)
		puts(key);
	return 0;
}

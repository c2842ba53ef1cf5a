/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon: arguments, the objects built top-down, run, tear down.
 */
#include <stdio.h>

int main(void)
{
	fprintf(stderr, "usage: mailfs [-f] [-d] [--config FILE] [-o OPT[=VALUE],...] ACCOUNT MOUNTPOINT\n");
	return 1;
}

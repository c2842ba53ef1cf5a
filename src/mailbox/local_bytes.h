/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of local files: made fit for the server, compared, copied. Mapped, so that a large message takes no memory. Any thread; knows no index.
 */
#ifndef MAILFS_LOCAL_BYTES_H
#define MAILFS_LOCAL_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "store/local.h"

/* CRLF for each bare LF (RFC 5322 2.1), in a file that takes the place of the old one: who has that open reads on in it. -EINVAL: it does not begin like a message. */
int local_bytes_make_message(struct local_files *files, int64_t row, int64_t *ret_size_bytes);
bool local_bytes_are_same(int a, int b);
int local_bytes_copy(int from, int to);
bool local_bytes_hold_nul(int fd);

#endif

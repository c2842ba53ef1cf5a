/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of local files: made fit for the server, compared, copied. A large message takes no memory. Any thread; knows no index.
 */
#ifndef MAILFS_LOCAL_BYTES_H
#define MAILFS_LOCAL_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "store/local.h"

/* CRLF for each bare LF (RFC 5322 2.1), in a file that takes the place of the old one: who has that open reads on in it. */
int local_bytes_make_message(struct local_files *files, int64_t row);
/* How large that would make it. -EINVAL: it does not begin like a message. */
int local_bytes_measure(struct local_files *files, int64_t row, int64_t *ret_size_bytes);
/* Whether that would make what was written the same as what is stored. */
bool local_bytes_make_same(int written, int stored);
int local_bytes_copy(int from, int to);
bool local_bytes_hold_nul(int fd);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/status_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"

int status_file_read(const char *mountpoint, struct buf *out)
{
	CLEANUP(buf) struct buf path = BUF_INIT;
	CLEANUP(fd) int fd = -1;
	char block[4096];
	ssize_t n;

	if (buf_printf(&path, "%s/.mailfs/status", mountpoint) < 0)
		return -ENOMEM;
	fd = open(path.data, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, block, sizeof block)) > 0)
		if (buf_append(out, block, (size_t)n) < 0)
			return -ENOMEM;
	return n < 0 ? -errno : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "outbox/prepare.h"

#include "outbox/lines.h"

int prepare_message(int fd_in, int fd_out, const struct prepare_options *options, struct prepared *ret, struct buf *why)
{
	CLEANUP(survey) struct survey s = { .header = BUF_INIT };
	CLEANUP(buf) struct buf header = BUF_INIT;
	CLEANUP(parts) struct parts parts = { .list = NULL };
	struct line_writer writer;
	bool is_header_eightbit;
	int r;

	r = survey_message(fd_in, &s, why);
	if (!r)
		r = parts_plan(fd_in, &s, options->takes_eightbit, &parts, why);
	if (!r)
		r = prepare_header(&s, options, parts_encoding(&parts, 0), &header, why);
	if (r < 0)
		return r;
	line_writer_init(&writer, fd_out);
	r = line_writer_put(&writer, header.data, header.len);
	is_header_eightbit = writer.is_eightbit;
	if (!r)
		r = prepare_body(fd_in, &s, &parts, &writer, why);
	if (!r)
		r = line_writer_flush(&writer);
	if (r < 0)
		return r;
	*ret = (struct prepared){ writer.size_bytes, writer.is_eightbit, is_header_eightbit };
	return 0;
}

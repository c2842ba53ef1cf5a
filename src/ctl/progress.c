/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/progress.h"

#include "base/cleanup.h"
#include "ctl/amount.h"

void progress_sample(struct progress *p, int64_t now_ms)
{
	unsigned i = p->n_samples++ % PROGRESS_SAMPLES;

	p->samples[i].at_ms = now_ms;
	p->samples[i].bytes = p->bytes_done;
}

int64_t progress_rate(const struct progress *p)
{
	unsigned oldest = p->n_samples > PROGRESS_SAMPLES ? p->n_samples : 0;
	int64_t ms, bytes;

	if (p->n_samples < 2)
		return 0;
	oldest %= PROGRESS_SAMPLES;
	ms = p->samples[(p->n_samples - 1) % PROGRESS_SAMPLES].at_ms - p->samples[oldest].at_ms;
	bytes = p->samples[(p->n_samples - 1) % PROGRESS_SAMPLES].bytes - p->samples[oldest].bytes;
	return ms > 0 ? bytes * 1000 / ms : 0;
}

int progress_text(const struct progress *p, struct buf *out)
{
	int64_t rate = progress_rate(p);
	int64_t left = p->bytes_total - p->bytes_done;

	amount_count(out, p->messages_done);
	buf_append_str(out, " of ");
	amount_count(out, p->messages_total);
	buf_append_str(out, " messages, ");
	amount_size(out, p->bytes_done);
	buf_append_str(out, " of ");
	amount_size(out, p->bytes_total);
	if (!rate)
		return 0;
	buf_append_str(out, ", ");
	amount_size(out, rate);
	buf_append_str(out, "/s, ");
	amount_duration(out, (left + rate - 1) / rate);
	return buf_append_str(out, " left");
}

int progress_bar(const struct progress *p, unsigned columns, struct buf *out)
{
	enum { WIDEST = 30, NARROWEST = 5, FRAME = 3 };
	CLEANUP(buf) struct buf text = BUF_INIT;
	unsigned width, filled;
	int r = progress_text(p, &text);

	if (r < 0)
		return r;
	if (text.len > columns)
		buf_truncate(&text, columns);
	width = columns - (unsigned)text.len;
	if (width < NARROWEST + FRAME)
		return buf_append(out, text.data, text.len);
	width = width - FRAME < WIDEST ? width - FRAME : WIDEST;
	filled = p->bytes_total > 0 ? (unsigned)((double)p->bytes_done / (double)p->bytes_total * width) : width;
	buf_append_char(out, '[');
	for (unsigned i = 0; i < width; i++)
		buf_append_char(out, i < filled ? '#' : '.');
	buf_append_str(out, "] ");
	return buf_append(out, text.data, text.len);
}

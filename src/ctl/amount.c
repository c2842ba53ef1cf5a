/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/amount.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int amount_size(struct buf *out, int64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = bytes > 0 ? (double)bytes : 0;
	size_t unit = 0;

	if (value < 1024)
		return buf_printf(out, "%d B", (int)value);
	/* What would round to 1024 belongs to the next unit. */
	for (value /= 1024; value >= 1023.5; value /= 1024)
		unit++;
	return buf_printf(out, "%.*f %s", value < 9.95 ? 1 : 0, value, units[unit]);
}

int amount_count(struct buf *out, int64_t n)
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRId64, n > 0 ? n : 0);
	int r = 0;

	for (size_t i = 0; i < len && r == 0; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			r = buf_append_char(out, ',');
		if (r == 0)
			r = buf_append_char(out, digits[i]);
	}
	return r;
}

int amount_duration(struct buf *out, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		const char *name;
		int64_t seconds_below;
		const char *name_below;
	} units[] = { { 86400, "d", 3600, "h" }, { 3600, "h", 60, "min" }, { 60, "min", 1, "s" } };

	if (seconds < 0)
		seconds = 0;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		int64_t below = seconds % units[i].seconds / units[i].seconds_below;

		if (seconds < units[i].seconds)
			continue;
		if (!below)
			return buf_printf(out, "%" PRId64 " %s", seconds / units[i].seconds, units[i].name);
		return buf_printf(out, "%" PRId64 " %s %" PRId64 " %s", seconds / units[i].seconds, units[i].name, below,
				  units[i].name_below);
	}
	return buf_printf(out, "%" PRId64 " s", seconds);
}

int amount_percent(struct buf *out, int64_t part, int64_t whole)
{
	double percent = whole > 0 ? (double)part * 100 / (double)whole : 100;

	return buf_printf(out, "%d %%", (int)percent);
}

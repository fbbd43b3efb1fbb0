/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * units.h - sizes and durations as people write them: "64MiB", "1500", "10s", "1ms".
 *
 * A whole number and one unit, nothing else: no sign, no fraction, no space. A number without a
 * unit counts bytes, or seconds.
 */
#ifndef NPF_BASE_UNITS_H
#define NPF_BASE_UNITS_H

#include "base/base.h"
#include "base/clock.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct npf_unit {
	const char *name;
	uint64_t factor;
};

/* Return: 0; -EINVAL: not a number and a known unit; -ERANGE: too large. */
static inline int npf_parse_unit(
	const char *s, const struct npf_unit *units, size_t n_units, uint64_t *vp)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)s[0]))
		return -EINVAL;
	errno = 0;
	n = strtoull(s, &end, 10);
	if (errno != 0)
		return -ERANGE;
	for (size_t i = 0; i < n_units; i++)
		if (strcasecmp(end, units[i].name) == 0)
			return __builtin_mul_overflow(n, units[i].factor, vp) ? -ERANGE : 0;
	return -EINVAL;
}

/*
 * npf_parse_size - bytes: B; K, M, G, T and KiB, MiB, GiB, TiB by 1024; kB, MB, GB, TB by 1000; in
 * any case. Return: 0, -EINVAL or -ERANGE.
 */
static inline int npf_parse_size(const char *s, uint64_t *bytesp)
{
	static const struct npf_unit units[] = {
		{"", 1},
		{"B", 1},
		{"K", 1ull << 10},
		{"KiB", 1ull << 10},
		{"kB", 1000},
		{"M", 1ull << 20},
		{"MiB", 1ull << 20},
		{"MB", 1000000},
		{"G", 1ull << 30},
		{"GiB", 1ull << 30},
		{"GB", 1000000000},
		{"T", 1ull << 40},
		{"TiB", 1ull << 40},
		{"TB", 1000000000000},
	};

	return npf_parse_unit(s, units, NPF_ARRAY_LEN(units), bytesp);
}

/* npf_parse_duration - nanoseconds: ns, us, ms, s, m or min, h, d; in any case. Return: 0, -EINVAL
 * or -ERANGE. */
static inline int npf_parse_duration(const char *s, uint64_t *nsp)
{
	static const struct npf_unit units[] = {
		{"", NPF_NS_PER_S},
		{"ns", 1},
		{"us", NPF_NS_PER_US},
		{"ms", NPF_NS_PER_MS},
		{"s", NPF_NS_PER_S},
		{"m", 60 * NPF_NS_PER_S},
		{"min", 60 * NPF_NS_PER_S},
		{"h", 3600 * NPF_NS_PER_S},
		{"d", 86400 * NPF_NS_PER_S},
	};

	return npf_parse_unit(s, units, NPF_ARRAY_LEN(units), nsp);
}

#endif

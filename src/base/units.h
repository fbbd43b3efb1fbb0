/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * units.h - counts, sizes and durations as people write them: "64k", "64MiB", "1500", "10s",
 * "1.5ms".
 *
 * A number and one unit, nothing else: no sign, no exponent, no space. Units are read in any case.
 * A number without a unit counts things, bytes, or seconds.
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

/* The digits behind a decimal point, as n / den; 18 of them at most. Return: what follows, or NULL.
 */
static inline const char *npf_parse_fraction(const char *s, uint64_t *n, uint64_t *den)
{
	for (*n = 0, *den = 1; isdigit((unsigned char)*s) && *den < 1000000000000000000; s++) {
		*n = *n * 10 + (uint64_t)(*s - '0');
		*den *= 10;
	}
	return *den > 1 && !isdigit((unsigned char)*s) ? s : NULL;
}

/*
 * npf_parse_unit - read a number and its unit.
 * @exactp: NULL: whole numbers only; else "1.5k" is taken too: whether *vp is what was written
 *          exactly, or rounded
 * Return: 0; -EINVAL: not a number and a known unit; -ERANGE: too large.
 */
static inline int npf_parse_unit(
	const char *s, const struct npf_unit *units, size_t n_units, uint64_t *vp, bool *exactp)
{
	unsigned __int128 v;
	unsigned long long whole;
	uint64_t n = 0, den = 1;
	const char *unit;
	char *end;

	if (!isdigit((unsigned char)s[0]))
		return -EINVAL;
	errno = 0;
	whole = strtoull(s, &end, 10);
	if (errno != 0)
		return -ERANGE;
	unit = *end == '.' && exactp != NULL ? npf_parse_fraction(end + 1, &n, &den) : end;
	for (size_t i = 0; unit != NULL && i < n_units; i++) {
		if (strcasecmp(unit, units[i].name) != 0)
			continue;
		v = (unsigned __int128)n * units[i].factor;
		if (exactp != NULL)
			*exactp = v % den == 0;
		v = (v + den / 2) / den + (unsigned __int128)whole * units[i].factor;
		if (v > UINT64_MAX)
			return -ERANGE;
		*vp = (uint64_t)v;
		return 0;
	}
	return -EINVAL;
}

/* npf_parse_count - a count: k, M, G by 1000; "1.5k" is 1500. Return: 0, -EINVAL or -ERANGE. */
static inline int npf_parse_count(const char *s, uint64_t *np)
{
	static const struct npf_unit units[] = {
		{"", 1},
		{"k", 1000},
		{"M", 1000000},
		{"G", 1000000000},
	};
	bool exact = true;
	int rc = npf_parse_unit(s, units, NPF_ARRAY_LEN(units), np, &exact);

	return rc == 0 && !exact ? -EINVAL : rc;
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

	return npf_parse_unit(s, units, NPF_ARRAY_LEN(units), bytesp, NULL);
}

/* npf_parse_duration - nanoseconds, INT64_MAX at most: ns, us, ms, s, m or min, h, d; "1.5ms".
 * Return: 0, -EINVAL or -ERANGE. */
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
	bool exact;
	int rc = npf_parse_unit(s, units, NPF_ARRAY_LEN(units), nsp, &exact);

	return rc == 0 && *nsp > INT64_MAX ? -ERANGE : rc;
}

#endif

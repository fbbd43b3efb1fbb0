/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timezone.c - compares the offset week by week; where it differs, bisects for the second of the
 * change.
 *
 * Intervals are computed from a stamp's place within one, never from local time itself, which is
 * negative near the epoch and overflows near the end of 64 bits.
 */
#include "writer/feed/timezone.h"

#include "base/clock.h"

#define WEEK   (7 * 86400ll)
#define END    (1ll << 32)
#define GROWTH 64u

static const struct npf_writer_timezone utc = {.n = 1, .spans = {{0, 0}}};

static int64_t offset_at(time_t t)
{
	struct tm tm;

	return localtime_r(&t, &tm) != NULL ? (int64_t)tm.tm_gmtoff : 0;
}

static int add(struct npf_writer_timezone **zp, time_t from)
{
	struct npf_writer_timezone *z = *zp;
	unsigned int n = z != NULL ? z->n : 0;

	if (n % GROWTH == 0) {
		z = realloc(z, sizeof(*z) + (n + GROWTH) * sizeof(z->spans[0]));
		if (z == NULL)
			return -ENOMEM;
		*zp = z;
	}
	z->spans[n] = (struct npf_writer_timezone_span){
		(uint64_t)from * NPF_NS_PER_S, offset_at(from) * (int64_t)NPF_NS_PER_S};
	z->n = n + 1;
	return 0;
}

/* The first second after @low, at most @high, at which the offset is another. */
static time_t change_between(time_t low, time_t high)
{
	int64_t offset = offset_at(low);

	while (high - low > 1) {
		time_t middle = low + (high - low) / 2;

		if (offset_at(middle) == offset)
			low = middle;
		else
			high = middle;
	}
	return high;
}

int npf_writer_timezone_new(struct npf_writer_timezone **zp)
{
	struct npf_writer_timezone *z = NULL;
	int rc;

	tzset();
	rc = add(&z, 0);
	for (time_t low = 0; low < END && rc == 0; low += WEEK) {
		time_t from = low;

		while (rc == 0 && offset_at(from) != offset_at(low + WEEK)) {
			from = change_between(from, low + WEEK);
			rc = add(&z, from);
		}
	}
	if (rc < 0) {
		npf_writer_timezone_free(z);
		return rc;
	}
	*zp = z;
	return 0;
}

void npf_writer_timezone_free(struct npf_writer_timezone *z)
{
	free(z);
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Nanoseconds from the beginning of its interval to a stamp, 0 to every - 1. */
static uint64_t phase(uint64_t ts_ns, int64_t offset_ns, uint64_t every)
{
	uint64_t in_utc = ts_ns % every;
	uint64_t shift = (offset_ns < 0 ? -(uint64_t)offset_ns : (uint64_t)offset_ns) % every;

	if (offset_ns < 0 && shift > 0)
		shift = every - shift;
	return in_utc >= every - shift ? in_utc - (every - shift) : in_utc + shift;
}

void npf_writer_timezone_interval(const struct npf_writer_timezone *z, uint64_t ts_ns,
	uint64_t every_ns, uint64_t *startp, uint64_t *lastp)
{
	uint64_t into, last;
	unsigned int i = 0;

	if (z == NULL)
		z = &utc;
	while (i + 1 < z->n && z->spans[i + 1].from_ns <= ts_ns)
		i++;
	into = phase(ts_ns, z->spans[i].offset_ns, every_ns);
	last = plus(ts_ns, every_ns - into - 1);
	for (; i + 1 < z->n && last >= z->spans[i + 1].from_ns; i++) {
		int64_t forward = z->spans[i + 1].offset_ns - z->spans[i].offset_ns;
		/* Not before the change: local time may jump over the end. */
		uint64_t least = z->spans[i + 1].from_ns - 1;

		if (forward < 0)
			last = plus(last, -(uint64_t)forward);
		else
			last -= NPF_MIN((uint64_t)forward, last - least);
	}
	*startp = ts_ns - NPF_MIN(into, ts_ns);
	*lastp = last;
}

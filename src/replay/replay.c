/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.c - rates as people write them, and when the n-th packet of a replay is due.
 *
 * Every time is reckoned from the position alone, never from the packet before: the error of a time
 * is that of one division, however long the replay runs.
 */
#include "replay/replay.h"

#include "base/clock.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

/* "100" and the like. Return: what follows it; NULL: not a number above 0. */
static const char *parse_number(const char *s, double *vp)
{
	char *end;

	if (!isdigit((unsigned char)s[0]) || strncasecmp(s, "0x", 2) == 0)
		return NULL;
	*vp = strtod(s, &end);
	return isfinite(*vp) && *vp > 0 ? end : NULL;
}

/* "x2". */
static int parse_factor(const char *s, double *vp)
{
	const char *end = s[0] == 'x' ? parse_number(s + 1, vp) : NULL;

	return end != NULL && *end == '\0' ? 0 : -EINVAL;
}

/* "100kpps". */
static int parse_speed(const char *s, const char *unit, double *vp)
{
	static const char prefixes[] = "kMG";
	const char *end = parse_number(s, vp), *prefix;

	if (end == NULL)
		return -EINVAL;
	prefix = *end != '\0' ? strchr(prefixes, *end) : NULL;
	if (prefix != NULL) {
		for (const char *p = prefixes; p <= prefix; p++)
			*vp *= 1e3;
		end++;
	}
	return strcmp(end, unit) == 0 && isfinite(*vp) ? 0 : -EINVAL;
}

int npf_replay_parse_rate(const char *text, struct npf_replay_rate *rate)
{
	*rate = (struct npf_replay_rate){.kind = NPF_REPLAY_ASAP, .value = 1};
	if (strcmp(text, "asap") == 0)
		return 0;
	rate->kind = NPF_REPLAY_ORIGINAL;
	if (strcmp(text, "original") == 0)
		return 0;
	if (strncmp(text, "original ", 9) == 0)
		return parse_factor(text + 8 + strspn(text + 8, " "), &rate->value);
	if (*text == 'x')
		return parse_factor(text, &rate->value);
	rate->kind = NPF_REPLAY_PPS;
	if (parse_speed(text, "pps", &rate->value) == 0)
		return 0;
	rate->kind = NPF_REPLAY_BPS;
	return parse_speed(text, "bps", &rate->value);
}

uint64_t npf_replay_due(const struct npf_replay *r)
{
	const struct npf_savefile *f = r->file;
	double ns;

	switch (r->rate.kind) {
	case NPF_REPLAY_ORIGINAL:
		ns = ((double)r->loop * (double)f->span_ns + (double)f->packets[r->packet].at_ns) /
		     r->rate.value;
		break;
	case NPF_REPLAY_PPS:
		ns = (double)r->n * (double)NPF_NS_PER_S / r->rate.value;
		break;
	case NPF_REPLAY_BPS:
		ns = (double)npf_replay_bytes(r, r->n) * 8 * (double)NPF_NS_PER_S / r->rate.value;
		break;
	default:
		return 0;
	}
	return ns < 0x1p63 ? (uint64_t)ns : 1ull << 63;
}

void npf_replay_seek(struct npf_replay *r, uint64_t n)
{
	uint64_t in_round = n % npf_replay_round(r);

	r->n = n;
	r->loop = n / npf_replay_round(r);
	r->packet = (size_t)(in_round / r->repeat);
	r->repeated = (uint32_t)(in_round % r->repeat);
}

uint64_t npf_replay_round(const struct npf_replay *r)
{
	return (uint64_t)r->file->n_packets * r->repeat;
}

uint64_t npf_replay_bytes(const struct npf_replay *r, uint64_t n)
{
	struct npf_replay at = *r;
	const struct npf_saved *p;

	npf_replay_seek(&at, n);
	p = &r->file->packets[at.packet];
	return (at.loop * r->file->bytes + p->off) * r->repeat + (uint64_t)at.repeated * p->len;
}

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

/* "100k" and the like before a unit. Return: false: not a number above 0. */
static bool parse_number(const char *s, const char *unit, double *vp)
{
	static const char prefixes[] = "kMG";
	const char *prefix;
	char *end;
	double v = strtod(s, &end);

	if (end == s || !isdigit((unsigned char)s[0]))
		return false;
	prefix = *end != '\0' ? strchr(prefixes, *end) : NULL;
	if (prefix != NULL) {
		for (const char *p = prefixes; p <= prefix; p++)
			v *= 1e3;
		end++;
	}
	*vp = v;
	return strcmp(end, unit) == 0 && isfinite(v) && v > 0;
}

int npf_replay_parse_rate(const char *text, struct npf_replay_rate *rate)
{
	*rate = (struct npf_replay_rate){.kind = NPF_REPLAY_ASAP, .value = 1};
	if (strcmp(text, "asap") == 0)
		return 0;
	rate->kind = NPF_REPLAY_ORIGINAL;
	if (strncmp(text, "original", 8) == 0) {
		text += 8;
		text += strspn(text, " ");
		if (*text == '\0')
			return 0;
	}
	if (*text == 'x')
		return parse_number(text + 1, "", &rate->value) ? 0 : -EINVAL;
	rate->kind = NPF_REPLAY_PPS;
	if (parse_number(text, "pps", &rate->value))
		return 0;
	rate->kind = NPF_REPLAY_BPS;
	return parse_number(text, "bps", &rate->value) ? 0 : -EINVAL;
}

uint64_t npf_replay_due(const struct npf_replay *r)
{
	const struct npf_savefile *f = r->file;
	double ns;

	switch (r->rate.kind) {
	case NPF_REPLAY_ORIGINAL:
		ns = (double)(r->loop * f->span_ns + f->packets[r->packet].at_ns) / r->rate.value;
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

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rate.c - reading rates, counts and times; laying out a schedule.
 *
 * Numbers may have a fraction ("1.5Mpps"); unit names are read without regard to case, except that
 * a bare m is a minute of a time. Whatever is left over after the unit makes the text invalid.
 */
#include "txgen/measure/rate.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	enum npf_rate_kind kind;
	double factor;
};

static const struct unit rate_units[] = {
	{"", NPF_RATE_PPS, 1},
	{"pps", NPF_RATE_PPS, 1},
	{"kpps", NPF_RATE_PPS, 1e3},
	{"mpps", NPF_RATE_PPS, 1e6},
	{"gpps", NPF_RATE_PPS, 1e9},
	{"bps", NPF_RATE_BPS_L1, 1},
	{"kbps", NPF_RATE_BPS_L1, 1e3},
	{"mbps", NPF_RATE_BPS_L1, 1e6},
	{"gbps", NPF_RATE_BPS_L1, 1e9},
	{"bpsl1", NPF_RATE_BPS_L1, 1},
	{"kbpsl1", NPF_RATE_BPS_L1, 1e3},
	{"mbpsl1", NPF_RATE_BPS_L1, 1e6},
	{"gbpsl1", NPF_RATE_BPS_L1, 1e9},
	{"bpsl2", NPF_RATE_BPS_L2, 1},
	{"kbpsl2", NPF_RATE_BPS_L2, 1e3},
	{"mbpsl2", NPF_RATE_BPS_L2, 1e6},
	{"gbpsl2", NPF_RATE_BPS_L2, 1e9},
	{"%", NPF_RATE_PERCENT, 1},
};

/* A plain decimal number: no sign, no exponent, no infinity. Returns what follows it, or NULL. */
static const char *parse_number(const char *s, double *v)
{
	char digits[32];
	size_t len = strspn(s, "0123456789.");
	char *end;

	if (len == 0 || len >= sizeof(digits) || !isdigit((unsigned char)*s))
		return NULL;
	memcpy(digits, s, len);
	digits[len] = '\0';
	*v = strtod(digits, &end);
	if (*end != '\0')
		return NULL;
	s += len;
	while (*s == ' ')
		s++;
	return s;
}

int npf_rate_parse(const char *text, struct npf_rate *r)
{
	const char *unit;
	double v;

	if (strcasecmp(text, "asap") == 0 || strcasecmp(text, "max") == 0) {
		*r = (struct npf_rate){.kind = NPF_RATE_ASAP};
		return 0;
	}
	if (strncasecmp(text, "original", 8) == 0) {
		v = 1;
		if (text[8] != '\0' &&
			(text[8] != '*' || (unit = parse_number(text + 9, &v)) == NULL ||
				*unit != '\0'))
			return -EINVAL;
		if (v <= 0)
			return -EINVAL;
		*r = (struct npf_rate){.kind = NPF_RATE_ORIGINAL, .value = v};
		return 0;
	}
	unit = parse_number(text, &v);
	if (unit == NULL || v <= 0)
		return -EINVAL;
	for (size_t i = 0; i < NPF_ARRAY_LEN(rate_units); i++) {
		if (strcasecmp(unit, rate_units[i].name) == 0) {
			*r = (struct npf_rate){
				.kind = rate_units[i].kind,
				.value = v * rate_units[i].factor,
			};
			return 0;
		}
	}
	return -EINVAL;
}

const char *npf_rate_format(const struct npf_rate *r, char *buf, size_t len)
{
	static const char *const unit[] = {
		[NPF_RATE_PPS] = "pps",
		[NPF_RATE_BPS_L1] = "bps",
		[NPF_RATE_BPS_L2] = "bpsL2",
		[NPF_RATE_PERCENT] = "%",
	};
	static const struct {
		double factor;
		const char *prefix;
	} scale[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
	double v = r->value;
	const char *prefix = "";

	if (r->kind == NPF_RATE_ASAP) {
		snprintf(buf, len, "asap");
		return buf;
	}
	if (r->kind == NPF_RATE_ORIGINAL) {
		snprintf(buf, len, "original*%g", v);
		return buf;
	}
	for (size_t i = 0; i < NPF_ARRAY_LEN(scale) && r->kind != NPF_RATE_PERCENT; i++) {
		if (v >= scale[i].factor) {
			v /= scale[i].factor;
			prefix = scale[i].prefix;
			break;
		}
	}
	snprintf(buf, len, "%.9g%s%s", v, prefix, unit[r->kind]);
	return buf;
}

int npf_txgen_count_parse(const char *text, uint64_t *v)
{
	static const char suffix[] = "kmg";
	double n;
	const char *rest = parse_number(text, &n), *at;

	if (rest == NULL)
		return -EINVAL;
	if (*rest != '\0') {
		at = strchr(suffix, tolower((unsigned char)*rest));
		if (at == NULL || rest[1] != '\0')
			return -EINVAL;
		for (const char *s = suffix; s <= at; s++)
			n *= 1000;
	} else {
		char *end;

		errno = 0;
		*v = strtoull(text, &end, 10);
		return *end != '\0' || errno != 0 ? -EINVAL : 0;
	}
	if (n >= 0x1p63 || n != floor(n))
		return -EINVAL;
	*v = (uint64_t)n;
	return 0;
}

int npf_txgen_time_parse(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"m", 60e9},
		{"min", 60e9}, {"h", 3600e9}};
	double v;
	const char *rest = parse_number(text, &v);

	for (size_t i = 0; rest != NULL && i < NPF_ARRAY_LEN(units); i++) {
		if (strcmp(rest, units[i].name) == 0) {
			v *= units[i].ns;
			if (v >= 0x1p63)
				return -EINVAL;
			*ns = (uint64_t)llround(v);
			return 0;
		}
	}
	return -EINVAL;
}

static uint64_t cycles(uint64_t ns, uint64_t hz)
{
	return (uint64_t)((unsigned __int128)ns * hz / 1000000000u);
}

void npf_txgen_pace_init(
	struct npf_txgen_pace *p, const struct npf_txgen_pace_conf *conf, uint64_t t0)
{
	const struct npf_rate *r = &conf->rate;
	long double step;

	*p = (struct npf_txgen_pace){
		.kind = r->kind,
		.due = t0,
		.train = conf->train,
		.left = conf->train,
		.gap = cycles(conf->gap_ns, conf->hz),
		.slack = cycles(3000, conf->hz),
		.lag_shift = 63 - (unsigned int)__builtin_clzll(cycles(4000000, conf->hz) | 1),
	};
	switch (r->kind) {
	case NPF_RATE_PPS:
		step = (long double)conf->hz * conf->n_queues / r->value;
		p->step = (uint64_t)step;
		p->step_frac = (uint32_t)((step - (long double)p->step) * 0x1p32L);
		p->half = p->step / 2;
		p->due += (uint64_t)(step * conf->queue / conf->n_queues);
		break;
	case NPF_RATE_BPS_L1:
	case NPF_RATE_BPS_L2:
		step = 8.0L * conf->hz * conf->n_queues / r->value;
		p->per_byte = (unsigned __int128)(step * 0x1p64L);
		p->extra = r->kind == NPF_RATE_BPS_L1 ? NPF_RATE_L1_OVERHEAD : 0;
		break;
	default:
		break;
	}
}

uint64_t npf_txgen_pace_total(const struct npf_rate *r, uint64_t duration_ns)
{
	if (r->kind != NPF_RATE_PPS)
		return 0;
	/* Rounded first: a rate like 0.1 pps must not gain a packet by its binary fraction. */
	return (uint64_t)ceill(roundl((long double)r->value * duration_ns / 1e9L * 1e6L) / 1e6L);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* rate.c - reading and writing rates. Whatever is left over behind a unit makes the text invalid.
 */
#include "base/rate.h"

#include <ctype.h>
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
	{"bps", NPF_RATE_BPS_L2, 1},
	{"kbps", NPF_RATE_BPS_L2, 1e3},
	{"mbps", NPF_RATE_BPS_L2, 1e6},
	{"gbps", NPF_RATE_BPS_L2, 1e9},
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
	return s + len;
}

/* "*2" and the like behind `original`, or "x2" alone. Return: 0 or -EINVAL. */
static int parse_factor(const char *s, struct npf_rate *r)
{
	const char *end = parse_number(s, &r->value);

	r->kind = NPF_RATE_ORIGINAL;
	return end != NULL && *end == '\0' && r->value > 0 ? 0 : -EINVAL;
}

static int parse_original(const char *s, struct npf_rate *r)
{
	const char *blanks = s;

	*r = (struct npf_rate){.kind = NPF_RATE_ORIGINAL, .value = 1};
	if (*s == '\0')
		return 0;
	if (*s == '*')
		return parse_factor(s + 1, r);
	s += strspn(s, " ");
	return s > blanks && *s == 'x' ? parse_factor(s + 1, r) : -EINVAL;
}

int npf_rate_parse(const char *text, struct npf_rate *r)
{
	const char *unit;
	double v;

	if (strcasecmp(text, "asap") == 0 || strcasecmp(text, "max") == 0) {
		*r = (struct npf_rate){.kind = NPF_RATE_ASAP};
		return 0;
	}
	if (strncasecmp(text, "original", 8) == 0)
		return parse_original(text + 8, r);
	if (*text == 'x')
		return parse_factor(text + 1, r);
	unit = parse_number(text, &v);
	if (unit == NULL || v <= 0)
		return -EINVAL;
	for (size_t i = 0; i < NPF_ARRAY_LEN(rate_units); i++) {
		if (strcasecmp(unit, rate_units[i].name) != 0)
			continue;
		r->kind = rate_units[i].kind;
		r->value = v * rate_units[i].factor;
		return 0;
	}
	return -EINVAL;
}

const char *npf_rate_format(const struct npf_rate *r, char *buf, size_t len)
{
	static const char *const unit[] = {
		[NPF_RATE_PPS] = "pps",
		[NPF_RATE_BPS_L1] = "bpsL1",
		[NPF_RATE_BPS_L2] = "bps",
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

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * values.c - the parser of varying values, and positions in them.
 *
 * All mistakes of the text are found here: afterwards every index gives a value that fits its
 * field. Counts stay below 2^63, so that index + stride never wraps.
 */
#include "txgen/packet/values.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SCALAR_LEN 64

struct scalar {
	uint64_t high; /* upper 64 bits of an IPv6 address */
	uint64_t value;
	int prefix; /* length after '/', or -1 */
};

struct parser {
	const struct npf_txgen_values_rule *rule;
	struct npf_error *err;
};

static int parse_uint(const char *s, uint64_t *v)
{
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*v = strtoull(s, &end, 0);
	return *end != '\0' || errno != 0 ? -EINVAL : 0;
}

static int parse_mac(const char *s, uint64_t *v)
{
	unsigned int b[6];
	int n = 0;

	if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &n) !=
			6 ||
		s[n] != '\0')
		return -EINVAL;
	*v = 0;
	for (int i = 0; i < 6; i++)
		*v = *v << 8 | b[i];
	return 0;
}

static uint64_t load_be64(const uint8_t *b)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | b[i];
	return v;
}

static int parse_flags(const char *s, uint64_t *v)
{
	static const char letters[] = "FSRPAUEC";

	if (isdigit((unsigned char)*s))
		return parse_uint(s, v);
	*v = 0;
	for (; *s != '\0'; s++) {
		const char *at = strchr(letters, toupper((unsigned char)*s));

		if (at == NULL)
			return -EINVAL;
		*v |= 1u << (at - letters);
	}
	return 0;
}

static int parse_scalar(struct parser *p, const char *s, size_t len, struct scalar *out)
{
	static const char *const what[] = {
		[NPF_TXGEN_SCALAR_UINT] = "a number",
		[NPF_TXGEN_SCALAR_MAC] = "a MAC address",
		[NPF_TXGEN_SCALAR_IP4] = "an IPv4 address",
		[NPF_TXGEN_SCALAR_IP6] = "an IPv6 address",
		[NPF_TXGEN_SCALAR_FLAGS] = "TCP flags (letters FSRPAUEC or a number)",
	};
	char text[SCALAR_LEN];
	uint8_t addr[16];
	char *slash;
	int rc;

	*out = (struct scalar){.prefix = -1};
	if (len == 0 || len >= sizeof(text))
		return npf_error_set(p->err, -EINVAL, "'%.*s' is not %s", (int)NPF_MIN(len, 64u), s,
			what[p->rule->scalar]);
	memcpy(text, s, len);
	text[len] = '\0';

	switch (p->rule->scalar) {
	case NPF_TXGEN_SCALAR_UINT:
		rc = parse_uint(text, &out->value);
		break;
	case NPF_TXGEN_SCALAR_MAC:
		rc = parse_mac(text, &out->value);
		break;
	case NPF_TXGEN_SCALAR_FLAGS:
		rc = parse_flags(text, &out->value);
		break;
	default:
		slash = strchr(text, '/');
		if (slash != NULL) {
			uint64_t bits;

			*slash = '\0';
			if (parse_uint(slash + 1, &bits) < 0 ||
				bits > (p->rule->scalar == NPF_TXGEN_SCALAR_IP4 ? 32 : 128))
				return npf_error_set(
					p->err, -EINVAL, "'/%s' is not a prefix length", slash + 1);
			out->prefix = (int)bits;
		}
		if (p->rule->scalar == NPF_TXGEN_SCALAR_IP4) {
			rc = inet_pton(AF_INET, text, addr) == 1 ? 0 : -EINVAL;
			out->value = load_be64(addr) >> 32;
		} else {
			rc = inet_pton(AF_INET6, text, addr) == 1 ? 0 : -EINVAL;
			out->high = load_be64(addr);
			out->value = load_be64(addr + 8);
		}
	}
	if (rc < 0)
		return npf_error_set(
			p->err, rc, "'%.*s' is not %s", (int)len, s, what[p->rule->scalar]);
	if (out->value > p->rule->max)
		return npf_error_set(
			p->err, -ERANGE, "%.*s is above %" PRIu64, (int)len, s, p->rule->max);
	return 0;
}

static int parse_prefix(struct parser *p, const struct scalar *a, struct npf_txgen_values *v)
{
	int bits = (p->rule->scalar == NPF_TXGEN_SCALAR_IP4 ? 32 : 128) - a->prefix;

	if (bits > 62)
		return npf_error_set(p->err, -ERANGE,
			"a prefix of more than 2^62 addresses cannot be stepped through");
	*v = (struct npf_txgen_values){
		.kind = NPF_TXGEN_VALUES_RANGE,
		.first = a->value & ~((1ull << bits) - 1),
		.step = 1,
		.count = 1ull << bits,
	};
	return 0;
}

/* A '-' or '/' inside no scalar of ours; MAC and IPv6 addresses use ':' only. */
static int parse_range(struct parser *p, const char *s, struct npf_txgen_values *v, uint64_t *high)
{
	size_t first_len = strcspn(s, "-");
	const char *rest = s + first_len;
	struct scalar a, b, at;
	uint64_t step = 1, start = 0, span;
	int rc = parse_scalar(p, s, first_len, &a);

	if (rc < 0)
		return rc;
	*high = a.high;
	if (*rest == '\0') {
		if (a.prefix >= 0)
			return parse_prefix(p, &a, v);
		npf_txgen_values_const(v, a.value);
		return 0;
	}
	rest++;
	rc = parse_scalar(p, rest, strcspn(rest, "+@"), &b);
	if (rc < 0)
		return rc;
	rest += strcspn(rest, "+@");
	if (*rest == '+') {
		char *end;

		errno = 0;
		step = strtoull(rest + 1, &end, 0);
		if (!isdigit((unsigned char)rest[1]) || errno != 0 || step == 0 ||
			(*end != '\0' && *end != '@'))
			return npf_error_set(p->err, -EINVAL,
				"'%s': the step after '+' is a positive number", rest);
		rest = end;
	}
	span = a.value <= b.value ? b.value - a.value : a.value - b.value;
	if (*rest == '@') {
		uint64_t off;

		rc = parse_scalar(p, rest + 1, strlen(rest + 1), &at);
		if (rc < 0)
			return rc;
		off = a.value <= b.value ? at.value - a.value : a.value - at.value;
		if (off > span || off % step != 0 || at.high != a.high)
			return npf_error_set(
				p->err, -EINVAL, "'%s' is not one of the range's values", rest);
		start = off / step;
	}
	if (a.prefix >= 0 || b.prefix >= 0)
		return npf_error_set(p->err, -EINVAL, "a range of prefixes makes no sense");
	if (a.high != b.high)
		return npf_error_set(
			p->err, -ERANGE, "only the low 64 bits of an IPv6 address can vary");
	if (span / step >= 1ull << 62)
		return npf_error_set(p->err, -ERANGE,
			"a range of more than 2^62 values cannot be stepped through");
	*v = (struct npf_txgen_values){
		.kind = span / step != 0 ? NPF_TXGEN_VALUES_RANGE : NPF_TXGEN_VALUES_CONST,
		.first = a.value,
		.step = a.value <= b.value ? step : -step,
		.count = span / step + 1,
		.start = start,
	};
	return 0;
}

static int parse_random(struct parser *p, const char *s, struct npf_txgen_values *v, uint64_t *high)
{
	uint64_t min = p->rule->random_min, max = p->rule->random_max;

	*high = 0;
	if (*s == ':') {
		struct npf_txgen_values range = {0};
		int rc = parse_range(p, s + 1, &range, high);

		if (rc < 0)
			return rc;
		if (range.kind != NPF_TXGEN_VALUES_RANGE || range.step != 1 || range.start > 0)
			return npf_error_set(p->err, -EINVAL,
				"'random%s': a plain ascending range must follow", s);
		min = range.first;
		max = range.first + range.count - 1;
	} else if (*s != '\0') {
		return npf_error_set(
			p->err, -EINVAL, "'random%s': write random or random:MIN-MAX", s);
	} else if (p->rule->scalar == NPF_TXGEN_SCALAR_IP6) {
		*high = 0x2001000200000000ull; /* 2001:2::/48, RFC 5180: benchmarking */
	}
	*v = (struct npf_txgen_values){
		.kind = NPF_TXGEN_VALUES_RANDOM,
		.first = min,
		.count = max - min + 1,
	};
	return 0;
}

/* Items separated by '|', each with an optional weight "x7" (numbers only). */
static int parse_list(struct parser *p, const char *s, struct npf_txgen_values *v, uint64_t *high)
{
	npf_autofree uint64_t *list = malloc(NPF_TXGEN_VALUES_LIST_MAX * sizeof(*list));
	uint64_t count = 0;

	if (list == NULL)
		return npf_error_set(p->err, -ENOMEM, "out of memory");
	for (;;) {
		size_t len = strcspn(s, "|"), item_len = len;
		uint64_t weight = 1;
		struct scalar a;
		const char *x = len > 2 ? memchr(s + 1, 'x', len - 1) : NULL;
		int rc;

		if (x != NULL && s[0] == '0' && x == s + 1) /* the x of 0x1f is no weight */
			x = memchr(x + 1, 'x', len - 2);
		if (p->rule->scalar == NPF_TXGEN_SCALAR_UINT && x != NULL) {
			char *end;

			weight = strtoull(x + 1, &end, 10);
			if (!isdigit((unsigned char)x[1]) || end != s + len || weight == 0)
				return npf_error_set(p->err, -EINVAL,
					"'%.*s': the weight after 'x' is a number", (int)len, s);
			item_len = (size_t)(x - s);
		}
		rc = parse_scalar(p, s, item_len, &a);
		if (rc < 0)
			return rc;
		if (a.prefix >= 0 || (count > 0 && a.high != *high))
			return npf_error_set(p->err, -EINVAL,
				"'%.*s' does not fit the list's first item", (int)len, s);
		*high = a.high;
		if (weight > NPF_TXGEN_VALUES_LIST_MAX - count)
			return npf_error_set(p->err, -ERANGE,
				"a list has at most %d items, weights counted",
				NPF_TXGEN_VALUES_LIST_MAX);
		while (weight-- > 0)
			list[count++] = a.value;
		if (s[len] == '\0')
			break;
		s += len + 1;
	}
	*v = (struct npf_txgen_values){.kind = NPF_TXGEN_VALUES_LIST, .count = count};
	v->list = npf_steal_ptr(&list);
	return 0;
}

static bool is_list(const struct npf_txgen_values_rule *rule, const char *s)
{
	if (strchr(s, '|') != NULL)
		return true;
	return rule->scalar == NPF_TXGEN_SCALAR_UINT && strlen(s) > 2 &&
	       isdigit((unsigned char)*s) && strchr(s + 2, 'x') != NULL &&
	       strpbrk(s, "-+@") == NULL;
}

int npf_txgen_values_parse(const char *text, const struct npf_txgen_values_rule *rule,
	struct npf_txgen_values *v, uint64_t *high, struct npf_error *err)
{
	struct parser p = {rule, err};
	struct npf_txgen_values got = {0};
	uint64_t got_high = 0;
	int rc;

	if (strncmp(text, "random", 6) == 0)
		rc = parse_random(&p, text + 6, &got, &got_high);
	else if (is_list(rule, text))
		rc = parse_list(&p, text, &got, &got_high);
	else
		rc = parse_range(&p, text, &got, &got_high);
	if (rc < 0)
		return rc;
	*v = got;
	if (high != NULL)
		*high = got_high;
	return 0;
}

void npf_txgen_values_fini(struct npf_txgen_values *v)
{
	free(v->list);
	*v = (struct npf_txgen_values){0};
}

int npf_txgen_values_copy(const struct npf_txgen_values *from, struct npf_txgen_values *to)
{
	*to = *from;
	if (from->kind != NPF_TXGEN_VALUES_LIST)
		return 0;
	to->list = malloc(from->count * sizeof(*to->list));
	if (to->list == NULL) {
		*to = (struct npf_txgen_values){0};
		return -ENOMEM;
	}
	memcpy(to->list, from->list, from->count * sizeof(*to->list));
	return 0;
}

void npf_txgen_values_const(struct npf_txgen_values *v, uint64_t value)
{
	*v = (struct npf_txgen_values){.kind = NPF_TXGEN_VALUES_CONST, .first = value, .count = 1};
}

uint64_t npf_txgen_values_at(const struct npf_txgen_values *v, uint64_t i)
{
	struct npf_txgen_cursor c;

	npf_txgen_cursor_init(&c, v, i, 1);
	return npf_txgen_cursor_next(&c);
}

uint64_t npf_txgen_values_min(const struct npf_txgen_values *v)
{
	uint64_t last = v->first + (v->count - 1) * v->step, min;

	switch (v->kind) {
	case NPF_TXGEN_VALUES_RANGE:
		return NPF_MIN(v->first, last);
	case NPF_TXGEN_VALUES_LIST:
		min = v->list[0];
		for (uint64_t i = 1; i < v->count; i++)
			min = NPF_MIN(min, v->list[i]);
		return min;
	default:
		return v->first;
	}
}

uint64_t npf_txgen_values_max(const struct npf_txgen_values *v)
{
	uint64_t last = v->first + (v->count - 1) * v->step, max;

	switch (v->kind) {
	case NPF_TXGEN_VALUES_RANGE:
		return NPF_MAX(v->first, last);
	case NPF_TXGEN_VALUES_RANDOM:
		return v->first + v->count - 1;
	case NPF_TXGEN_VALUES_LIST:
		max = v->list[0];
		for (uint64_t i = 1; i < v->count; i++)
			max = NPF_MAX(max, v->list[i]);
		return max;
	default:
		return v->first;
	}
}

void npf_txgen_cursor_init(
	struct npf_txgen_cursor *c, const struct npf_txgen_values *v, uint64_t at, uint64_t stride)
{
	*c = (struct npf_txgen_cursor){
		.kind = v->kind,
		.count = v->count,
		.first = v->first,
		.step = v->step,
		.list = v->list,
	};
	if (v->kind == NPF_TXGEN_VALUES_RANDOM) {
		c->index = npf_txgen_mix64(v->seed) + at * NPF_TXGEN_MIX_STEP;
		c->stride = stride * NPF_TXGEN_MIX_STEP;
	} else if (v->kind != NPF_TXGEN_VALUES_CONST) {
		c->index = (v->start + at % v->count) % v->count;
		c->stride = stride % v->count;
	}
}

void npf_txgen_cursor_skip(struct npf_txgen_cursor *c, uint64_t n)
{
	if (c->kind == NPF_TXGEN_VALUES_RANDOM)
		c->index += n * NPF_TXGEN_MIX_STEP;
	else if (c->kind != NPF_TXGEN_VALUES_CONST)
		c->index = (c->index + n % c->count) % c->count;
}

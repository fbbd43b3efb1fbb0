/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * setfile.c - a set file becomes chains of compares, of which chains.c makes lookups.
 *
 * The items are first sorted into lists by kind. A jump of classic BPF reaches 255 instructions, so
 * a chain is cut into pieces, each with a return of its own and a jump over it. Items may be listed
 * twice: the lookup drops doubles.
 */
#include "expression/expression.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PIECE 250 /* compares in one piece of a chain */

struct item4 {
	uint32_t mask, addr;
};

struct item6 {
	uint32_t prefix;
	uint32_t word[4];
};

struct range {
	uint32_t lo, hi;
};

struct list {
	void *at;
	size_t n, cap;
};

struct set {
	struct list v4, v6, ports; /* of item4, item6, range */
	struct list insns;
	uint32_t keep;
	bool failed;
	struct npf_bpf_error *err;
};

static void *list_add(struct set *s, struct list *l, size_t size)
{
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 64 : l->cap * 2;
		void *at = realloc(l->at, cap * size);

		if (at == NULL) {
			s->failed = true;
			return NULL;
		}
		l->at = at;
		l->cap = cap;
	}
	return (char *)l->at + l->n++ * size;
}

static NPF_PRINTF(3, 4) int fault(struct set *s, uint32_t line, const char *fmt, ...)
{
	va_list ap;

	if (s->err != NULL) {
		s->err->pc = line;
		va_start(ap, fmt);
		vsnprintf(s->err->reason, sizeof(s->err->reason), fmt, ap);
		va_end(ap);
	}
	return -EINVAL;
}

/* A decimal number up to max that fills the string; false if it is not one. */
static bool parse_number(const char *text, uint32_t max, uint32_t *np)
{
	uint64_t n = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > max)
			return false;
	}
	*np = (uint32_t)n;
	return true;
}

static int parse_ports(struct set *s, char *text, uint32_t line)
{
	char *dash = strchr(text, '-');
	struct range r;
	struct range *to;

	if (dash != NULL)
		*dash++ = '\0';
	if (!parse_number(text, UINT16_MAX, &r.lo) ||
		!parse_number(dash != NULL ? dash : text, UINT16_MAX, &r.hi) || r.lo > r.hi)
		return fault(s, line, "a port is a number up to 65535, or two with - between them");
	to = list_add(s, &s->ports, sizeof(r));
	if (to != NULL)
		*to = r;
	return 0;
}

static int parse_address(struct set *s, char *text, uint32_t line)
{
	char *slash = strchr(text, '/');
	uint32_t prefix;
	struct in6_addr a6;
	struct in_addr a4;

	if (slash != NULL)
		*slash++ = '\0';
	if (inet_pton(AF_INET, text, &a4) == 1) {
		struct item4 item = {.mask = UINT32_MAX, .addr = ntohl(a4.s_addr)};
		struct item4 *to;

		if (slash != NULL && !parse_number(slash, 32, &prefix))
			return fault(s, line, "the length of an IPv4 net is a number up to 32");
		if (slash != NULL)
			item.mask = prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
		if ((item.addr & ~item.mask) != 0)
			return fault(s, line, "bits are set beyond the net's length");
		to = list_add(s, &s->v4, sizeof(item));
		if (to != NULL)
			*to = item;
		return 0;
	}
	if (inet_pton(AF_INET6, text, &a6) == 1) {
		struct item6 item = {.prefix = 128};
		struct item6 *to;

		if (slash != NULL && !parse_number(slash, 128, &item.prefix))
			return fault(s, line, "the length of an IPv6 net is a number up to 128");
		memcpy(item.word, &a6, sizeof(item.word));
		for (unsigned int i = 0; i < 4; i++) {
			const uint32_t left = item.prefix > 32 * i ? item.prefix - 32 * i : 0;

			item.word[i] = ntohl(item.word[i]);
			if (left < 32 && (item.word[i] & (UINT32_MAX >> left)) != 0)
				return fault(s, line, "bits are set beyond the net's length");
		}
		to = list_add(s, &s->v6, sizeof(item));
		if (to != NULL)
			*to = item;
		return 0;
	}
	return fault(s, line, "neither an address, a net nor a port: %.60s", text);
}

static int parse_line(struct set *s, char *text, uint32_t line)
{
	char *end;

	text[strcspn(text, "#")] = '\0';
	text += strspn(text, " \t\r");
	for (end = text + strlen(text); end > text && strchr(" \t\r", end[-1]) != NULL; end--)
		;
	*end = '\0';
	if (*text == '\0')
		return 0;
	if (strncmp(text, "port", 4) == 0 && (text[4] == ' ' || text[4] == '\t'))
		return parse_ports(s, text + 4 + strspn(text + 4, " \t"), line);
	return parse_address(s, text, line);
}

static int parse(struct set *s, const char *text, size_t len)
{
	const char *end = text + len;
	uint32_t line = 0;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const size_t n = (size_t)((nl != NULL ? nl : end) - text);
		char copy[256];
		int rc;

		line++;
		if (n >= sizeof(copy))
			return fault(s, line, "the line is too long");
		memcpy(copy, text, n);
		copy[n] = '\0';
		if (strlen(copy) != n)
			return fault(s, line, "the line has a zero byte in it");
		rc = parse_line(s, copy, line);
		if (rc < 0)
			return rc;
		text += n + (nl != NULL);
	}
	if (s->v4.n + s->v6.n + s->ports.n == 0)
		return fault(s, line, "there is no item");
	return 0;
}

static size_t insn(struct set *s, uint16_t code, uint32_t k)
{
	struct npf_bpf_insn *in = list_add(s, &s->insns, sizeof(*in));

	if (in != NULL)
		*in = (struct npf_bpf_insn){.code = code, .k = k};
	return s->insns.n - 1;
}

static struct npf_bpf_insn *at(struct set *s, size_t pc)
{
	return (struct npf_bpf_insn *)s->insns.at + pc;
}

static void accept_packet(struct set *s)
{
	insn(s, OP_RET_K, s->keep);
}

static void reject_packet(struct set *s)
{
	insn(s, OP_RET_K, 0);
}

/* The compares from `first` on: whichever is true accepts; when none is, go on behind them. */
static void close_piece(struct set *s, size_t first)
{
	const size_t n = s->insns.n - first;

	if (s->failed || n == 0)
		return;
	insn(s, OP_JA, 1);
	accept_packet(s);
	if (s->failed)
		return;
	for (size_t i = first; i < first + n; i++)
		at(s, i)->jt = (uint8_t)(first + n + 1 - (i + 1));
}

/* Compares of A, which holds an address so masked, with the nets of this size. */
static void chain4(struct set *s, uint32_t mask)
{
	size_t first = s->insns.n;

	for (size_t i = 0; i < s->v4.n && !s->failed; i++) {
		const struct item4 *item = (struct item4 *)s->v4.at + i;

		if (item->mask != mask)
			continue;
		insn(s, OP_JEQ_K, item->addr);
		if (s->insns.n - first == PIECE) {
			close_piece(s, first);
			first = s->insns.n;
		}
	}
	close_piece(s, first);
}

static void address4(struct set *s, uint32_t off)
{
	uint64_t sizes = 0; /* bit n: there are nets of length n */

	for (size_t i = 0; i < s->v4.n; i++)
		sizes |= 1ull << __builtin_popcount(((struct item4 *)s->v4.at)[i].mask);
	for (uint32_t size = 32; size <= 32; size--) {
		const uint32_t mask = size == 0 ? 0 : UINT32_MAX << (32 - size);

		if ((sizes & 1ull << size) == 0)
			continue;
		insn(s, OP_LD_W_ABS, off);
		if (size < 32)
			insn(s, OP_AND_K, mask);
		chain4(s, mask);
	}
}

static void address6(struct set *s, uint32_t off)
{
	for (size_t i = 0; i < s->v6.n && !s->failed; i++) {
		const struct item6 *item = (struct item6 *)s->v6.at + i;
		size_t tests[4];
		unsigned int n = 0;

		for (unsigned int w = 0; w < 4 && 32 * w < NPF_MAX(item->prefix, 1u); w++) {
			const uint32_t left = item->prefix - 32 * w;

			insn(s, OP_LD_W_ABS, off + 4 * w);
			if (left < 32)
				insn(s, OP_AND_K, left == 0 ? 0 : UINT32_MAX << (32 - left));
			tests[n++] = insn(s, OP_JEQ_K, item->word[w]);
		}
		accept_packet(s);
		for (unsigned int t = 0; t < n && !s->failed; t++)
			at(s, tests[t])->jf = (uint8_t)(s->insns.n - tests[t] - 1);
	}
}

static void port_at(struct set *s, uint16_t load, uint32_t off)
{
	size_t first;

	insn(s, load, off);
	first = s->insns.n;
	for (size_t i = 0; i < s->ports.n && !s->failed; i++) {
		const struct range *r = (struct range *)s->ports.at + i;

		if (r->lo != r->hi)
			continue;
		insn(s, OP_JEQ_K, r->lo);
		if (s->insns.n - first == PIECE) {
			close_piece(s, first);
			first = s->insns.n;
		}
	}
	close_piece(s, first);
	for (size_t i = 0; i < s->ports.n && !s->failed; i++) {
		const struct range *r = (struct range *)s->ports.at + i;
		size_t pc;

		if (r->lo == r->hi)
			continue;
		pc = insn(s, OP_JGE_K, r->lo);
		insn(s, OP_JGT_K, r->hi);
		accept_packet(s);
		if (s->failed)
			return;
		at(s, pc)->jf = 2;
		at(s, pc + 1)->jt = 1;
	}
}

/* Go on if A, the protocol, has ports; else reject. */
static void need_ports(struct set *s)
{
	size_t pc = insn(s, OP_JEQ_K, 132);

	insn(s, OP_JEQ_K, 6);
	insn(s, OP_JEQ_K, 17);
	reject_packet(s);
	if (s->failed)
		return;
	at(s, pc)->jt = 3;
	at(s, pc + 1)->jt = 2;
	at(s, pc + 2)->jt = 1;
}

static void ip4(struct set *s)
{
	size_t pc;

	if (s->v4.n > 0) {
		address4(s, 26);
		address4(s, 30);
	}
	if (s->ports.n > 0) {
		insn(s, OP_LD_B_ABS, 23);
		need_ports(s);
		insn(s, OP_LD_H_ABS, 20);
		pc = insn(s, OP_JSET_K, 0x1fff);
		reject_packet(s);
		if (s->failed)
			return;
		at(s, pc)->jf = 1;
		insn(s, OP_LDX_MSH, 14);
		port_at(s, OP_LD_H_IND, 14);
		port_at(s, OP_LD_H_IND, 16);
	}
	reject_packet(s);
}

static void ip6(struct set *s)
{
	if (s->v6.n > 0) {
		address6(s, 22);
		address6(s, 38);
	}
	if (s->ports.n > 0) {
		insn(s, OP_LD_B_ABS, 20);
		need_ports(s);
		port_at(s, OP_LD_H_ABS, 54);
		port_at(s, OP_LD_H_ABS, 56);
	}
	reject_packet(s);
}

static void arp(struct set *s)
{
	if (s->v4.n > 0) {
		address4(s, 28);
		address4(s, 38);
	}
	reject_packet(s);
}

static void program(struct set *s)
{
	static const uint32_t types[] = {0x800, 0x86dd, 0x806, 0x8035};
	size_t jumps[4];

	insn(s, OP_LD_H_ABS, 12);
	for (unsigned int i = 0; i < 4; i++) {
		size_t pc = insn(s, OP_JEQ_K, types[i]);

		jumps[i] = insn(s, OP_JA, 0);
		if (s->failed)
			return;
		at(s, pc)->jf = 1;
	}
	reject_packet(s);
	for (unsigned int i = 0; i < 4 && !s->failed; i++) {
		if (i < 3)
			at(s, jumps[i])->k = (uint32_t)(s->insns.n - jumps[i] - 1);
		if (i == 2)
			at(s, jumps[3])->k = (uint32_t)(s->insns.n - jumps[3] - 1);
		if (i == 0)
			ip4(s);
		else if (i == 1)
			ip6(s);
		else if (i == 2)
			arp(s);
	}
}

int npf_expression_compile_set(const char *text, size_t len, uint32_t keep,
	struct npf_bpf_insn **insnsp, uint32_t *n_insnsp, struct npf_bpf_error *err)
{
	struct set s = {.keep = keep, .err = err};
	int rc = parse(&s, text, len);

	if (rc == 0) {
		program(&s);
		if (s.failed)
			rc = -ENOMEM;
		else if (s.insns.n > NPF_BPF_MAXINSNS)
			rc = fault(&s, 0, "too many items: %zu instructions, at most %u", s.insns.n,
				NPF_BPF_MAXINSNS);
	}
	free(s.v4.at);
	free(s.v6.at);
	free(s.ports.at);
	if (rc < 0) {
		free(s.insns.at);
		return rc;
	}
	*insnsp = s.insns.at;
	*n_insnsp = (uint32_t)s.insns.n;
	return 0;
}

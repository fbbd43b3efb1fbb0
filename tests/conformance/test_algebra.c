/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_algebra.c - a value that is simplified as it is made is the value, whatever the packet.
 *
 * usage: test_algebra [EXPRESSIONS [SEED]]
 *
 * Random values are made twice, of the same operations: simplified, and as they are. Loads and
 * constants are small or at the ends of their ranges, so that compares meet, exclude and imply each
 * other. Both are evaluated on the same packets.
 */
#include "conformance/gen.h"
#include "jit/inspect/inspect.h"

#include <stdio.h>

#define N_BYTES   6
#define N_VALUES  48
#define N_PACKETS 6

/* A value in both programs, and is it 0 or 1? */
struct twin {
	uint32_t plain, simple;
	bool is_bit;
};

struct twins {
	struct ir plain, simple;
	struct twin at[N_VALUES];
	uint32_t n;
};

static uint32_t constant(struct gen *g)
{
	static const uint32_t ends[] = {
		254, 255, 256, 65535, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, UINT32_MAX};

	return gen_below(g, 4) != 0 ? gen_below(g, 6) : ends[gen_below(g, NPF_ARRAY_LEN(ends))];
}

static void add(struct twins *t, uint32_t plain, uint32_t simple, bool is_bit)
{
	if (t->n < N_VALUES)
		t->at[t->n++] = (struct twin){plain, simple, is_bit};
}

static struct twin pick(struct gen *g, const struct twins *t, bool is_bit)
{
	uint32_t i = gen_below(g, t->n);

	while (is_bit && !t->at[i].is_bit)
		i = (i + 1) % t->n;
	return t->at[i];
}

static void add_op(
	struct twins *t, enum ir_op op, struct twin a, struct twin b, struct twin c, bool is_bit)
{
	add(t, ir_op(&t->plain, op, a.plain, b.plain, c.plain, 0),
		ir_op(&t->simple, op, a.simple, b.simple, c.simple, 0), is_bit);
}

static uint32_t set_of(struct ir *ir, const uint32_t k[3])
{
	uint32_t *mine = malloc(3 * sizeof(*mine));

	if (mine == NULL)
		abort();
	for (unsigned int i = 0; i < 3; i++)
		mine[i] = k[i];
	return ir_set_new(ir, mine, 3);
}

static void add_lookup(struct gen *g, struct twins *t)
{
	static const uint32_t sets[3][3] = {{0, 2, 5}, {1, 2, 3}, {1, 255, UINT32_MAX}};
	const uint32_t *k = sets[gen_below(g, 3)];
	const struct twin a = pick(g, t, false);

	add(t, ir_op(&t->plain, IR_IN, a.plain, 0, 0, set_of(&t->plain, k)),
		ir_op(&t->simple, IR_IN, a.simple, 0, 0, set_of(&t->simple, k)), true);
}

static void add_value(struct gen *g, struct twins *t)
{
	const struct twin none = {0};
	const uint32_t k = constant(g);
	const struct twin by = {ir_const(&t->plain, k), ir_const(&t->simple, k), k <= 1};
	const struct twin a = pick(g, t, false), b = gen_below(g, 2) != 0 ? by : pick(g, t, false);
	const struct twin p = pick(g, t, true), q = pick(g, t, true);
	enum ir_op op;

	switch (gen_below(g, 8)) {
	case 0:
		op = IR_ADD + gen_below(g, IR_SHR - IR_ADD + 1);
		if (op != IR_DIV && op != IR_MOD)
			add_op(t, op, a, b, none, false);
		else if (k != 0)
			add_op(t, op, a, by, none, false);
		break;
	case 1:
		add_op(t, IR_AND, a, by, none, false);
		break;
	case 2: /* that exclude each other, often */
		add_op(t, IR_EQ, t->at[1 + gen_below(g, 2)], by, none, true);
		break;
	case 3:
		add_op(t, IR_EQ + gen_below(g, IR_NTST - IR_EQ + 1), a, b, none, true);
		break;
	case 4:
		add_op(t, gen_below(g, 2) != 0 ? IR_AND : IR_OR, p, q, none, true);
		break;
	case 5:
		add(t, ir_not(&t->plain, p.plain), ir_not(&t->simple, p.simple), true);
		break;
	case 6:
		add_lookup(g, t);
		break;
	default:
		if (gen_below(g, 2) != 0)
			add_op(t, IR_SEL, p, gen_below(g, 2) != 0 ? q : t->at[N_BYTES],
				pick(g, t, true), true);
		else
			add_op(t, IR_SEL, p, a, b, false);
		break;
	}
}

static void begin(struct twins *t)
{
	ir_init(&t->plain, NULL);
	ir_init(&t->simple, ir_simplify);
	t->n = 0;
	for (uint32_t i = 0; i < N_BYTES; i++) {
		const enum ir_op op = i % 3 == 0 ? IR_LD16 : IR_LD8;

		add(t, ir_load(&t->plain, op, 0, i), ir_load(&t->simple, op, 0, i), false);
	}
	for (uint32_t k = 0; k < 2; k++)
		add(t, ir_const(&t->plain, k), ir_const(&t->simple, k), true);
	t->plain.entry = ir_block_new(&t->plain);
	t->simple.entry = ir_block_new(&t->simple);
}

/* What v is for this packet. */
static uint32_t evaluate(struct ir *ir, uint32_t v, const uint8_t *pkt)
{
	uint32_t result = 0;

	ir_ret(ir, ir->entry, v);
	if (ir->failed || ir_eval(ir, pkt, N_BYTES + 4, N_BYTES + 4, &result) < 0)
		abort();
	return result;
}

static int compare(struct gen *g, struct twins *t, uint64_t seed)
{
	uint8_t pkt[N_BYTES + 4];

	for (unsigned int i = 0; i < N_PACKETS; i++) {
		for (size_t b = 0; b < sizeof(pkt); b++)
			pkt[b] = (uint8_t)(gen_below(g, 2) != 0 ? 0 : constant(g));
		for (uint32_t v = 8; v < t->n; v++) {
			const uint32_t want = evaluate(&t->plain, t->at[v].plain, pkt);
			const uint32_t got = evaluate(&t->simple, t->at[v].simple, pkt);

			if (got == want)
				continue;
			fprintf(stderr, "expression %llu is %u, simplified %u\n",
				(unsigned long long)seed, want, got);
			ir_ret(&t->plain, t->plain.entry, t->at[v].plain);
			ir_print(&t->plain, stderr);
			ir_ret(&t->simple, t->simple.entry, t->at[v].simple);
			ir_print(&t->simple, stderr);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
	const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	static struct twins t;
	int rc = 0;

	for (uint64_t seed = first; seed < first + n && rc == 0; seed++) {
		struct gen g;

		gen_init(&g, seed);
		begin(&t);
		for (unsigned int i = 0; i < N_VALUES; i++)
			add_value(&g, &t);
		rc = compare(&g, &t, seed);
		ir_fini(&t.plain);
		ir_fini(&t.simple);
	}
	if (rc == 0)
		printf("%llu times %u values, each the same when simplified\n",
			(unsigned long long)n, N_VALUES);
	return rc;
}

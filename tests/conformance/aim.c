/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aim.c - the program is interpreted once more, with the origin of each value beside it.
 *
 * An origin is a load and a few operations by numbers known now. Turned round, they lead from the
 * value that is wanted to the bytes to write; where an operation can't be turned round, what comes
 * of it is as good as noise.
 */
#include "conformance/aim.h"
#include "jit/opcode.h"

#include <string.h>

#define MAX_OPS   6
#define MAX_NOTES 48

struct origin {
	uint32_t off;
	uint8_t size; /* 0: not from the packet */
	uint8_t n_ops;
	struct npf_bpf_insn ops[MAX_OPS];
};

/* A value and where it is from. */
struct traced {
	uint32_t v;
	struct origin from;
};

struct compare {
	struct origin from;
	uint32_t k;
};

struct trace {
	struct gen *g;
	const struct aim_packet *p;
	struct traced a, x, mem[NPF_BPF_MEMWORDS];
	struct compare compares[MAX_NOTES];
	uint32_t n_compares, seen_compares;
	uint32_t ends[MAX_NOTES]; /* of loads */
	uint32_t n_ends, seen_ends;
	bool rejected; /* by a load that is out of range */
};

/* Where the next of many notes goes, so that each has the same chance to be among the kept. */
static uint32_t place_of(struct gen *g, uint32_t *n, uint32_t *seen)
{
	if (*n < MAX_NOTES) {
		++*seen;
		return (*n)++;
	}
	return gen_below(g, ++*seen) % MAX_NOTES;
}

static struct traced load(struct trace *t, uint64_t off, uint8_t size)
{
	struct traced to = {0};

	if (off + size <= GEN_MAX_LEN)
		t->ends[place_of(t->g, &t->n_ends, &t->seen_ends)] = (uint32_t)off + size;
	if (off + size > t->p->caplen) {
		t->rejected = true;
		return to;
	}
	for (uint32_t i = 0; i < size; i++)
		to.v = to.v << 8 | t->p->bytes[off + i];
	to.from = (struct origin){.off = (uint32_t)off, .size = size};
	return to;
}

static void apply(struct trace *t, struct traced *a, struct npf_bpf_insn op)
{
	const struct npf_bpf_insn program[] = {{OP_LD_IMM, 0, 0, a->v}, {OP_LDX_IMM, 0, 0, op.k},
		{op.code | (op.code != OP_NEG ? 8 : 0)}, {OP_RET_A}};

	if ((op.k == 0 && (op.code == OP_DIV_K || op.code == OP_MOD_K)))
		t->rejected = true;
	else
		a->v = npf_bpf_interpret(program, NULL, 0, 0, NULL);
	if (a->from.n_ops < MAX_OPS)
		a->from.ops[a->from.n_ops++] = op;
	else
		a->from.size = 0;
}

static void note_compare(struct trace *t, uint32_t k)
{
	if (t->a.from.size != 0)
		t->compares[place_of(t->g, &t->n_compares, &t->seen_compares)] =
			(struct compare){t->a.from, k};
}

static bool is_true(uint16_t code, uint32_t a, uint32_t k)
{
	switch (code & 0xf0) {
	case OP_JEQ_K & 0xf0:
		return a == k;
	case OP_JGT_K & 0xf0:
		return a > k;
	case OP_JGE_K & 0xf0:
		return a >= k;
	default:
		return (a & k) != 0;
	}
}

static void run(struct trace *t, const struct npf_bpf_insn *in)
{
	for (;; in++) {
		const uint32_t k = (in->code & 8) != 0 ? t->x.v : in->k;

		switch ((enum npf_bpf_op)in->code) {
		case OP_LD_W_ABS:
		case OP_LD_H_ABS:
		case OP_LD_B_ABS:
		case OP_LD_W_IND:
		case OP_LD_H_IND:
		case OP_LD_B_IND:
			t->a = load(t, in->k + ((in->code & 0xe0) == 0x40 ? (uint64_t)t->x.v : 0),
				(in->code & 0x18) == 0   ? 4
				: (in->code & 0x18) == 8 ? 2
							 : 1);
			break;
		case OP_LDX_MSH:
			t->x = load(t, in->k, 1);
			apply(t, &t->x, (struct npf_bpf_insn){OP_AND_K, 0, 0, 15});
			apply(t, &t->x, (struct npf_bpf_insn){OP_LSH_K, 0, 0, 2});
			break;
		case OP_LD_IMM:
			t->a = (struct traced){.v = in->k};
			break;
		case OP_LDX_IMM:
			t->x = (struct traced){.v = in->k};
			break;
		case OP_LD_LEN:
			t->a = (struct traced){.v = t->p->len};
			break;
		case OP_LDX_LEN:
			t->x = (struct traced){.v = t->p->len};
			break;
		case OP_LD_MEM:
			t->a = t->mem[in->k];
			break;
		case OP_LDX_MEM:
			t->x = t->mem[in->k];
			break;
		case OP_ST:
			t->mem[in->k] = t->a;
			break;
		case OP_STX:
			t->mem[in->k] = t->x;
			break;
		case OP_TAX:
			t->x = t->a;
			break;
		case OP_TXA:
			t->a = t->x;
			break;
		case OP_JA:
			in += in->k;
			break;
		case OP_RET_K:
		case OP_RET_A:
			return;
		default:
			if (npf_bpf_is_jump(in->code)) {
				note_compare(t, k);
				in += is_true(in->code, t->a.v, k) ? in->jt : in->jf;
			} else {
				apply(t, &t->a,
					(struct npf_bpf_insn){in->code & (uint16_t)~8u, 0, 0, k});
			}
			break;
		}
		if (t->rejected)
			return;
	}
}

/* What `want` must have been before the operation. */
static uint32_t before(struct gen *g, const struct npf_bpf_insn *op, uint32_t want)
{
	const uint32_t noise = (uint32_t)gen_next(g);
	uint32_t inverse = op->k;

	switch (op->code) {
	case OP_ADD_K:
		return want - op->k;
	case OP_SUB_K:
		return want + op->k;
	case OP_XOR_K:
		return want ^ op->k;
	case OP_NEG:
		return 0u - want;
	case OP_AND_K:
		return (want & op->k) | (gen_below(g, 2) ? noise & ~op->k : 0);
	case OP_OR_K:
		return want & ~op->k;
	case OP_LSH_K:
		return op->k < 32 ? want >> op->k : noise;
	case OP_RSH_K:
		return op->k < 32 ? want << op->k | (noise & ((1u << op->k) - 1)) : noise;
	case OP_MUL_K:
		if ((op->k & 1) == 0)
			return op->k != 0 ? want / op->k : noise;
		for (unsigned int i = 0; i < 5; i++)
			inverse *= 2 - op->k * inverse;
		return want * inverse;
	case OP_DIV_K:
		return op->k != 0 ? want * op->k + noise % op->k : noise;
	default:
		return want;
	}
}

static uint32_t beside(struct gen *g, uint32_t k)
{
	switch (gen_below(g, 12)) {
	case 0:
		return k + 1;
	case 1:
		return k - 1;
	case 2:
		return k | 1u << gen_below(g, 32);
	case 3:
		return k ^ 1u << gen_below(g, 32);
	case 4:
		return gen_below(g, 2) ? UINT32_MAX - gen_below(g, 32) : 0;
	case 5:
		return k + 0x10000;
	case 6:
		return gen_below(g, 2) ? 0xffff : 0x10000;
	default:
		return k;
	}
}

static void set_bytes(struct gen *g, const struct compare *c, struct aim_packet *p)
{
	uint32_t want = beside(g, c->k);

	for (uint32_t i = c->from.n_ops; i-- > 0;)
		want = before(g, &c->from.ops[i], want);
	for (uint32_t i = 0; i < c->from.size; i++)
		p->bytes[c->from.off + i] = (uint8_t)(want >> 8 * (c->from.size - 1 - i));
}

static void set_length(struct gen *g, const struct trace *t, struct aim_packet *p)
{
	uint32_t end = gen_below(g, 100);

	if (t->n_ends > 0 && gen_below(g, 6) != 0)
		end = t->ends[gen_below(g, t->n_ends)] + gen_below(g, 3) - 1;
	p->caplen = NPF_MIN(end, (uint32_t)GEN_MAX_LEN);
	p->len = p->caplen + (gen_below(g, 3) == 0 ? gen_below(g, 1500) : 0);
}

void aim_begin(struct gen *g, struct aim_packet *p)
{
	const uint32_t kind = gen_below(g, 4);

	memset(p->bytes, kind == 1 ? 0xff : 0, sizeof(p->bytes));
	p->caplen = gen_below(g, 20) == 0 ? gen_below(g, GEN_MAX_LEN) : 60 + gen_below(g, 60);
	if (kind == 2) {
		for (uint32_t i = 0; i < p->caplen; i += 8) {
			const uint64_t noise = gen_next(g);

			memcpy(p->bytes + i, &noise, sizeof(noise));
		}
	} else if (kind == 3) {
		p->caplen = gen_packet(g, p->bytes);
	}
	p->len = p->caplen;
}

void aim_step(struct gen *g, const struct npf_bpf_insn *insns, struct aim_packet *p)
{
	struct trace t;

	t.g = g;
	t.p = p;
	t.a = t.x = (struct traced){0};
	t.n_compares = t.seen_compares = t.n_ends = t.seen_ends = 0;
	t.rejected = false;
	run(&t, insns);
	if (t.n_compares == 0 || gen_below(g, 4) == 0)
		set_length(g, &t, p);
	else
		set_bytes(g, &t.compares[gen_below(g, t.n_compares)], p);
	if (t.rejected && gen_below(g, 2) == 0)
		p->caplen = p->len = 64 + gen_below(g, 200);
	if (gen_below(g, 8) == 0 && p->caplen > 0)
		p->bytes[gen_below(g, p->caplen)] = (uint8_t)gen_next(g);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eval.c - an interpreter of the intermediate program, block by block, for tests.
 *
 * A value is computed when a block needs it and kept for the rest of the run, since values do not
 * change. A load out of range or a division by zero is an error: a pass has moved a value to a
 * place that its check does not dominate.
 */
#include "jit/inspect/inspect.h"

#include <endian.h>
#include <string.h>

struct run {
	const struct ir *ir;
	const uint8_t *pkt;
	uint32_t len, caplen;
	uint32_t *value; /* by value */
	bool *known;
	uint32_t *stack; /* values that are being computed */
	uint32_t slots[IR_N_SLOTS];
};

static int load(const struct run *r, const struct ir_val *val, uint32_t *vp)
{
	const uint32_t size = ir_load_size(val->op);
	const uint64_t off = (uint64_t)val->k + (val->a != 0 ? r->value[val->a] : 0);
	uint32_t v = 0;

	if (off + size > r->caplen)
		return -EFAULT;
	for (uint32_t i = 0; i < size; i++)
		v = v << 8 | r->pkt[off + i];
	if (val->op == IR_RAW16)
		v = __builtin_bswap16((uint16_t)v);
	else if (val->op == IR_RAW32)
		v = __builtin_bswap32(v);
	*vp = v;
	return 0;
}

static int window(const struct run *r, const struct ir_val *val, uint32_t *vp)
{
	const struct ir_window *w = &r->ir->windows[val->k];
	const uint64_t off = (uint64_t)w->off + (val->a != 0 ? r->value[val->a] : 0);
	uint64_t bytes;

	if (off + sizeof(bytes) > r->caplen)
		return -EFAULT;
	memcpy(&bytes, r->pkt + off, sizeof(bytes));
	*vp = ((le64toh(bytes) & w->mask) == w->want) == (val->op == IR_WIN);
	return 0;
}

/* Compute v, whose operands are known. */
static int compute(struct run *r, uint32_t v)
{
	const struct ir_val *val = &r->ir->vals[v];
	const uint32_t a = r->value[val->a];
	const uint32_t b = r->value[val->b];
	const uint64_t base = val->a != 0 ? a : 0;
	uint32_t *vp = &r->value[v];

	switch ((enum ir_op)val->op) {
	case IR_CONST:
		*vp = val->k;
		return 0;
	case IR_LEN:
		*vp = r->len;
		return 0;
	case IR_GET:
		*vp = r->slots[val->k];
		return 0;
	case IR_SET:
		r->slots[val->k] = a;
		return 0;
	case IR_LD8:
	case IR_LD16:
	case IR_LD32:
	case IR_RAW16:
	case IR_RAW32:
		return load(r, val, vp);
	case IR_WIN:
	case IR_NWIN:
		return window(r, val, vp);
	case IR_INR:
	case IR_NINR:
		*vp = (base + val->k <= r->caplen) == (val->op == IR_INR);
		return 0;
	case IR_BTW:
	case IR_NBTW:
		*vp = (base + val->k <= r->caplen && r->caplen < base + b) == (val->op == IR_BTW);
		return 0;
	case IR_IN:
	case IR_NIN:
		*vp = ir_set_has(&r->ir->sets[val->k], a) == (val->op == IR_IN);
		return 0;
	case IR_DIV:
	case IR_MOD:
		if (b == 0)
			return -EFAULT;
		break;
	default:
		break;
	}
	*vp = ir_compute(val->op, a, b, r->value[val->c]);
	return 0;
}

static int need(struct run *r, uint32_t v)
{
	uint32_t depth = 0;

	r->stack[depth++] = v;
	while (depth > 0) {
		const struct ir_val *val;
		uint32_t before = depth;
		int rc;

		v = r->stack[depth - 1];
		val = &r->ir->vals[v];
		if (val->a != 0 && !r->known[val->a])
			r->stack[depth++] = val->a;
		else if (val->b != 0 && !r->known[val->b])
			r->stack[depth++] = val->b;
		else if (val->c != 0 && !r->known[val->c])
			r->stack[depth++] = val->c;
		if (depth > before)
			continue;
		rc = r->known[v] ? 0 : compute(r, v);
		if (rc < 0)
			return rc;
		r->known[v] = true;
		depth--;
	}
	return 0;
}

static int run(struct run *r, uint32_t *resultp)
{
	uint32_t b = r->ir->entry;

	for (;;) {
		const struct ir_block *bl = &r->ir->blocks[b];
		int rc;

		for (uint32_t p = bl->pin; p != 0; p = r->ir->pins[p].next) {
			rc = need(r, r->ir->pins[p].v);
			if (rc < 0)
				return rc;
		}
		if (bl->term != IR_JMP) {
			rc = need(r, bl->v);
			if (rc < 0)
				return rc;
		}
		if (bl->term == IR_RET) {
			*resultp = r->value[bl->v];
			return 0;
		}
		b = bl->term == IR_JMP || r->value[bl->v] != 0 ? bl->t : bl->f;
	}
}

int ir_eval(
	const struct ir *ir, const uint8_t *pkt, uint32_t len, uint32_t caplen, uint32_t *resultp)
{
	npf_autofree uint32_t *value = calloc(ir->n_vals, sizeof(*value));
	npf_autofree bool *known = calloc(ir->n_vals, sizeof(*known));
	npf_autofree uint32_t *stack = calloc(ir->n_vals, sizeof(*stack));
	struct run r = {.ir = ir,
		.pkt = pkt,
		.len = len,
		.caplen = caplen,
		.value = value,
		.known = known,
		.stack = stack};

	if (value == NULL || known == NULL || stack == NULL)
		return -ENOMEM;
	return run(&r, resultp);
}

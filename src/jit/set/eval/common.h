/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * common.h - private: what all kernels do alike, compiled into each for its CPU.
 *
 * Packets are read here and nowhere else.
 */
#ifndef NPF_JIT_SET_EVAL_COMMON_H
#define NPF_JIT_SET_EVAL_COMMON_H

#include "jit/set/eval/program.h"

#include <string.h>

#define SET_INLINE static inline __attribute__((always_inline))

/* What is read in place of bytes that are out of range. */
static const uint8_t set_zeros[4];

SET_INLINE uint32_t load_8(const uint8_t *at)
{
	return *at;
}

SET_INLINE uint32_t load_16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return __builtin_bswap16(v);
}

SET_INLINE uint32_t load_32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return __builtin_bswap32(v);
}

/* A column of loads: checked once for the burst where that is enough, else one by one. */
SET_INLINE void eval_load(const struct set_frame *f, const struct set_col *c, uint32_t *dst,
	uint32_t size, uint32_t (*load)(const uint8_t *))
{
	const uint32_t *caplens = f->cols[COL_CAPLEN];
	const uint32_t *base = f->cols[c->a];
	const uint64_t off = c->k;

	if (c->a == 0 && off + size <= f->least) {
		for (uint32_t i = 0; i < f->n; i++)
			dst[i] = load(f->pkts[i] + off);
		return;
	}
	for (uint32_t i = 0; i < f->n; i++) {
		const uint64_t from = off + (c->a != 0 ? base[i] : 0);
		const bool in_range = from + size <= caplens[i];
		/* Chosen without a branch, which random packets would mislead. */
		const uint8_t *const at[2] = {set_zeros, f->pkts[i] + from};

		dst[i] = load(at[in_range]);
	}
}

#define EACH_LANE(expr)                                                                            \
	do {                                                                                       \
		for (uint32_t i = 0; i < SET_LANES; i++)                                           \
			dst[i] = (expr);                                                           \
	} while (0)

SET_INLINE void eval_by_const(
	uint8_t op, uint32_t *restrict dst, const uint32_t *restrict a, uint32_t k)
{
	switch (op) {
	case IR_ADD:
		EACH_LANE(a[i] + k);
		return;
	case IR_AND:
		EACH_LANE(a[i] & k);
		return;
	case IR_SHL:
		if (k < 32)
			EACH_LANE(a[i] << k);
		else
			EACH_LANE(0);
		return;
	case IR_SHR:
		if (k < 32)
			EACH_LANE(a[i] >> k);
		else
			EACH_LANE(0);
		return;
	default:
		EACH_LANE(ir_compute(op, a[i], k, 0));
		return;
	}
}

SET_INLINE void eval_col(const struct set_frame *f, const struct set_col *c, uint32_t *dst)
{
	const uint32_t *a = f->cols[c->a];
	const uint32_t *b = f->cols[c->b];

	switch (c->op) {
	case IR_CONST:
		EACH_LANE(c->k);
		return;
	case IR_LD8:
		eval_load(f, c, dst, 1, load_8);
		return;
	case IR_LD16:
		eval_load(f, c, dst, 2, load_16);
		return;
	case IR_LD32:
		eval_load(f, c, dst, 4, load_32);
		return;
	default:
		if (c->b == 0)
			eval_by_const(c->op, dst, a, c->k);
		else
			EACH_LANE(ir_compute(c->op, a[i], b[i], 0));
		return;
	}
}

SET_INLINE void eval_cols(const struct set_program *p, const struct set_frame *f)
{
	for (uint32_t i = COL_FIRST; i < p->n_cols; i++)
		eval_col(f, &p->cols[i], f->cols[i]);
}

/* A value was found in a table: it is packet i's. */
SET_INLINE void set_targets(const struct set_probe *pr, uint32_t slot, uint32_t i, uint32_t *planes)
{
	const uint32_t which = pr->which[slot];

	for (uint32_t t = pr->first[which]; t < pr->first[which + 1]; t++)
		planes[pr->target[t]] |= 1u << i;
}

SET_INLINE void eval_ops(const struct set_op *ops, uint32_t n, uint32_t *dst, uint32_t *planes)
{
	for (uint32_t j = 0; j < n; j++) {
		const uint32_t f = planes[ops[j].f];

		dst[j] = f ^ (planes[ops[j].s] & (planes[ops[j].t] ^ f));
	}
}

/* The logic, level by level. @run: a regular sequence of it, in the kernel's own way */
SET_INLINE void eval_steps(const struct set_program *p, const struct set_frame *f,
	void (*run)(const struct set_op *op, const struct set_step *step, uint32_t *planes))
{
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct set_step *step = &p->steps[i];

		if (step->is_run)
			run(&p->ops[step->first], step, f->planes);
		else
			eval_ops(p->ops + step->first, step->n, f->planes + step->dst, f->planes);
	}
}

#endif

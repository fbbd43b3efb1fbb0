/* SPDX-License-Identifier: BSD-3-Clause */
/* plain.c - the kernel in C, for every CPU: what the others must be equal to. */
#include "jit/set/eval/common.h"

static bool test(uint8_t kind, uint32_t a, uint32_t b, uint32_t caplen)
{
	switch (kind) {
	case TEST_EQ:
		return a == b;
	case TEST_GT:
		return a > b;
	case TEST_TST:
		return (a & b) != 0;
	default:
		return b <= caplen && a <= caplen - b;
	}
}

static void eval_group(
	const struct set_program *p, const struct set_group *g, const struct set_frame *f)
{
	const uint32_t *a = f->cols[g->col];
	const uint32_t *caplens = f->cols[COL_CAPLEN];

	for (uint32_t j = 0; j < g->n; j++) {
		const uint32_t k = p->constants[g->first + j];
		const uint32_t *b = g->by_col ? f->cols[k] : NULL;
		uint32_t plane = 0;

		for (uint32_t i = 0; i < SET_LANES; i++) {
			const uint32_t bit = test(g->kind, a[i], b != NULL ? b[i] : k, caplens[i]);

			plane |= bit << i;
		}
		f->planes[g->plane + j] = plane;
	}
}

static void eval_probe(const struct set_probe *pr, const struct set_frame *f)
{
	const uint32_t *v = f->cols[pr->col];

	for (uint32_t i = 0; i < f->n; i++) {
		const uint32_t home = v[i] * pr->mul >> pr->shift;

		for (uint32_t slot = home; slot < home + pr->n_steps; slot++) {
			if (pr->keys[slot] == v[i])
				set_targets(pr, slot, i, f->planes);
		}
	}
}

static void eval_run(const struct set_op *op, const struct set_step *step, uint32_t *planes)
{
	const uint32_t by_s = step->moves & 1;
	const uint32_t by_t = step->moves >> 1 & 1;
	const uint32_t by_f = step->moves >> 2 & 1;

	for (uint32_t j = 0; j < step->n; j++) {
		const uint32_t x = planes[op->f + j * by_f];

		planes[step->dst + j] =
			x ^ (planes[op->s + j * by_s] & (planes[op->t + j * by_t] ^ x));
	}
}

void set_eval_plain(const struct set_program *p, const struct set_frame *f)
{
	eval_cols(p, f);
	for (uint32_t i = 0; i < p->n_groups; i++)
		eval_group(p, &p->groups[i], f);
	memset(f->planes + p->probed, 0, p->n_probed * sizeof(*f->planes));
	for (uint32_t i = 0; i < p->n_probes; i++)
		eval_probe(&p->probes[i], f);
	eval_steps(p, f, eval_run);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * avx2.c - the kernel for AVX2: four compares a test, 8 operations of a run at once. Values are
 * looked up one by one, since gathers of eight are slower on many CPUs that have no AVX-512.
 *
 * A vector of a run may reach beyond its end. What is written there are planes that come later, or
 * SET_PLANES_SLACK.
 */
#include "jit/set/eval/common.h"

#ifdef __x86_64__
#	include <immintrin.h>

#	define TARGET __attribute__((target("avx2,bmi,bmi2")))

bool set_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}

TARGET SET_INLINE __m256i load_256(const void *at)
{
	return _mm256_loadu_si256(at);
}

/* A bit for each of 8 values whose greatest bit is set. */
TARGET SET_INLINE uint32_t bits_of(__m256i v)
{
	return _mm256_movemask_ps(_mm256_castsi256_ps(v));
}

TARGET SET_INLINE __m256i not_greater(__m256i a, __m256i b)
{
	return _mm256_cmpeq_epi32(_mm256_max_epu32(a, b), b);
}

TARGET SET_INLINE uint32_t test_8(uint8_t kind, __m256i a, __m256i b, __m256i caplen)
{
	switch (kind) {
	case TEST_EQ:
		return bits_of(_mm256_cmpeq_epi32(a, b));
	case TEST_GT:
		return bits_of(not_greater(a, b)) ^ 0xff;
	case TEST_TST:
		return bits_of(_mm256_cmpeq_epi32(_mm256_and_si256(a, b), _mm256_setzero_si256())) ^
		       0xff;
	default:
		return bits_of(_mm256_and_si256(
			not_greater(b, caplen), not_greater(a, _mm256_sub_epi32(caplen, b))));
	}
}

TARGET SET_INLINE void eval_kind(const struct set_program *p, const struct set_group *g,
	const struct set_frame *f, uint8_t kind)
{
	const uint32_t *a = f->cols[g->col];
	const uint32_t *caplens = f->cols[COL_CAPLEN];

	for (uint32_t j = 0; j < g->n; j++) {
		const uint32_t k = p->constants[g->first + j];
		const uint32_t *col = g->by_col ? f->cols[k] : NULL;
		const __m256i same = _mm256_set1_epi32(k);
		uint32_t plane = 0;

		for (uint32_t i = 0; i < SET_LANES; i += 8)
			plane |= test_8(kind, load_256(a + i),
					 col != NULL ? load_256(col + i) : same,
					 load_256(caplens + i))
				 << i;
		f->planes[g->plane + j] = plane;
	}
}

TARGET static void eval_group(
	const struct set_program *p, const struct set_group *g, const struct set_frame *f)
{
	switch (g->kind) {
	case TEST_EQ:
		eval_kind(p, g, f, TEST_EQ);
		return;
	case TEST_GT:
		eval_kind(p, g, f, TEST_GT);
		return;
	case TEST_TST:
		eval_kind(p, g, f, TEST_TST);
		return;
	default:
		eval_kind(p, g, f, TEST_INR);
		return;
	}
}

TARGET static void eval_probe(const struct set_probe *pr, const struct set_frame *f)
{
	const uint32_t *v = f->cols[pr->col];

	for (uint32_t i = 0; i < f->n; i++) {
		const uint32_t home = v[i] * pr->mul >> pr->shift;

		for (uint32_t slot = home; slot < home + pr->n_steps; slot++) {
			if (NPF_UNLIKELY(pr->keys[slot] == v[i]))
				set_targets(pr, slot, i, f->planes);
		}
	}
}

TARGET SET_INLINE __m256i operand(const uint32_t *at, uint32_t j, bool moves)
{
	return moves ? load_256(at + j) : _mm256_set1_epi32(*at);
}

TARGET static void eval_run(const struct set_op *op, const struct set_step *step, uint32_t *planes)
{
	for (uint32_t j = 0; j < step->n; j += 8) {
		const __m256i s = operand(planes + op->s, j, (step->moves & 1) != 0);
		const __m256i t = operand(planes + op->t, j, (step->moves & 2) != 0);
		const __m256i f = operand(planes + op->f, j, (step->moves & 4) != 0);
		void *dst = planes + step->dst + j;

		_mm256_storeu_si256(
			dst, _mm256_xor_si256(f, _mm256_and_si256(s, _mm256_xor_si256(t, f))));
	}
}

TARGET void set_eval_avx2(const struct set_program *p, const struct set_frame *f)
{
	eval_cols(p, f);
	for (uint32_t i = 0; i < p->n_groups; i++)
		eval_group(p, &p->groups[i], f);
	memset(f->planes + p->probed, 0, p->n_probed * sizeof(*f->planes));
	for (uint32_t i = 0; i < p->n_probes; i++)
		eval_probe(&p->probes[i], f);
	eval_steps(p, f, eval_run);
}

#else

bool set_has_avx2(void)
{
	return false;
}

void set_eval_avx2(const struct set_program *p, const struct set_frame *f)
{
	set_eval_plain(p, f);
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * avx512.c - the kernel for AVX-512 with VBMI: fields near each other read at once from a packet,
 * two compares a test, lookups of 16 values at once, 16 operations of a run at once.
 *
 * A vector of a run may reach beyond its end. What is written there are planes that come later, or
 * SET_PLANES_SLACK.
 */
#include "jit/set/eval/common.h"

#ifdef __x86_64__
#	include <immintrin.h>

#	define TARGET                                                                             \
		__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,bmi,bmi2")))

bool set_has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}

/* ---- windows ---- */

/* 16 rows of 16 words each, turned. */
TARGET SET_INLINE void transpose(__m512i r[16])
{
	__m512i t[16];

#	pragma GCC unroll 8
	for (unsigned int i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
#	pragma GCC unroll 4
	for (unsigned int i = 0; i < 16; i += 4) {
		r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	/* Word 4q + i of four packets is lane q of r[4p + i]. */
#	pragma GCC unroll 4
	for (unsigned int i = 0; i < 4; i++) {
		t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
		t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
		t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
		t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
	}
#	pragma GCC unroll 4
	for (unsigned int i = 0; i < 4; i++) {
		r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
		r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
		r[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88);
		r[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd);
	}
}

/* The fields of one packet, a word each; 0 where they are out of range. */
TARGET SET_INLINE __m512i read_fields(
	const struct set_window *w, const struct set_frame *f, uint32_t i, uint64_t from)
{
	const uint32_t caplen = f->cols[COL_CAPLEN][i];
	const uint32_t there = from < caplen ? NPF_MIN(caplen - from, SET_WINDOW) : 0;
	/* No byte is read whose bit is 0. */
	const __m512i bytes = _mm512_maskz_loadu_epi8(
		_bzhi_u64(UINT64_MAX, there), f->pkts[i] + (there > 0 ? from : 0));
	const __m512i fields =
		_mm512_maskz_permutexvar_epi8(w->used, _mm512_loadu_si512(w->byte), bytes);

	return _mm512_maskz_mov_epi32(
		_mm512_cmple_epu32_mask(_mm512_loadu_si512(w->end), _mm512_set1_epi32(there)),
		fields);
}

/* The columns of a window, for 16 packets. */
TARGET static void eval_window_16(
	const struct set_window *w, const struct set_frame *f, uint32_t first)
{
	const uint32_t *base = f->cols[w->base];
	const uint64_t from = w->from;
	__m512i r[16];

#	pragma GCC unroll 16
	for (uint32_t i = 0; i < 16; i++) {
		const uint32_t j = first + i;

		r[i] = _mm512_setzero_si512();
		if (NPF_LIKELY(j < f->n))
			r[i] = read_fields(w, f, j, from + (w->base != 0 ? base[j] : 0));
	}
	transpose(r);
#	pragma GCC unroll 16
	for (uint32_t i = 0; i < 16; i++) {
		if (i < w->n)
			_mm512_storeu_si512(f->cols[w->col[i]] + first, r[i]);
	}
}

TARGET SET_INLINE void eval_all_cols(const struct set_program *p, const struct set_frame *f)
{
	uint32_t n_read = 0;

	for (uint32_t i = COL_FIRST; i < p->n_cols; i++) {
		const struct set_col *c = &p->cols[i];

		if (c->window == 0) {
			eval_col(f, c, f->cols[i]);
		} else if (c->window > n_read) {
			eval_window_16(&p->windows[n_read], f, 0);
			if (f->n > 16)
				eval_window_16(&p->windows[n_read], f, 16);
			n_read++;
		}
	}
}

/* ---- tests ---- */

TARGET SET_INLINE __mmask16 reaches(__m512i base, __m512i caplen, __m512i end)
{
	return _mm512_mask_cmple_epu32_mask(
		_mm512_cmple_epu32_mask(end, caplen), base, _mm512_sub_epi32(caplen, end));
}

TARGET SET_INLINE uint32_t in_one(__mmask16 lo, __mmask16 hi)
{
	return _mm512_kunpackw(hi, lo);
}

TARGET static void eval_by_col(
	const struct set_program *p, const struct set_group *g, const struct set_frame *f)
{
	const __m512i lo = _mm512_loadu_si512(f->cols[g->col]);
	const __m512i hi = _mm512_loadu_si512(f->cols[g->col] + 16);

	for (uint32_t j = 0; j < g->n; j++) {
		const uint32_t *col = f->cols[p->constants[g->first + j]];
		const __m512i b_lo = _mm512_loadu_si512(col);
		const __m512i b_hi = _mm512_loadu_si512(col + 16);
		uint32_t plane;

		if (g->kind == TEST_EQ)
			plane = in_one(_mm512_cmpeq_epu32_mask(lo, b_lo),
				_mm512_cmpeq_epu32_mask(hi, b_hi));
		else if (g->kind == TEST_GT)
			plane = in_one(_mm512_cmpgt_epu32_mask(lo, b_lo),
				_mm512_cmpgt_epu32_mask(hi, b_hi));
		else
			plane = in_one(
				_mm512_test_epi32_mask(lo, b_lo), _mm512_test_epi32_mask(hi, b_hi));
		f->planes[g->plane + j] = plane;
	}
}

TARGET static void eval_group(
	const struct set_program *p, const struct set_group *g, const struct set_frame *f)
{
	const __m512i lo = _mm512_loadu_si512(f->cols[g->col]);
	const __m512i hi = _mm512_loadu_si512(f->cols[g->col] + 16);
	const __m512i cap_lo = _mm512_loadu_si512(f->cols[COL_CAPLEN]);
	const __m512i cap_hi = _mm512_loadu_si512(f->cols[COL_CAPLEN] + 16);
	const uint32_t *k = p->constants + g->first;
	uint32_t *planes = f->planes + g->plane;

	switch (g->kind) {
	case TEST_EQ:
		for (uint32_t j = 0; j < g->n; j++) {
			const __m512i b = _mm512_set1_epi32(k[j]);

			planes[j] = in_one(
				_mm512_cmpeq_epu32_mask(lo, b), _mm512_cmpeq_epu32_mask(hi, b));
		}
		return;
	case TEST_GT:
		for (uint32_t j = 0; j < g->n; j++) {
			const __m512i b = _mm512_set1_epi32(k[j]);

			planes[j] = in_one(
				_mm512_cmpgt_epu32_mask(lo, b), _mm512_cmpgt_epu32_mask(hi, b));
		}
		return;
	case TEST_TST:
		for (uint32_t j = 0; j < g->n; j++) {
			const __m512i b = _mm512_set1_epi32(k[j]);

			planes[j] = in_one(
				_mm512_test_epi32_mask(lo, b), _mm512_test_epi32_mask(hi, b));
		}
		return;
	default:
		for (uint32_t j = 0; j < g->n; j++) {
			const __m512i b = _mm512_set1_epi32(k[j]);

			planes[j] = in_one(reaches(lo, cap_lo, b), reaches(hi, cap_hi, b));
		}
		return;
	}
}

TARGET SET_INLINE void probe_16(
	const struct set_probe *pr, const struct set_frame *f, uint32_t from)
{
	const __m512i v = _mm512_loadu_si512(f->cols[pr->col] + from);
	const __m512i home = _mm512_srl_epi32(
		_mm512_mullo_epi32(v, _mm512_set1_epi32(pr->mul)), _mm_cvtsi32_si128(pr->shift));
	uint32_t homes[16];

	for (uint32_t d = 0; d < pr->n_steps; d++) {
		const __m512i keys = _mm512_i32gather_epi32(home, pr->keys + d, 4);
		uint32_t found = _mm512_cmpeq_epu32_mask(keys, v) & f->valid >> from;

		if (NPF_LIKELY(found == 0))
			continue;
		_mm512_storeu_si512(homes, home);
		for (; found != 0; found &= found - 1) {
			const unsigned int i = __builtin_ctz(found);

			set_targets(pr, homes[i] + d, from + i, f->planes);
		}
	}
}

TARGET SET_INLINE __m512i operand(const uint32_t *at, uint32_t j, bool moves)
{
	return moves ? _mm512_loadu_si512(at + j) : _mm512_set1_epi32(*at);
}

TARGET SET_INLINE void run_moving(
	const struct set_op *op, const struct set_step *step, uint32_t *planes, uint32_t moves)
{
	const uint32_t *s = planes + op->s;
	const uint32_t *t = planes + op->t;
	const uint32_t *f = planes + op->f;
	uint32_t *dst = planes + step->dst;

	for (uint32_t j = 0; j < step->n; j += 16) {
		const __m512i x = _mm512_ternarylogic_epi32(operand(s, j, (moves & 1) != 0),
			operand(t, j, (moves & 2) != 0), operand(f, j, (moves & 4) != 0), 0xca);

		_mm512_storeu_si512(dst + j, x);
	}
}

TARGET static void eval_run(const struct set_op *op, const struct set_step *step, uint32_t *planes)
{
	switch (step->moves) {
	case 1:
		run_moving(op, step, planes, 1);
		return;
	case 2:
		run_moving(op, step, planes, 2);
		return;
	case 3:
		run_moving(op, step, planes, 3);
		return;
	case 4:
		run_moving(op, step, planes, 4);
		return;
	case 5:
		run_moving(op, step, planes, 5);
		return;
	case 6:
		run_moving(op, step, planes, 6);
		return;
	default:
		run_moving(op, step, planes, 7);
		return;
	}
}

TARGET void set_eval_avx512(const struct set_program *p, const struct set_frame *f)
{
	eval_all_cols(p, f);
	for (uint32_t i = 0; i < p->n_groups; i++) {
		if (p->groups[i].by_col)
			eval_by_col(p, &p->groups[i], f);
		else
			eval_group(p, &p->groups[i], f);
	}
	memset(f->planes + p->probed, 0, p->n_probed * sizeof(*f->planes));
	for (uint32_t i = 0; i < p->n_probes; i++) {
		probe_16(&p->probes[i], f, 0);
		if (f->n > 16)
			probe_16(&p->probes[i], f, 16);
	}
	eval_steps(p, f, eval_run);
}

#else

bool set_has_avx512(void)
{
	return false;
}

void set_eval_avx512(const struct set_program *p, const struct set_frame *f)
{
	set_eval_plain(p, f);
}

#endif

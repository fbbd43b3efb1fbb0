/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy.h - packet data into a ring.
 *
 * The lane's lcore writes a record once and never reads it; the reader runs on another core. So
 * copies above a threshold (tests/bench/ring measures it) use stores that bypass the caches: no
 * line is read only to be overwritten, and the lcore's cache keeps what the next packet needs.
 *
 * A release store does not order such stores before itself: npf_copy_fence() must come in between.
 * A copy reads no byte beyond the source's n bytes, and writes none beyond the destination's.
 */
#ifndef NPF_BASE_COPY_H
#define NPF_BASE_COPY_H

#include "base/base.h"

#include <string.h>

#ifdef __SSE2__
#	include <immintrin.h>
#endif

/* Longest copy that uses ordinary stores, bytes. */
#define NPF_COPY_CACHED_MAX 128

/* n <= 16: two loads that may overlap, both before the stores. */
static inline void npf_copy_16(uint8_t *dst, const uint8_t *src, size_t n)
{
	if (n >= 8) {
		uint64_t first, last;

		memcpy(&first, src, 8);
		memcpy(&last, src + n - 8, 8);
		memcpy(dst, &first, 8);
		memcpy(dst + n - 8, &last, 8);
	} else if (n >= 4) {
		uint32_t first, last;

		memcpy(&first, src, 4);
		memcpy(&last, src + n - 4, 4);
		memcpy(dst, &first, 4);
		memcpy(dst + n - 4, &last, 4);
	} else if (n) {
		uint8_t mid = src[n / 2], last = src[n - 1];

		dst[0] = src[0];
		dst[n / 2] = mid;
		dst[n - 1] = last;
	}
}

/* For n up to about NPF_COPY_CACHED_MAX. */
static inline void npf_copy_cached(uint8_t *dst, const uint8_t *src, size_t n)
{
	size_t at = 0;

	if (n <= 16) {
		npf_copy_16(dst, src, n);
		return;
	}
	for (; at + 16 < n; at += 16)
		memcpy(dst + at, src + at, 16);
	memcpy(dst + n - 16, src + n - 16, 16);
}

#ifdef __SSE2__

static inline void npf_copy_lines_sse2(uint8_t *dst, const uint8_t *src, size_t n_lines)
{
	for (; n_lines; n_lines--, dst += NPF_CACHELINE, src += NPF_CACHELINE) {
		__m128i a = _mm_loadu_si128((const __m128i *)(const void *)src);
		__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(src + 16));
		__m128i c = _mm_loadu_si128((const __m128i *)(const void *)(src + 32));
		__m128i d = _mm_loadu_si128((const __m128i *)(const void *)(src + 48));

		_mm_stream_si128((__m128i *)(void *)dst, a);
		_mm_stream_si128((__m128i *)(void *)(dst + 16), b);
		_mm_stream_si128((__m128i *)(void *)(dst + 32), c);
		_mm_stream_si128((__m128i *)(void *)(dst + 48), d);
	}
}

/* 10 to 20 % faster for packets of some hundred bytes; wider stores gain nothing more. */
__attribute__((target("avx2"))) static inline void npf_copy_lines_avx2(
	uint8_t *dst, const uint8_t *src, size_t n_lines)
{
	for (; n_lines; n_lines--, dst += NPF_CACHELINE, src += NPF_CACHELINE) {
		__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)src);
		__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(src + 32));

		_mm256_stream_si256((__m256i *)(void *)dst, a);
		_mm256_stream_si256((__m256i *)(void *)(dst + 32), b);
	}
}

/* Whole lines bypass the caches, the rest at either end does not: a part of a line costs as much to
 * write past the caches as two lines. n > NPF_COPY_CACHED_MAX. */
static inline void npf_copy_streamed(uint8_t *dst, const uint8_t *src, size_t n)
{
	size_t lead = -(uintptr_t)dst & (NPF_CACHELINE - 1);
	size_t lines = (n - lead) & ~(size_t)(NPF_CACHELINE - 1);

	npf_copy_cached(dst, src, lead);
	if (__builtin_cpu_supports("avx2"))
		npf_copy_lines_avx2(dst + lead, src + lead, lines / NPF_CACHELINE);
	else
		npf_copy_lines_sse2(dst + lead, src + lead, lines / NPF_CACHELINE);
	npf_copy_cached(dst + lead + lines, src + lead + lines, n - lead - lines);
}

/* Order streamed stores before all later stores, and ordinary stores before later streamed ones. */
static inline void npf_copy_fence(void)
{
	_mm_sfence();
}

/* Fetch a line that will be written: take it from the core that has it. */
static inline void npf_prefetch_write(const void *at)
{
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)at));
}

#else

static inline void npf_prefetch_write(const void *at)
{
	__builtin_prefetch(at, 1);
}

static inline void npf_copy_streamed(uint8_t *dst, const uint8_t *src, size_t n)
{
	memcpy(dst, src, n);
}

static inline void npf_copy_fence(void)
{
}

#endif

static inline void npf_copy(void *dst, const void *src, size_t n)
{
	if (n <= NPF_COPY_CACHED_MAX)
		npf_copy_cached(dst, src, n);
	else
		npf_copy_streamed(dst, src, n);
}

#endif

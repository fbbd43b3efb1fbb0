/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loglinear.h - the classes of a log-linear histogram, as in HdrHistogram.
 *
 * With b bits each power of two is divided into 2^b classes of equal width; a value below 2^b has
 * a class of its own. So a class is at most 2^-b of its values wide. 64 bits of values need
 * (65 - b) << b classes.
 */
#ifndef NPF_BASE_LOGLINEAR_H
#define NPF_BASE_LOGLINEAR_H

#include <stdint.h>

/* The class of a value. @bits: constant, at most 31. */
static inline unsigned int npf_loglinear_class(uint64_t v, unsigned int bits)
{
	unsigned int shift;

	if (v < 1ull << bits)
		return (unsigned int)v;
	shift = 63 - bits - (unsigned int)__builtin_clzll(v);
	return ((shift + 1) << bits) + (unsigned int)(v >> shift) - (1u << bits);
}

/* The least value of a class. */
static inline uint64_t npf_loglinear_first(unsigned int class, unsigned int bits)
{
	unsigned int octave = class >> bits;
	uint64_t within = class & ((1u << bits) - 1);

	return octave == 0 ? within : (within + (1ull << bits)) << (octave - 1);
}

#endif

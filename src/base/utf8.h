/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * utf8.h - is a text UTF-8? Reports can hold nothing else, and have texts from outside in them.
 *
 * Well-formed is what table 3-7 of the Unicode standard allows: no surrogates, no overlong form,
 * nothing above U+10FFFF.
 */
#ifndef NPF_BASE_UTF8_H
#define NPF_BASE_UTF8_H

#include "base/base.h"

/* Bytes of the character at s; 0: there is none, or the terminating zero. Nothing behind that zero
 * is read. */
static inline unsigned int npf_utf8_len(const char *s)
{
	const unsigned char *c = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */
	unsigned int n;

	if (c[0] < 0x80)
		return c[0] != '\0';
	if (c[0] < 0xc2 || c[0] > 0xf4)
		return 0;
	n = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
	if (c[0] == 0xe0)
		low = 0xa0;
	else if (c[0] == 0xed)
		high = 0x9f;
	else if (c[0] == 0xf0)
		low = 0x90;
	else if (c[0] == 0xf4)
		high = 0x8f;
	if (c[1] < low || c[1] > high)
		return 0;
	for (unsigned int i = 2; i < n; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static inline bool npf_is_utf8(const char *s)
{
	unsigned int n;

	while ((n = npf_utf8_len(s)) > 0)
		s += n;
	return *s == '\0';
}

#endif

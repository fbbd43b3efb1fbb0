/* SPDX-License-Identifier: BSD-3-Clause */
/* json_text.h - texts and numbers for reports. */
#ifndef NPF_ENGINE_BASE_JSON_TEXT_H
#define NPF_ENGINE_BASE_JSON_TEXT_H

#include <jansson.h>
#include <stdint.h>

/*
 * npf_json_text - a text for a report: each byte that is no UTF-8 becomes U+FFFD.
 *
 * jansson has no string for such bytes, and everything around it would be gone, too. Names of files
 * may hold them, and so may a text that was cut to some length.
 *
 * Return: a string; null for NULL; NULL without memory. Owns: the caller.
 */
json_t *npf_json_text(const char *s);

/* A number for a report; jansson's are signed. Owns: the caller. */
static inline json_t *npf_json_u64(uint64_t v)
{
	return json_integer((json_int_t)v);
}

#endif

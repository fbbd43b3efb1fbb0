/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.h - the text beside an error: what is wrong, and what to do about it.
 *
 * A function that can explain its failure takes a struct npf_error, fills it in whenever it
 * returns a negative value, and leaves it alone otherwise.
 */
#ifndef NPF_BASE_ERROR_H
#define NPF_BASE_ERROR_H

#include "base/base.h"

#include <assert.h>

#define NPF_ERROR_TEXTLEN 256 /* bytes, with the terminating zero */

/* Also the body of a reply on the wire. */
struct npf_error {
	char text[NPF_ERROR_TEXTLEN];
};
static_assert(sizeof(struct npf_error) == NPF_ERROR_TEXTLEN, "wire layout");

/*
 * npf_error_set - write the text. One that is too long is cut and ends in "...". The arguments may
 * contain err->text itself, so that a caller can put its own words around it.
 * Return: rc, so that `return npf_error_set(err, -EINVAL, ...)` says all.
 */
int npf_error_set(struct npf_error *err, int rc, const char *fmt, ...) NPF_PRINTF(3, 4);

#endif

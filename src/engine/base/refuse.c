/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse.c - one line of C that everybody who answers clients needs. */
#include "engine/base/refuse.h"

#include <stdarg.h>
#include <stdio.h>

int npf_refuse(struct npf_wire_error *err, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return rc;
}

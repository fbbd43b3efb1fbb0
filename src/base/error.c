/* SPDX-License-Identifier: BSD-3-Clause */
/* error.c - one formatter for all error texts. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int npf_error_set(struct npf_error *err, int rc, const char *fmt, ...)
{
	struct npf_error made = {""}; /* also behind the text: all of it goes to clients */
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(made.text, sizeof(made.text), fmt, ap);
	va_end(ap);
	if (n < 0)
		made.text[0] = '\0';
	else if ((size_t)n >= sizeof(made.text))
		strcpy(made.text + sizeof(made.text) - sizeof("..."), "...");
	*err = made;
	return rc;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* json_text.c - always UTF-8, never longer than three bytes for one. */
#include "engine/base/json_text.h"

#include "base/utf8.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

json_t *npf_json_text(const char *s)
{
	npf_autofree char *good = NULL;
	char *at;

	if (s == NULL)
		return json_null();
	if (npf_is_utf8(s))
		return json_string(s);
	good = malloc(strlen(s) * strlen(REPLACEMENT) + 1);
	if (good == NULL)
		return NULL;
	at = good;
	while (*s != '\0') {
		unsigned int n = npf_utf8_len(s);

		if (n > 0)
			at = mempcpy(at, s, n);
		else
			at = mempcpy(at, REPLACEMENT, strlen(REPLACEMENT));
		s += n > 0 ? n : 1;
	}
	*at = '\0';
	return json_string(good);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Error texts: whole, or cut where a reader sees it. */
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void the_code_comes_back_beside_the_text(void **state)
{
	struct npf_error err;

	(void)state;
	assert_int_equal(npf_error_set(&err, -EBUSY, "port %u is busy", 3u), -EBUSY);
	assert_string_equal(err.text, "port 3 is busy");
}

static void a_text_can_be_made_of_the_old_one(void **state)
{
	struct npf_error err;

	(void)state;
	npf_error_set(&err, -EINVAL, "a number is wanted");
	npf_error_set(&err, -EINVAL, "rate: %s", err.text);
	assert_string_equal(err.text, "rate: a number is wanted");
}

static void a_text_that_is_too_long_ends_in_dots(void **state)
{
	char text[NPF_ERROR_TEXTLEN + 1];
	struct npf_error err;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[NPF_ERROR_TEXTLEN - 1] = '\0';
	npf_error_set(&err, 0, "%s", text);
	assert_string_equal(err.text, text);
	npf_error_set(&err, 0, "y%s", text);
	assert_int_equal(strlen(err.text), NPF_ERROR_TEXTLEN - 1);
	assert_string_equal(err.text + NPF_ERROR_TEXTLEN - 5, "x...");
}

/* All of the bytes go to a client. */
static void bytes_behind_the_text_are_zero(void **state)
{
	static const char zero[NPF_ERROR_TEXTLEN];
	struct npf_error err;

	(void)state;
	memset(&err, 0xff, sizeof(err));
	npf_error_set(&err, 0, "short");
	assert_memory_equal(err.text + 5, zero, sizeof(err.text) - 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_code_comes_back_beside_the_text),
		cmocka_unit_test(a_text_can_be_made_of_the_old_one),
		cmocka_unit_test(a_text_that_is_too_long_ends_in_dots),
		cmocka_unit_test(bytes_behind_the_text_are_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

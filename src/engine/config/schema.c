/* SPDX-License-Identifier: BSD-3-Clause */
/* schema.c - values that several keys have, and the text of a fault. */
#include "engine/config/schema.h"

#include <stdarg.h>
#include <stdio.h>

const cyaml_strval_t npf_config_switch_names[NPF_CONFIG_N_SWITCH_NAMES] = {
	{"true", NPF_SWITCH_ON},
	{"false", NPF_SWITCH_OFF},
	{"yes", NPF_SWITCH_ON},
	{"no", NPF_SWITCH_OFF},
	{"on", NPF_SWITCH_ON},
	{"off", NPF_SWITCH_OFF},
};

const cyaml_schema_value_t npf_config_string_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 255),
};

int npf_config_fault(char *err, size_t err_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, err_len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* schema.c - values that several keys have. */
#include "engine/config/schema.h"

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

/* SPDX-License-Identifier: BSD-3-Clause */
/* schema.h - what the parts of the configuration's schema and their checks share. */
#ifndef NPF_ENGINE_CONFIG_SCHEMA_H
#define NPF_ENGINE_CONFIG_SCHEMA_H

#include "engine/config/port.h"

#include <cyaml/cyaml.h>

#define NPF_CONFIG_N_SWITCH_NAMES 6

/* enum npf_switch; libcyaml's own booleans take any word for true. */
extern const cyaml_strval_t npf_config_switch_names[NPF_CONFIG_N_SWITCH_NAMES];

/* A short text in a list. */
extern const cyaml_schema_value_t npf_config_string_entry;

#endif

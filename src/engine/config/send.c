/* SPDX-License-Identifier: BSD-3-Clause */
/* send.c - the schema of a send and its rate. The file is opened by npf_sends_check(), not here. */
#include "engine/config/send.h"

#include "engine/config/schema.h"

static const cyaml_schema_field_t send_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct npf_config_send, name, 1, 63),
	CYAML_FIELD_STRING_PTR("port", CYAML_FLAG_POINTER, struct npf_config_send, port, 1, 15),
	CYAML_FIELD_STRING_PTR("file", CYAML_FLAG_POINTER, struct npf_config_send, file, 1, 4095),
	CYAML_FIELD_STRING_PTR("rate", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_send, rate, 1, 31),
	CYAML_FIELD_UINT("loop", CYAML_FLAG_OPTIONAL, struct npf_config_send, loop),
	CYAML_FIELD_UINT("repeat", CYAML_FLAG_OPTIONAL, struct npf_config_send, repeat),
	CYAML_FIELD_END,
};

const struct cyaml_schema_value npf_config_send_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct npf_config_send, send_fields),
};

int npf_config_send_check(struct npf_config_send *s, struct npf_error *err)
{
	const char *rate = s->rate != NULL ? s->rate : "original";

	if (npf_rate_parse(rate, &s->meant) < 0 || s->meant.kind == NPF_RATE_PERCENT)
		return npf_error_set(err, -EINVAL,
			"rate: \"%s\" is not a rate: write original, x2, 100kpps, 1Gbps, 1GbpsL1 "
			"or asap",
			rate);
	if (s->file[0] != '/')
		return npf_error_set(
			err, -EINVAL, "file: \"%.150s\" is not an absolute path", s->file);
	if (s->repeat == 0)
		s->repeat = 1;
	return 0;
}

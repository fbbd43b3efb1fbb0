/* SPDX-License-Identifier: BSD-3-Clause */
/* monitor.c - the schema of a monitor, and its interval. */
#include "engine/config/monitor.h"

#include "base/clock.h"
#include "base/units.h"
#include "engine/config/schema.h"
#include "wire/wire.h"

static const cyaml_schema_field_t monitor_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct npf_config_monitor, name, 1, 63),
	CYAML_FIELD_STRING_PTR("port", CYAML_FLAG_POINTER, struct npf_config_monitor, port, 1, 15),
	CYAML_FIELD_STRING_PTR("filter", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_monitor, filter, 0, 65535),
	CYAML_FIELD_STRING_PTR("interval", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_monitor, interval, 1, 31),
	CYAML_FIELD_STRING_PTR("file", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_monitor, file, 1, 4095),
	CYAML_FIELD_END,
};

const struct cyaml_schema_value npf_config_monitor_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct npf_config_monitor, monitor_fields),
};

int npf_config_monitor_check(struct npf_config_monitor *m, struct npf_error *err)
{
	if (m->interval == NULL)
		m->interval_ns = NPF_NS_PER_S;
	else if (npf_parse_duration(m->interval, &m->interval_ns) < 0)
		return npf_error_set(err, -EINVAL,
			"interval: \"%s\" is not a duration: write 1s, 10ms", m->interval);
	if (m->interval_ns == 0 || m->interval_ns % NPF_NS_PER_MS != 0 ||
		m->interval_ns > NPF_WIRE_MAXINTERVAL_MS * NPF_NS_PER_MS)
		return npf_error_set(err, -EINVAL,
			"interval: \"%s\" is not a whole number of ms within 1ms..1h", m->interval);
	if (m->file != NULL && m->file[0] != '/')
		return npf_error_set(
			err, -EINVAL, "file: \"%.150s\" is not an absolute path", m->file);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * streamfile.c - the schema of a stream file.
 *
 * libcyaml checks the form and reports with line numbers through its log, of which the first
 * lines are kept as the error's text; what the values mean is checked where options are.
 */
#include "txgen/packet/streamfile.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const cyaml_schema_field_t stream_fields[] = {
	CYAML_FIELD_STRING_PTR(
		"packet", CYAML_FLAG_POINTER, struct npf_txgen_stream, packet, 1, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("size", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_txgen_stream, size, 1, CYAML_UNLIMITED),
	CYAML_FIELD_UINT("weight", CYAML_FLAG_OPTIONAL, struct npf_txgen_stream, weight),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t stream_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct npf_txgen_stream, stream_fields),
};

#define TEXT_FIELD(name)                                                                           \
	CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,                    \
		struct npf_txgen_streamfile, name, 1, CYAML_UNLIMITED)

static const cyaml_schema_field_t file_fields[] = {
	TEXT_FIELD(rate),
	TEXT_FIELD(count),
	TEXT_FIELD(duration),
	TEXT_FIELD(size),
	TEXT_FIELD(train),
	TEXT_FIELD(gap),
	CYAML_FIELD_UINT("seed", CYAML_FLAG_OPTIONAL, struct npf_txgen_streamfile, seed),
	CYAML_FIELD_SEQUENCE("streams", CYAML_FLAG_POINTER, struct npf_txgen_streamfile, streams,
		&stream_value, 1, 65536),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t file_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct npf_txgen_streamfile, file_fields),
};

struct log {
	char text[NPF_ERROR_TEXTLEN];
	size_t len;
};

static __attribute__((format(printf, 3, 0))) void keep_log(
	cyaml_log_t level, void *ctx, const char *fmt, va_list ap)
{
	struct log *l = ctx;
	char line[256];

	if (level < CYAML_LOG_ERROR || l->len >= sizeof(l->text) - 1)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "Load: ", 6) == 0)
		memmove(line, line + 6, strlen(line + 6) + 1);
	l->len += (size_t)snprintf(
		l->text + l->len, sizeof(l->text) - l->len, "%s%s", l->len > 0 ? "; " : "", line);
}

static const cyaml_config_t *config(struct log *l)
{
	static cyaml_config_t c;

	c = (cyaml_config_t){
		.log_fn = keep_log,
		.log_ctx = l,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_WARNING,
	};
	return &c;
}

int npf_txgen_streamfile_load(
	const char *path, struct npf_txgen_streamfile **fp, struct npf_error *err)
{
	struct log l = {.len = 0};
	struct npf_txgen_streamfile *f = NULL;
	cyaml_err_t rc = cyaml_load_file(path, config(&l), &file_value, (cyaml_data_t **)&f, NULL);

	if (rc != CYAML_OK)
		return npf_error_set(err, rc == CYAML_ERR_FILE_OPEN ? -ENOENT : -EINVAL,
			"%.150s: %s%s%.250s", path, cyaml_strerror(rc), l.len > 0 ? ": " : "",
			l.text);
	if (f == NULL) { /* an empty document is no error to libcyaml */
		return npf_error_set(err, -EINVAL, "%.150s: there is nothing in it", path);
	}
	*fp = f;
	return 0;
}

struct npf_txgen_streamfile *npf_txgen_streamfile_free(struct npf_txgen_streamfile *f)
{
	struct log l = {.len = 0};

	if (f != NULL)
		cyaml_free(config(&l), &file_value, f, 0);
	return NULL;
}

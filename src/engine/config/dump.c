/* SPDX-License-Identifier: BSD-3-Clause */
/* dump.c - the schema of a dump; sizes, times, modes and owners are parsed here once. */
#include "engine/config/dump.h"

#include "base/units.h"
#include "writer/disk/worker.h"
#include "writer/feed/feed.h"
#include "engine/config/schema.h"
#include "expression/expression.h"
#include "ringbuf/ring.h"

#include <grp.h>
#include <pwd.h>

#define TEXT(name, member, max)                                                                    \
	CYAML_FIELD_STRING_PTR(name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,                     \
		struct npf_config_dump, member, 1, max)

static const cyaml_strval_t format_names[] = {
	{"pcap", NPF_WRITER_PCAP},
	{"pcap-ns", NPF_WRITER_PCAP_NS},
	{"pcapng", NPF_WRITER_PCAPNG},
};
static const cyaml_strval_t compress_names[] = {
	{"none", false},
	{"zstd", true},
};

typedef __typeof__(((struct npf_config_dump *)0)->rotate) rotate_t;
typedef __typeof__(((struct npf_config_dump *)0)->limit) limit_t;
typedef __typeof__(((struct npf_config_dump *)0)->retrospective) retrospective_t;

#define SUB_TEXT(name, type, member)                                                               \
	CYAML_FIELD_STRING_PTR(name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 1, 31)

static const cyaml_schema_field_t rotate_fields[] = {
	SUB_TEXT("size", rotate_t, size),
	SUB_TEXT("time", rotate_t, time),
	CYAML_FIELD_UINT("packets", CYAML_FLAG_OPTIONAL, rotate_t, packets),
	CYAML_FIELD_UINT("keep", CYAML_FLAG_OPTIONAL, rotate_t, keep),
	SUB_TEXT("keep_size", rotate_t, keep_size),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t limit_fields[] = {
	SUB_TEXT("size", limit_t, size),
	CYAML_FIELD_UINT("packets", CYAML_FLAG_OPTIONAL, limit_t, packets),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t retrospective_fields[] = {
	SUB_TEXT("size", retrospective_t, size),
	SUB_TEXT("time", retrospective_t, time),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t dump_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct npf_config_dump, name, 1, 63),
	CYAML_FIELD_STRING_PTR("port", CYAML_FLAG_POINTER, struct npf_config_dump, port, 1, 15),
	CYAML_FIELD_STRING_PTR("filter", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_dump, filter, 0, 65535),
	CYAML_FIELD_STRING_PTR("file", CYAML_FLAG_POINTER, struct npf_config_dump, file, 1, 4095),
	CYAML_FIELD_ENUM("format", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct npf_config_dump,
		params.format, format_names, NPF_ARRAY_LEN(format_names)),
	CYAML_FIELD_UINT("snaplen", CYAML_FLAG_OPTIONAL, struct npf_config_dump, params.snaplen),
	CYAML_FIELD_ENUM("compress", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
		struct npf_config_dump, params.zstd, compress_names, NPF_ARRAY_LEN(compress_names)),
	TEXT("comment", comment, 4095),
	TEXT("index", index, 4095),
	TEXT("buffer", buffer, 31),
	TEXT("mode", mode, 7),
	TEXT("owner", owner, 127),
	CYAML_FIELD_MAPPING(
		"rotate", CYAML_FLAG_OPTIONAL, struct npf_config_dump, rotate, rotate_fields),
	CYAML_FIELD_MAPPING(
		"limit", CYAML_FLAG_OPTIONAL, struct npf_config_dump, limit, limit_fields),
	CYAML_FIELD_MAPPING("retrospective", CYAML_FLAG_OPTIONAL, struct npf_config_dump,
		retrospective, retrospective_fields),
	CYAML_FIELD_END,
};

const struct cyaml_schema_value npf_config_dump_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct npf_config_dump, dump_fields),
};

/* A size or a time; text NULL: absent, *vp stays. */
static int parse_quantity(
	const char *key, const char *text, bool is_time, uint64_t *vp, struct npf_error *err)
{
	if (text == NULL ||
		((is_time ? npf_parse_duration(text, vp) : npf_parse_size(text, vp)) == 0 &&
			*vp > 0 && *vp <= INT64_MAX))
		return 0;
	return npf_error_set(err, -EINVAL,
		is_time ? "%s: \"%s\" is not a duration: write 60s, 5min, 1h"
			: "%s: \"%s\" is not a size: write 64MiB, 1GiB, 1500000",
		key, text);
}

static int parse_mode(struct npf_config_dump *d, struct npf_error *err)
{
	unsigned long v;
	char *end;

	if (d->mode == NULL)
		return 0;
	v = strtoul(d->mode, &end, 8);
	if (*end != '\0' || v == 0 || v > 0777)
		return npf_error_set(err, -EINVAL,
			"mode: \"%s\" is not an octal file mode such as 0640", d->mode);
	d->params.access.mode = (mode_t)v;
	return 0;
}

/* "USER", "USER:GROUP" or ":GROUP". */
static int parse_owner(struct npf_config_dump *d, struct npf_error *err)
{
	struct npf_writer_access *a = &d->params.access;
	npf_autofree char *user = NULL;
	char *group;

	a->uid = (uid_t)-1;
	a->gid = (gid_t)-1;
	if (d->owner == NULL)
		return 0;
	user = strdup(d->owner);
	if (user == NULL)
		return -ENOMEM;
	group = strchr(user, ':');
	if (group != NULL)
		*group++ = '\0';
	if (user[0] != '\0') {
		const struct passwd *pw = getpwnam(user);

		if (pw == NULL)
			return npf_error_set(err, -EINVAL, "owner: there is no user \"%s\"", user);
		a->uid = pw->pw_uid;
	}
	if (group != NULL) {
		const struct group *gr = getgrnam(group);

		if (gr == NULL)
			return npf_error_set(
				err, -EINVAL, "owner: there is no group \"%s\"", group);
		a->gid = gr->gr_gid;
	}
	return 0;
}

static int parse_quantities(struct npf_config_dump *d, struct npf_error *err)
{
	struct npf_writer_params *p = &d->params;
	const struct {
		const char *key, *text;
		bool is_time;
		uint64_t *vp;
	} keys[] = {
		{"buffer", d->buffer, false, &p->ring},
		{"rotate.size", d->rotate.size, false, &p->limits.file_size},
		{"rotate.time", d->rotate.time, true, &p->limits.file_time_ns},
		{"rotate.keep_size", d->rotate.keep_size, false, &p->keep.bytes},
		{"limit.size", d->limit.size, false, &p->limits.max_size},
		{"retrospective.size", d->retrospective.size, false, &p->retro.bytes},
		{"retrospective.time", d->retrospective.time, true, &p->retro.ns},
	};

	for (size_t i = 0; i < NPF_ARRAY_LEN(keys); i++)
		if (parse_quantity(keys[i].key, keys[i].text, keys[i].is_time, keys[i].vp, err) < 0)
			return -EINVAL;
	if (p->ring > NPF_WRITER_RING_MAX || p->retro.bytes > NPF_WRITER_RING_MAX / 2)
		return npf_error_set(
			err, -EINVAL, "buffer: more than %llu GiB", NPF_WRITER_RING_MAX >> 30);
	return 0;
}

static int check_numbers(struct npf_config_dump *d, struct npf_error *err)
{
	struct npf_writer_params *p = &d->params;
	const struct {
		const char *key;
		uint64_t value, *vp;
	} keys[] = {
		{"rotate.packets", d->rotate.packets, &p->limits.file_packets},
		{"rotate.keep", d->rotate.keep, &p->keep.files},
		{"limit.packets", d->limit.packets, &p->limits.max_packets},
	};

	for (size_t i = 0; i < NPF_ARRAY_LEN(keys); i++) {
		/* Reports have no number beyond that. */
		if (keys[i].value > INT64_MAX)
			return npf_error_set(err, -EINVAL, "%s: %llu is too large", keys[i].key,
				(unsigned long long)keys[i].value);
		*keys[i].vp = keys[i].value;
	}
	return 0;
}

/* Do the header and the trailer of a file fit into the limits? pcapng's header also has the port's
 * device, which is not known here: npf_dump_make() checks again. */
static int check_limit(const struct npf_config_dump *d, const char *key,
	const struct npf_writer_limits *limits, struct npf_error *err)
{
	const struct npf_writer_header head = {
		.format = d->params.format,
		.if_name = d->port,
		.filter = d->filter,
		.comment = d->comment,
	};
	uint32_t trailer = npf_writer_trailer_size(d->params.format);
	npf_autofree void *bytes = NULL;
	struct npf_writer_rotation rotation;
	int n = npf_writer_encode_header(&head, &bytes);

	if (n < 0)
		return npf_error_set(err, n, "%s: %s", key, strerror(-n));
	return npf_writer_rotation_init(&rotation, limits, (uint32_t)n, trailer, NULL) == 0
		       ? 0
		       : npf_error_set(err, -EINVAL,
				 "%s: smaller than the header of a file, %u bytes", key,
				 (uint32_t)n + trailer);
}

static int check_limits(const struct npf_config_dump *d, struct npf_error *err)
{
	const struct npf_writer_limits *l = &d->params.limits;
	const char *conflict = npf_writer_params_conflict(&d->params);
	int rc = check_limit(
		d, "rotate.size", &(struct npf_writer_limits){.file_size = l->file_size}, err);

	if (rc == 0)
		rc = check_limit(
			d, "limit.size", &(struct npf_writer_limits){.max_size = l->max_size}, err);
	return rc == 0 && conflict != NULL
		       ? npf_error_set(err, -EINVAL, "retrospective: %s", conflict)
		       : rc;
}

int npf_config_dump_check(struct npf_config_dump *d, int linktype, struct npf_error *err)
{
	struct npf_bpf_insn *insns;
	uint32_t n_insns;
	int rc;

	rc = parse_quantities(d, err);
	if (rc == 0)
		rc = check_numbers(d, err);
	if (rc == 0)
		rc = check_limits(d, err);
	if (rc == 0)
		rc = parse_mode(d, err);
	if (rc == 0)
		rc = parse_owner(d, err);
	if (rc < 0)
		return rc;
	if (d->file[0] != '/')
		return npf_error_set(
			err, -EINVAL, "file: \"%.150s\" is not an absolute path", d->file);
	if (d->index != NULL && d->index[0] != '/')
		return npf_error_set(
			err, -EINVAL, "index: \"%.150s\" is not an absolute path", d->index);
	if (npf_writer_pattern_check(d->file, err) < 0 ||
		npf_writer_pattern_check_target(d->file, err) < 0)
		return npf_error_set(err, -EINVAL, "file: %s", err->text);
	rc = npf_expression_compile(&(struct npf_expression){d->filter, linktype, NPF_REC_MAXCAP},
		&insns, &n_insns, err);
	free(insns);
	return rc;
}

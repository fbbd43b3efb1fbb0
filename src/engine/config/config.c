/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.c - the YAML file's schema (libcyaml) and what a schema cannot say.
 *
 * libcyaml finds unknown keys, wrong types and values out of range, and names line and column;
 * check_*() find values that contradict each other, and name the key. Defaults are filled in last:
 * the checks can tell an absent key from a written one.
 */
#include "engine/config/config.h"

#include "engine/config/schema.h"
#include "engine/config/replayed.h"
#include "wire/wire.h"

#include <assert.h>
#include <cyaml/cyaml.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#define DEFAULT_MEMORY_MIB 128
#define DEFAULT_BUFFER_KIB 8192
#define MAX_CONFIG_BYTES   (1 << 20)

static const cyaml_strval_t poll_names[] = {
	{"adaptive", NPF_POLL_ADAPTIVE}, {"busy", NPF_POLL_BUSY}};
static const cyaml_strval_t hugepages_names[] = {
	{"auto", NPF_HUGEPAGES_AUTO}, {"on", NPF_HUGEPAGES_ON}, {"off", NPF_HUGEPAGES_OFF}};
static const cyaml_schema_field_t limits_fields[] = {
	CYAML_FIELD_UINT("connections", CYAML_FLAG_OPTIONAL, struct npf_config_limits, connections),
	CYAML_FIELD_UINT("sessions", CYAML_FLAG_OPTIONAL, struct npf_config_limits, sessions),
	CYAML_FIELD_UINT("memory", CYAML_FLAG_OPTIONAL, struct npf_config_limits, memory),
	CYAML_FIELD_UINT("filter", CYAML_FLAG_OPTIONAL, struct npf_config_limits, filter),
	CYAML_FIELD_UINT("buffer", CYAML_FLAG_OPTIONAL, struct npf_config_limits, buffer),
	CYAML_FIELD_UINT("tap", CYAML_FLAG_OPTIONAL, struct npf_config_limits, tap),
	CYAML_FIELD_UINT(
		"lasting_dumps", CYAML_FLAG_OPTIONAL, struct npf_config_limits, lasting_dumps),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t daemon_fields[] = {
	CYAML_FIELD_STRING_PTR("socket", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_daemon, socket, 1, 107),
	CYAML_FIELD_STRING_PTR("group", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_daemon, group, 1, 63),
	CYAML_FIELD_STRING_PTR("user", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_daemon, user, 1, 63),
	CYAML_FIELD_ENUM("poll", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct npf_config_daemon,
		poll, poll_names, NPF_ARRAY_LEN(poll_names)),
	CYAML_FIELD_ENUM("telemetry", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
		struct npf_config_daemon, telemetry, npf_config_switch_names,
		NPF_CONFIG_N_SWITCH_NAMES),
	CYAML_FIELD_UINT("buffer", CYAML_FLAG_OPTIONAL, struct npf_config_daemon, buffer),
	CYAML_FIELD_INT_PTR("send_cpu", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_daemon, send_cpu),
	CYAML_FIELD_MAPPING(
		"limits", CYAML_FLAG_OPTIONAL, struct npf_config_daemon, limits, limits_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t eal_fields[] = {
	CYAML_FIELD_STRING_PTR("lcores", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_eal, lcores, 1, 255),
	CYAML_FIELD_UINT("memory", CYAML_FLAG_OPTIONAL, struct npf_config_eal, memory),
	CYAML_FIELD_ENUM("hugepages", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
		struct npf_config_eal, hugepages, hugepages_names, NPF_ARRAY_LEN(hugepages_names)),
	CYAML_FIELD_SEQUENCE_COUNT("args", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_eal, args, n_args, &npf_config_string_entry, 0, 64),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t top_fields[] = {
	CYAML_FIELD_MAPPING("npf", CYAML_FLAG_OPTIONAL, struct npf_config, npf, daemon_fields),
	CYAML_FIELD_MAPPING("eal", CYAML_FLAG_OPTIONAL, struct npf_config, eal, eal_fields),
	CYAML_FIELD_SEQUENCE_COUNT("ports", CYAML_FLAG_POINTER, struct npf_config, ports, n_ports,
		&npf_config_port_entry, 1, NPF_WIRE_MAXPORTS),
	CYAML_FIELD_SEQUENCE_COUNT("monitors", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config, monitors, n_monitors, &npf_config_monitor_entry, 0, 256),
	CYAML_FIELD_SEQUENCE_COUNT("dumps", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config, dumps, n_dumps, &npf_config_dump_entry, 0, 64),
	CYAML_FIELD_SEQUENCE_COUNT("sends", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config, sends, n_sends, &npf_config_send_entry, 0, 64),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t top = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct npf_config, top_fields),
};

/* Collects messages, a line each. */
struct report {
	struct npf_config_faults *faults;
	const char *path;
};

static void add_line(struct report *r, const char *text)
{
	char *lines = r->faults->lines;
	size_t used = strlen(lines);

	snprintf(lines + used, sizeof(r->faults->lines) - used, "%s%s: %s", used > 0 ? "\n" : "",
		r->path, text);
}

static int add_error(struct report *r, const char *fmt, ...) NPF_PRINTF(2, 3);

static int add_error(struct report *r, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	add_line(r, line);
	return -EINVAL;
}

static void collect_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct report *r = ctx;
	char line[512];
	const char *text = line;

	(void)level;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(text, "Load: ", 6) == 0)
		text += 6;
	while (*text == ' ')
		text++;
	add_line(r, text);
}

static const cyaml_config_t *cyaml_conf(struct report *r)
{
	static _Thread_local cyaml_config_t conf;

	conf = (cyaml_config_t){
		.log_fn = collect_log,
		.log_ctx = r,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	return &conf;
}

/* ---- the lists ---- */

/* Return: the port; NULL with a text in err: the configuration has none of that name. */
static const struct npf_config_port *find_port(
	const struct npf_config *c, const char *name, struct npf_error *err)
{
	for (unsigned int i = 0; i < c->n_ports; i++)
		if (strcmp(c->ports[i].name, name) == 0)
			return &c->ports[i];
	npf_error_set(err, -EINVAL, "port: there is no port \"%s\"", name);
	return NULL;
}

static int check_port(const struct npf_config *c, void *entry, struct npf_error *err)
{
	const struct npf_config_port *p = entry;

	if (npf_config_port_check(p, err) < 0)
		return -EINVAL;
	for (const struct npf_config_port *other = c->ports; other < p; other++)
		if (npf_config_port_same_device(p, other))
			return npf_error_set(err, -EINVAL,
				"device: \"%.*s\" is already used by port %s; number them: "
				"net_pcap0, net_pcap1",
				(int)strcspn(p->device, ","), p->device, other->name);
	return 0;
}

static int check_monitor(const struct npf_config *c, void *entry, struct npf_error *err)
{
	struct npf_config_monitor *m = entry;

	if (find_port(c, m->port, err) == NULL)
		return -EINVAL;
	return npf_config_monitor_check(m, err);
}

static int check_dump(const struct npf_config *c, void *entry, struct npf_error *err)
{
	struct npf_config_dump *d = entry;
	const struct npf_config_port *port = find_port(c, d->port, err);

	if (port == NULL || npf_config_dump_check(d, npf_replayed_linktype(port), err) < 0)
		return -EINVAL;
	for (const struct npf_config_dump *other = c->dumps; other < d; other++)
		if (strcmp(d->file, other->file) == 0)
			return npf_error_set(err, -EINVAL,
				"file: \"%.150s\" is already that of dump %s", d->file,
				other->name);
	return 0;
}

static int check_send(const struct npf_config *c, void *entry, struct npf_error *err)
{
	struct npf_config_send *s = entry;
	const struct npf_config_port *port = find_port(c, s->port, err);

	if (port == NULL)
		return -EINVAL;
	if (port->send != NPF_SWITCH_ON)
		return npf_error_set(err, -EINVAL, "port: %s does not say `send: true`", s->port);
	return npf_config_send_check(s, err);
}

/* A list of the configuration. Each entry begins with its name, which no other of the list has. */
struct list {
	const char *key;
	void *entries;
	unsigned int n;
	size_t size; /* bytes of an entry */
	/* Return: 0, or -errno with a text in err that starts with the entry's key. */
	int (*check)(const struct npf_config *c, void *entry, struct npf_error *err);
};

static_assert(offsetof(struct npf_config_port, name) == 0, "see struct list");
static_assert(offsetof(struct npf_config_monitor, name) == 0, "see struct list");
static_assert(offsetof(struct npf_config_dump, name) == 0, "see struct list");
static_assert(offsetof(struct npf_config_send, name) == 0, "see struct list");

static void *entry_at(const struct list *l, unsigned int i)
{
	return (char *)l->entries + i * l->size;
}

static int check_list(const struct npf_config *c, const struct list *l, struct report *r)
{
	for (unsigned int i = 0; i < l->n; i++) {
		const char *name = *(char **)entry_at(l, i);
		struct npf_error err = {""};

		if (l->check(c, entry_at(l, i), &err) < 0)
			return add_error(r, "%s[%u].%s", l->key, i, err.text);
		for (unsigned int j = 0; j < i; j++)
			if (strcmp(name, *(char **)entry_at(l, j)) == 0)
				return add_error(r, "%s[%u].name: \"%s\" is already %s[%u]", l->key,
					i, name, l->key, j);
	}
	return 0;
}

static int check_all(struct npf_config *c, struct report *r)
{
	/* Ports first: the others name them. */
	const struct list lists[] = {
		{"ports", c->ports, c->n_ports, sizeof(*c->ports), check_port},
		{"monitors", c->monitors, c->n_monitors, sizeof(*c->monitors), check_monitor},
		{"dumps", c->dumps, c->n_dumps, sizeof(*c->dumps), check_dump},
		{"sends", c->sends, c->n_sends, sizeof(*c->sends), check_send},
	};

	if (c->npf.socket != NULL && c->npf.socket[0] != '/')
		return add_error(r, "npf.socket: \"%s\" is not an absolute path", c->npf.socket);
	if (c->npf.buffer != 0 && c->npf.buffer < 64)
		return add_error(r, "npf.buffer: %u KiB is less than 64", c->npf.buffer);
	if (c->npf.send_cpu != NULL && (*c->npf.send_cpu < 0 || *c->npf.send_cpu >= CPU_SETSIZE))
		return add_error(r, "npf.send_cpu: %d is not a CPU", *c->npf.send_cpu);
	if (c->eal.memory != 0 && (c->eal.memory < 32 || c->eal.memory > (1u << 20)))
		return add_error(r, "eal.memory: %u MiB is not within 32..1048576", c->eal.memory);
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(lists); i++) {
		int rc = check_list(c, &lists[i], r);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static void default_to(uint32_t *v, uint32_t value)
{
	if (*v == 0)
		*v = value;
}

static int complete(struct npf_config *c)
{
	default_to(&c->npf.buffer, DEFAULT_BUFFER_KIB);
	default_to(&c->npf.limits.sessions, 256);
	/* One for each session, and some for clients without one. */
	default_to(
		&c->npf.limits.connections, NPF_MIN(c->npf.limits.sessions, UINT32_MAX - 64) + 64);
	default_to(&c->npf.limits.memory, 4096);
	default_to(&c->npf.limits.filter, NPF_WIRE_MAXINSNS);
	default_to(&c->npf.limits.buffer, 4096);
	default_to(&c->npf.limits.tap, 50);
	default_to(&c->eal.memory, DEFAULT_MEMORY_MIB);
	if (c->npf.telemetry == NPF_SWITCH_ABSENT)
		c->npf.telemetry = NPF_SWITCH_ON;
	for (unsigned int i = 0; i < c->n_ports; i++)
		npf_config_port_complete(&c->ports[i]);
	if (c->npf.socket == NULL)
		c->npf.socket = strdup(npf_wire_socket_path(NULL));
	return c->npf.socket != NULL ? 0 : -ENOMEM;
}

/* libcyaml would read a device for ever, so only a regular file is passed to it. */
static int check_file(const char *path, struct report *r)
{
	struct stat st;

	if (stat(path, &st) < 0 || access(path, R_OK) < 0) {
		int rc = -errno;

		add_error(r, "can't read it: %s", strerror(-rc));
		return rc;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_CONFIG_BYTES)
		return add_error(
			r, "not a configuration file: a YAML file of at most 1 MiB is wanted");
	return 0;
}

/* libcyaml leaves out the line of a syntax error, so libyaml parses the file first. */
static int check_syntax(const char *path, struct report *r)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool more = true;
	FILE *f;
	int rc = 0;

	f = fopen(path, "re");
	if (f == NULL)
		return -errno;
	if (!yaml_parser_initialize(&parser)) {
		fclose(f);
		return -ENOMEM;
	}
	yaml_parser_set_input_file(&parser, f);
	while (more && rc == 0) {
		if (!yaml_parser_parse(&parser, &event)) {
			rc = add_error(r, "not YAML: %s (line: %zu, column: %zu)",
				parser.problem != NULL ? parser.problem : "unreadable",
				parser.problem_mark.line + 1, parser.problem_mark.column + 1);
			break;
		}
		more = event.type != YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	fclose(f);
	return rc;
}

int npf_config_load(const char *path, struct npf_config **cp, struct npf_config_faults *faults)
{
	struct report r = {faults, path};
	struct npf_config *c = NULL;
	cyaml_err_t ce;
	int rc;

	faults->lines[0] = '\0';
	rc = check_file(path, &r);
	if (rc == 0)
		rc = check_syntax(path, &r);
	if (rc < 0)
		return rc;
	ce = cyaml_load_file(path, cyaml_conf(&r), &top, (cyaml_data_t **)&c, NULL);
	if (ce != CYAML_OK) {
		add_line(&r, cyaml_strerror(ce));
		return -EINVAL;
	}
	if (c == NULL)
		return add_error(
			&r, "the file is empty: at least `ports:` is needed, see npf-dpdk.yaml(5)");
	rc = check_all(c, &r);
	if (rc == 0)
		rc = complete(c);
	if (rc < 0) {
		npf_config_free(c);
		return rc;
	}
	*cp = c;
	return 0;
}

int npf_config_from_vdevs(char *const *specs, unsigned int n, struct npf_config **cp,
	struct npf_config_faults *faults)
{
	struct report r = {faults, "--iface, --vdev"};
	struct npf_config *c;
	int rc;

	faults->lines[0] = '\0';
	if (n > NPF_WIRE_MAXPORTS)
		return add_error(&r, "at most %u ports", NPF_WIRE_MAXPORTS);
	/* libcyaml's allocator (realloc, free) frees it: see npf_config_free(). */
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->ports = calloc(n, sizeof(*c->ports));
	rc = c->ports != NULL ? 0 : -ENOMEM;
	for (unsigned int i = 0; rc == 0 && i < n; i++) {
		struct npf_config_port *p = &c->ports[c->n_ports++];

		p->send = NPF_SWITCH_ON;
		p->device = strdup(specs[i]);
		if (p->device == NULL || asprintf(&p->name, "npf%u", i) < 0)
			rc = -ENOMEM;
		/* A replay at the speed of the disk would end before a client can attach. */
		if (rc == 0 && npf_config_port_is_replay(p)) {
			p->start = NPF_START_ATTACH;
			p->overflow = NPF_OVERFLOW_WAIT;
		}
	}
	if (rc == 0)
		rc = check_all(c, &r);
	if (rc == 0)
		rc = complete(c);
	if (rc < 0) {
		npf_config_free(c);
		return rc;
	}
	*cp = c;
	return 0;
}

struct npf_config *npf_config_free(struct npf_config *c)
{
	struct npf_config_faults unused = {""};
	struct report r = {&unused, ""};

	if (c != NULL)
		cyaml_free(cyaml_conf(&r), &top, c, 0);
	return NULL;
}

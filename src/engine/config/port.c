/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.c - a port's schema, the checks that go beyond it, its defaults.
 *
 * Each port is checked alone; config.c compares them.
 */
#include "engine/config/port.h"

#include "engine/config/schema.h"
#include "device/devargs.h"
#include "wire/wire.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_RX_DESC 1024
#define MAX_NAME        15 /* as a kernel interface's, for its shadow's sake */

static const cyaml_strval_t start_names[] = {
	{"always", NPF_START_ALWAYS}, {"attach", NPF_START_ATTACH}};
static const cyaml_strval_t overflow_names[] = {
	{"drop", NPF_OVERFLOW_DROP}, {"wait", NPF_OVERFLOW_WAIT}};

#define SWITCH(name, member)                                                                       \
	CYAML_FIELD_ENUM(name, CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct npf_config_port,    \
		member, npf_config_switch_names, NPF_CONFIG_N_SWITCH_NAMES)

static const cyaml_schema_field_t port_fields[] = {
	CYAML_FIELD_STRING_PTR(
		"name", CYAML_FLAG_POINTER, struct npf_config_port, name, 1, MAX_NAME),
	CYAML_FIELD_STRING_PTR(
		"device", CYAML_FLAG_POINTER, struct npf_config_port, device, 1, 255),
	CYAML_FIELD_ENUM("start", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct npf_config_port,
		start, start_names, NPF_ARRAY_LEN(start_names)),
	CYAML_FIELD_ENUM("overflow", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
		struct npf_config_port, overflow, overflow_names, NPF_ARRAY_LEN(overflow_names)),
	CYAML_FIELD_UINT("rx_queues", CYAML_FLAG_OPTIONAL, struct npf_config_port, rx_queues),
	CYAML_FIELD_UINT("rx_desc", CYAML_FLAG_OPTIONAL, struct npf_config_port, rx_desc),
	CYAML_FIELD_UINT("mtu", CYAML_FLAG_OPTIONAL, struct npf_config_port, mtu),
	SWITCH("promiscuous", promiscuous),
	SWITCH("send", send),
	SWITCH("shadow", shadow),
	CYAML_FIELD_SEQUENCE_COUNT("allow", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
		struct npf_config_port, allow, n_allow, &npf_config_string_entry, 0, 64),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t npf_config_port_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct npf_config_port, port_fields),
};

bool npf_config_is_pci(const char *device)
{
	unsigned int a, b, c, d;
	int end = 0;

	if (sscanf(device, "%4x:%2x:%2x.%1x%n", &a, &b, &c, &d, &end) < 4 &&
		sscanf(device, "%2x:%2x.%1x%n", &a, &b, &c, &end) < 3)
		return false;
	return device[end] == '\0' || device[end] == ',';
}

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* "iface:" and an interface's name. */
static int check_iface(const struct npf_config_port *p, struct npf_error *err)
{
	const char *name = p->device + strlen(NPF_DEVARGS_IFACE);

	if (name[0] == '\0' || strlen(name) > MAX_NAME || strpbrk(name, "/:, \t") != NULL)
		return npf_error_set(err, -EINVAL,
			"device: \"%.150s\": an interface's name has 1 to %d letters", p->device,
			MAX_NAME);
	if (p->mtu != 0)
		return npf_error_set(err, -EINVAL,
			"mtu: interface %s has its own; change it with `ip link set %s mtu %u`",
			name, name, p->mtu);
	return 0;
}

static int check_names(const struct npf_config_port *p, struct npf_error *err)
{
	/* The schema says so for a file. */
	if (p->name[0] == '\0' || strlen(p->name) > MAX_NAME)
		return npf_error_set(
			err, -EINVAL, "name: \"%.150s\" is not 1 to %d letters", p->name, MAX_NAME);
	for (const char *s = p->name; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr("_-.", *s) == NULL)
			return npf_error_set(err, -EINVAL,
				"name: \"%s\": use letters, digits, '_', '-' and '.' only",
				p->name);
	if (strcmp(p->name, "any") == 0 || strcmp(p->name, "lo") == 0)
		return npf_error_set(err, -EINVAL,
			"name: \"%s\" is taken by the kernel; choose another, such as npf0",
			p->name);
	if (has_prefix(p->device, NPF_DEVARGS_IFACE))
		return check_iface(p, err);
	if (!npf_config_is_pci(p->device) && !has_prefix(p->device, "net_"))
		return npf_error_set(err, -EINVAL,
			"device: \"%.100s\" is neither a kernel interface (iface:eth1), nor a PCI "
			"address (0000:3b:00.0), nor a virtual device (net_pcap0,..., net_null0, "
			"...)",
			p->device);
	return 0;
}

int npf_config_port_check(const struct npf_config_port *p, struct npf_error *err)
{
	int rc = check_names(p, err);

	if (rc < 0)
		return rc;
	if (p->rx_queues > 32)
		return npf_error_set(err, -EINVAL, "rx_queues: %u is more than 32", p->rx_queues);
	if (p->rx_desc != 0 && (p->rx_desc < 64 || p->rx_desc > 32768))
		return npf_error_set(
			err, -EINVAL, "rx_desc: %u is not within 64..32768", p->rx_desc);
	if (p->mtu != 0 && p->mtu < 68)
		return npf_error_set(err, -EINVAL, "mtu: %u is less than 68", p->mtu);
	if (p->shadow == NPF_SWITCH_ON &&
		(p->start == NPF_START_ATTACH || p->send != NPF_SWITCH_ON))
		return npf_error_set(
			err, -EINVAL, "shadow: it needs `send: true` and `start: always`");
	for (unsigned int a = 0; a < p->n_allow; a++)
		if (strcmp(p->allow[a], "any") != 0 && !has_prefix(p->allow[a], "user:") &&
			!has_prefix(p->allow[a], "group:"))
			return npf_error_set(err, -EINVAL,
				"allow[%u]: \"%.150s\" is none of \"any\", \"user:NAME\", "
				"\"group:NAME\"",
				a, p->allow[a]);
	return 0;
}

bool npf_config_port_same_device(const struct npf_config_port *a, const struct npf_config_port *b)
{
	size_t len = strcspn(a->device, ",");

	return strcspn(b->device, ",") == len && strncmp(a->device, b->device, len) == 0;
}

bool npf_config_port_is_replay(const struct npf_config_port *p)
{
	const char *forever = strstr(p->device, ",infinite_rx=");

	return has_prefix(p->device, "net_pcap") && strstr(p->device, ",rx_pcap=") != NULL &&
	       (forever == NULL || atoi(forever + strlen(",infinite_rx=")) == 0);
}

static void default_switch(enum npf_switch *v, enum npf_switch value)
{
	if (*v == NPF_SWITCH_ABSENT)
		*v = value;
}

void npf_config_port_complete(struct npf_config_port *p)
{
	default_switch(&p->promiscuous, NPF_SWITCH_ON);
	default_switch(&p->send, NPF_SWITCH_OFF);
	default_switch(&p->shadow, NPF_SWITCH_OFF);
	p->rx_queues = p->rx_queues != 0 ? p->rx_queues : 1;
	p->rx_desc = p->rx_desc != 0 ? p->rx_desc : DEFAULT_RX_DESC;
}

struct npf_config_port *npf_config_port_free(struct npf_config_port *p)
{
	if (p == NULL)
		return NULL;
	for (unsigned int i = 0; i < p->n_allow; i++)
		free(p->allow[i]);
	free(p->allow);
	free(p->device);
	free(p->name);
	free(p);
	return NULL;
}

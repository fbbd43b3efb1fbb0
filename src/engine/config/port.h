/* SPDX-License-Identifier: BSD-3-Clause */
/* port.h - one port: of the configuration's `ports:`, or added at run time. */
#ifndef NPF_ENGINE_CONFIG_PORT_H
#define NPF_ENGINE_CONFIG_PORT_H

#include "base/error.h"

struct cyaml_schema_value;

enum npf_switch {
	NPF_SWITCH_ABSENT, /* in a file only: a loaded configuration says on or off */
	NPF_SWITCH_ON,
	NPF_SWITCH_OFF,
};

enum npf_start {
	NPF_START_ALWAYS, /* the port runs from the start */
	NPF_START_ATTACH, /* it runs while a client captures; a replay starts over each time */
};

enum npf_overflow {
	NPF_OVERFLOW_DROP, /* a full ring drops and counts */
	NPF_OVERFLOW_WAIT, /* a full ring stops the port until there is room: lossless replays */
};

struct npf_config_port {
	char *name;
	char *device; /* iface:NAME, vdev devargs, or a PCI address with optional devargs */
	enum npf_start start;
	enum npf_overflow overflow;
	uint16_t rx_queues;
	uint16_t rx_desc;            /* descriptors per rx queue */
	uint16_t mtu;                /* 0: leave the device's */
	enum npf_switch promiscuous; /* absent: on */
	enum npf_switch send;        /* may clients send? absent: off */
	enum npf_switch shadow;      /* make a kernel interface of the port's name? absent: off */
	char **allow; /* "any", "user:NAME", "group:NAME"; none: all who may use the socket */
	unsigned int n_allow;
};

extern const struct cyaml_schema_value npf_config_port_entry;

/* npf_config_port_check - check beyond the schema. Return: 0, or -EINVAL with a text in err that
 * starts with the key. */
int npf_config_port_check(const struct npf_config_port *p, struct npf_error *err);

/* Does the device replay a savefile once, to its end? */
bool npf_config_port_is_replay(const struct npf_config_port *p);

/* Fill in the defaults. */
void npf_config_port_complete(struct npf_config_port *p);

/* Do both ports name the same device? */
bool npf_config_port_same_device(const struct npf_config_port *a, const struct npf_config_port *b);

/* Free a port that was added at run time. NULL is fine; returns NULL. */
struct npf_config_port *npf_config_port_free(struct npf_config_port *p);

/* Is this device a PCI address (DDDD:BB:DD.F or BB:DD.F, devargs may follow)? */
bool npf_config_is_pci(const char *device);

#endif

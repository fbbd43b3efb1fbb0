/* SPDX-License-Identifier: BSD-3-Clause */
/* replayed.c - parses net_pcap's arguments as rte_kvargs does, and reads the files' headers. */
#include "engine/config/replayed.h"

#include "engine/config/config.h"
#include "replay/replay.h"

#include <pcap/dlt.h>
#include <stdio.h>
#include <string.h>

#define DRIVER "net_pcap"

/* The value of "key=value", or NULL. */
static const char *value_of(const char *word, const char *key)
{
	size_t n = strlen(key);

	return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

static void append(char *text, const char *word)
{
	size_t used = strlen(text);

	snprintf(text + used, NPF_REPLAYED_DEVICE - used, "%s%s", used > 0 ? "," : "", word);
}

/* Return: false: the device is not one that replays. */
static bool add_argument(struct npf_replayed *r, const char *word)
{
	const char *file = value_of(word, "rx_pcap"), *endless = value_of(word, "infinite_rx");

	if (value_of(word, "iface") != NULL || strncmp(word, "rx_iface", 8) == 0)
		return false;
	r->has_tx |= value_of(word, "tx_pcap") != NULL || value_of(word, "tx_iface") != NULL;
	if (endless != NULL)
		r->endless = strtoul(endless, NULL, 10) != 0;
	else if (file == NULL)
		append(r->others, word);
	else if (r->n_files < NPF_REPLAYED_FILES)
		r->files[r->n_files++] = file;
	return true;
}

void npf_replayed_parse(const char *device, struct npf_replayed *r)
{
	char *rest = r->words, *word;

	memset(r, 0, sizeof(*r));
	if (strncmp(device, DRIVER, strlen(DRIVER)) != 0 || strlen(device) >= sizeof(r->words))
		return;
	snprintf(r->words, sizeof(r->words), "%s", device);
	while ((word = strsep(&rest, ",")) != NULL)
		if (!add_argument(r, word)) {
			r->n_files = 0;
			return;
		}
}

/* Opens file i. Return: its link type or -errno. */
static int open_file(const struct npf_config_port *conf, const struct npf_replayed *r,
	unsigned int i, struct npf_error *err)
{
	struct npf_trace *t;
	int linktype;
	int rc = npf_trace_open(r->files[i], -1, &t, err);

	if (rc < 0)
		return npf_error_set(err, rc, "port %s: %s", conf->name, err->text);
	linktype = npf_trace_linktype(t);
	npf_trace_close(t);
	return linktype;
}

int npf_replayed_probe(const struct npf_config_port *conf, int *linktypep, struct npf_error *err)
{
	struct npf_replayed r;

	*linktypep = DLT_EN10MB;
	npf_replayed_parse(conf->device, &r);
	for (unsigned int i = 0; i < r.n_files; i++) {
		int linktype = open_file(conf, &r, i, err);

		if (linktype < 0)
			return linktype;
		if (i > 0 && linktype != *linktypep)
			return npf_error_set(err, -EINVAL,
				"port %s: its savefiles have packets of more than one link type: "
				"give each link type a port of its own",
				conf->name);
		*linktypep = linktype;
	}
	if (*linktypep != DLT_EN10MB && r.has_tx)
		return npf_error_set(err, -EINVAL,
			"port %s: its savefile does not hold Ethernet packets, and only Ethernet "
			"packets can be sent: leave tx_pcap and tx_iface out",
			conf->name);
	if (*linktypep != DLT_EN10MB && conf->shadow == NPF_SWITCH_ON)
		return npf_error_set(err, -EINVAL,
			"port %s: its savefile does not hold Ethernet packets, and a shadow "
			"interface has those only: leave `shadow` out",
			conf->name);
	return 0;
}

int npf_replayed_linktype(const struct npf_config_port *conf)
{
	struct npf_error ignored;
	int linktype;

	return npf_replayed_probe(conf, &linktype, &ignored) == 0 ? linktype : DLT_EN10MB;
}

int npf_replayed_check(const struct npf_config *conf, struct npf_error *err)
{
	struct npf_error why;
	int linktype;

	for (unsigned int i = 0; i < conf->n_ports; i++) {
		int rc = npf_replayed_probe(&conf->ports[i], &linktype, &why);

		if (rc == 0 || rc == -EACCES)
			continue;
		*err = why;
		return rc;
	}
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration: what is taken, what is filled in, and that each mistake is named with its
 * place. */
#include "engine/config/config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static struct npf_config_faults faults;

static int load(const char *yaml, struct npf_config **cp)
{
	char path[] = "/tmp/npf-config-XXXXXX";
	int fd = mkstemp(path);
	int rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
	close(fd);
	rc = npf_config_load(path, cp, &faults);
	unlink(path);
	return rc;
}

static void a_full_file_is_read_as_written(void **state)
{
	struct npf_config *c;

	(void)state;
	assert_int_equal(load("npf: {socket: /tmp/a.sock, group: adm, user: nobody, poll: busy, "
			      "telemetry: false, buffer: 256,\n"
			      "      limits: {sessions: 3, memory: 64, filter: 100, buffer: 32}}\n"
			      "eal: {lcores: \"0@0,1@0\", memory: 96, hugepages: off, args: "
			      "[\"--no-pci\"]}\n"
			      "ports:\n"
			      "  - {name: npf0, device: \"net_pcap0,rx_pcap=a.pcap\", start: "
			      "attach, overflow: wait}\n"
			      "  - {name: up, device: \"0000:3b:00.0\", rx_queues: 4, rx_desc: "
			      "512, mtu: 9000,\n"
			      "     promiscuous: false, send: true, allow: [\"group:adm\", "
			      "\"user:nobody\", any]}\n",
				 &c),
		0);
	assert_string_equal(c->npf.socket, "/tmp/a.sock");
	assert_string_equal(c->npf.group, "adm");
	assert_string_equal(c->npf.user, "nobody");
	assert_int_equal(c->npf.poll, NPF_POLL_BUSY);
	assert_int_equal(c->npf.telemetry, NPF_SWITCH_OFF);
	assert_int_equal(c->npf.buffer, 256);
	assert_int_equal(c->npf.limits.sessions, 3);
	assert_int_equal(c->npf.limits.filter, 100);
	assert_int_equal(c->eal.memory, 96);
	assert_int_equal(c->eal.hugepages, NPF_HUGEPAGES_OFF);
	assert_int_equal(c->eal.n_args, 1);
	assert_int_equal(c->n_ports, 2);
	assert_int_equal(c->ports[0].start, NPF_START_ATTACH);
	assert_int_equal(c->ports[0].overflow, NPF_OVERFLOW_WAIT);
	assert_int_equal(c->ports[0].promiscuous, NPF_SWITCH_ON);
	assert_int_equal(c->ports[0].send, NPF_SWITCH_OFF);
	assert_int_equal(c->ports[1].rx_queues, 4);
	assert_int_equal(c->ports[1].promiscuous, NPF_SWITCH_OFF);
	assert_int_equal(c->ports[1].send, NPF_SWITCH_ON);
	assert_int_equal(c->ports[1].n_allow, 3);
	npf_config_free(c);
}

static void dumps_are_read_as_written(void **state)
{
	struct npf_config *c;

	(void)state;
	assert_int_equal(
		load("ports: [{name: npf0, device: net_null0}]\n"
		     "dumps:\n"
		     "  - {name: all, port: npf0, file: \"/d/all-%Y%m%d-%H%M%S.pcap\"}\n"
		     "  - name: web\n"
		     "    port: npf0\n"
		     "    filter: tcp port 80\n"
		     "    file: /d/web-%N.pcapng.zst\n"
		     "    format: pcapng\n"
		     "    snaplen: 128\n"
		     "    compress: zstd\n"
		     "    comment: for the record\n"
		     "    index: /d/web.jsonl\n"
		     "    buffer: 16MiB\n"
		     "    mode: \"0600\"\n"
		     "    owner: root:root\n"
		     "    rotate: {size: 1GiB, time: 60s, packets: 1000, keep: 100, keep_size: "
		     "10GB}\n"
		     "    limit: {size: 1TiB, packets: 12345678901}\n"
		     "  - {name: past, port: npf0, file: /d/past-%N.pcap, retrospective: {size: "
		     "32MiB, time: 5min}}\n",
			&c),
		0);
	assert_int_equal(c->n_dumps, 3);
	assert_null(c->dumps[0].filter);
	assert_int_equal(c->dumps[0].params.format, NPF_WRITER_PCAP);
	assert_int_equal(c->dumps[0].params.limits.file_size, 0);
	assert_int_equal(c->dumps[0].params.access.uid, (uid_t)-1);
	assert_int_equal(c->dumps[1].params.format, NPF_WRITER_PCAPNG);
	assert_int_equal(c->dumps[1].params.snaplen, 128);
	assert_true(c->dumps[1].params.zstd);
	assert_int_equal(c->dumps[1].params.ring, 16u << 20);
	assert_int_equal(c->dumps[1].params.access.mode, 0600);
	assert_int_equal(c->dumps[1].params.access.uid, 0);
	assert_int_equal(c->dumps[1].params.access.gid, 0);
	assert_int_equal(c->dumps[1].params.limits.file_size, 1u << 30);
	assert_int_equal(c->dumps[1].params.limits.file_time_ns, 60000000000);
	assert_int_equal(c->dumps[1].params.limits.file_packets, 1000);
	assert_int_equal(c->dumps[1].rotate.keep, 100);
	assert_int_equal(c->dumps[1].params.keep.bytes, 10000000000);
	assert_int_equal(c->dumps[1].params.limits.max_size, 1ull << 40);
	assert_int_equal(c->dumps[1].params.limits.max_packets, 12345678901);
	assert_int_equal(c->dumps[2].params.retro.bytes, 32u << 20);
	assert_int_equal(c->dumps[2].params.retro.ns, 300000000000);
	npf_config_free(c);
}

static void the_smallest_limits_that_hold_a_header_are_good(void **state)
{
	struct npf_config *c;

	(void)state;
	assert_int_equal(load("ports: [{name: npf0, device: net_null0}]\n"
			      "dumps: [{name: a, port: npf0, file: /a, rotate: {size: 24}, "
			      "limit: {size: 24, packets: 9223372036854775807}}]\n",
				 &c),
		0);
	assert_int_equal(c->dumps[0].params.limits.file_size, 24);
	npf_config_free(c);
}

static void monitors_are_read_as_written(void **state)
{
	struct npf_config *c;

	(void)state;
	assert_int_equal(
		load("ports: [{name: npf0, device: net_null0}]\n"
		     "monitors:\n"
		     "  - {name: web, port: npf0, filter: \"tcp port 80\", interval: 10ms, "
		     "file: /tmp/web}\n"
		     "  - {name: all, port: npf0}\n",
			&c),
		0);
	assert_int_equal(c->n_monitors, 2);
	assert_string_equal(c->monitors[0].filter, "tcp port 80");
	assert_int_equal(c->monitors[0].interval_ns, 10000000);
	assert_string_equal(c->monitors[0].file, "/tmp/web");
	assert_null(c->monitors[1].filter);
	assert_int_equal(c->monitors[1].interval_ns, 1000000000);
	npf_config_free(c);
}

static void sends_are_read_as_written(void **state)
{
	struct npf_config *c;

	(void)state;
	assert_int_equal(
		load("ports: [{name: npf0, device: net_null0, send: true}]\n"
		     "sends:\n"
		     "  - {name: beacon, port: npf0, file: /f/beacon.pcap}\n"
		     "  - {name: load, port: npf0, file: /f/load.pcap, rate: 1.5Gbps, loop: 3, "
		     "repeat: 10}\n",
			&c),
		0);
	assert_int_equal(c->n_sends, 2);
	assert_string_equal(c->sends[0].name, "beacon");
	assert_string_equal(c->sends[0].file, "/f/beacon.pcap");
	assert_int_equal(c->sends[0].meant.kind, NPF_RATE_ORIGINAL);
	assert_true(c->sends[0].meant.value == 1);
	assert_int_equal(c->sends[0].loop, 0);
	assert_int_equal(c->sends[0].repeat, 1);
	assert_int_equal(c->sends[1].meant.kind, NPF_RATE_BPS_L2);
	assert_true(c->sends[1].meant.value == 1.5e9);
	assert_int_equal(c->sends[1].loop, 3);
	assert_int_equal(c->sends[1].repeat, 10);
	npf_config_free(c);
}

static void what_is_absent_gets_its_default(void **state)
{
	struct npf_config *c;

	(void)state;
	assert_int_equal(load("ports: [{name: npf0, device: net_null0}]\n", &c), 0);
	assert_int_equal(c->npf.telemetry, NPF_SWITCH_ON);
	assert_int_equal(c->npf.poll, NPF_POLL_ADAPTIVE);
	assert_non_null(c->npf.socket);
	assert_int_equal(c->ports[0].rx_queues, 1);
	assert_int_equal(c->ports[0].start, NPF_START_ALWAYS);
	assert_int_equal(c->ports[0].overflow, NPF_OVERFLOW_DROP);
	assert_true(c->npf.limits.sessions > 0 && c->npf.limits.memory > 0);
	npf_config_free(c);
}

#define PORT   "ports: [{name: npf0, device: net_null0}]\n"
#define SENDER "ports: [{name: npf0, device: net_null0, send: true}]\n"

/* Each row: a file with one mistake, and what the error must name. */
static const struct {
	const char *yaml, *words;
} bad_files[] = {
	{"", "empty"},
	{"npf: {}\n", "ports"},
	{"ports: []\n", "ports"},
	{"ports: [{name: npf0}]\n", "device"},
	{"ports: [{device: net_null0}]\n", "name"},
	{PORT "nfp: {}\n", "nfp"},
	{"npf: {sokcet: /x}\n" PORT, "line: 1"},
	{"\n\nnpf: {poll: lazy}\n" PORT, "line: 3"},
	{"npf: {socket: x}\n" PORT, "npf.socket"},
	{"npf: {telemetry: 7up}\n" PORT, "telemetry"},
	{"npf: {buffer: 1}\n" PORT, "npf.buffer"},
	{"npf: {limits: {sessions: many}}\n" PORT, "sessions"},
	{"npf: {limits: {wishes: 3}}\n" PORT, "wishes"},
	{"npf: [a, b]\n" PORT, "npf"},
	{"eal: {memory: 1}\n" PORT, "eal.memory"},
	{"eal: {memory: lots}\n" PORT, "memory"},
	{"eal: {memory: -5}\n" PORT, "memory"},
	{"eal: {hugepages: maybe}\n" PORT, "hugepages"},
	{"eal: {args: 5}\n" PORT, "args"},
	{"eal: {lcores: []}\n" PORT, "lcores"},
	{"ports: [{name: \"np f\", device: net_null0}]\n", "ports[0].name"},
	{"ports: [{name: any, device: net_null0}]\n", "ports[0].name"},
	{"ports: [{name: aaaaaaaaaaaaaaaaaaaa, device: net_null0}]\n", "name"},
	{"ports: [{name: npf0, device: eth7}]\n", "ports[0].device"},
	{"ports: [{name: npf0, device: \"iface:\"}]\n", "ports[0].device"},
	{"ports: [{name: npf0, device: \"iface:a234567890123456\"}]\n", "ports[0].device"},
	{"ports: [{name: npf0, device: \"iface:eth1,framesz=2048\"}]\n", "ports[0].device"},
	{"ports: [{name: npf0, device: \"iface:eth1\", mtu: 9000}]\n", "ports[0].mtu"},
	{"ports: [{name: npf0, device: \"iface:eth1\"}, {name: npf1, device: \"iface:eth1\"}]\n",
		"device"},
	{"ports: [{name: npf0, device: net_null0, start: never}]\n", "start"},
	{"ports: [{name: npf0, device: net_null0, overflow: burst}]\n", "overflow"},
	{"ports: [{name: npf0, device: net_null0, rx_queues: 33}]\n", "ports[0].rx_queues"},
	{"ports: [{name: npf0, device: net_null0, rx_desc: 1}]\n", "ports[0].rx_desc"},
	{"ports: [{name: npf0, device: net_null0, mtu: 10}]\n", "ports[0].mtu"},
	{"ports: [{name: npf0, device: net_null0, mtu: 100000}]\n", "mtu"},
	{"ports: [{name: npf0, device: net_null0, promiscuous: perhaps}]\n", "promiscuous"},
	{"ports: [{name: npf0, device: net_null0, send: perhaps}]\n", "send"},
	{"ports: [{name: npf0, device: net_null0, shadow: on}]\n", "ports[0].shadow"},
	{"ports: [{name: npf0, device: net_null0, allow: [everybody]}]\n", "ports[0].allow[0]"},
	{"ports: [{name: npf0, device: net_null0}, {name: npf0, device: net_null1}]\n",
		"already ports[0]"},
	{"ports: [{name: npf0, device: \"net_null0,a=1\"}, {name: npf1, device: net_null0}]\n",
		"used by port npf0"},
	{PORT "monitors: [{name: a, port: npf1}]\n", "monitors[0].port"},
	{PORT "dumps: [{name: a, port: npf1, file: /a}]\n", "dumps[0].port"},
	{PORT "dumps: [{name: a, port: npf0}]\n", "file"},
	{PORT "dumps: [{name: a, port: npf0, file: a.pcap}]\n", "dumps[0].file"},
	{PORT "dumps: [{name: a, port: npf0, file: /a-%p}]\n", "dumps[0].file"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, filter: tcp prot 80}]\n", "tcp prot 80"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, format: cap}]\n", "format"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, rotate: {size: big}}]\n",
		"dumps[0].rotate.size"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, rotate: {time: 0s}}]\n",
		"dumps[0].rotate.time"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, rotate: {size: 10}}]\n",
		"dumps[0].rotate.size"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, rotate: {size: 23}}]\n",
		"the header of a file, 24 bytes"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, limit: {size: 5}}]\n",
		"dumps[0].limit.size"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, format: pcapng, limit: {size: 200}}]\n",
		"dumps[0].limit.size"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, rotate: {packets: 5}, "
	      "retrospective: {size: 1MiB}}]\n",
		"dumps[0].retrospective"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, limit: {size: 1MiB}, "
	      "retrospective: {time: 1s}}]\n",
		"dumps[0].retrospective"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, limit: {size: 9223372036854775808}}]\n",
		"dumps[0].limit.size"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, rotate: {keep_size: 8388608TiB}}]\n",
		"dumps[0].rotate.keep_size"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, limit: {packets: 9223372036854775808}}]\n",
		"dumps[0].limit.packets"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, rotate: {keep: 18446744073709551615}}]\n",
		"dumps[0].rotate.keep"},
	{PORT "dumps: [{name: \"bad\xff\", port: npf0, file: /a}]\n", "UTF-8"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, mode: \"0888\"}]\n", "dumps[0].mode"},
	{PORT "dumps: [{name: a, port: npf0, file: /a, owner: no-such-user}]\n", "dumps[0].owner"},
	{PORT "dumps: [{name: a, port: npf0, file: /a}, {name: b, port: npf0, file: /a}]\n",
		"dumps[1].file"},
	{PORT "dumps: [{name: a, port: npf0, file: /a}, {name: a, port: npf0, file: /b}]\n",
		"dumps[1].name"},
	{PORT "monitors: [{name: a, port: npf0, interval: soon}]\n", "monitors[0].interval"},
	{PORT "monitors: [{name: a, port: npf0, interval: 1500us}]\n", "monitors[0].interval"},
	{PORT "monitors: [{name: a, port: npf0, interval: 2h}]\n", "monitors[0].interval"},
	{PORT "monitors: [{name: a, port: npf0, file: here}]\n", "monitors[0].file"},
	{PORT "monitors: [{name: a, port: npf0}, {name: a, port: npf0}]\n", "monitors[1].name"},
	{PORT "monitors: [{port: npf0}]\n", "name"},
	{SENDER "sends: [{name: a, port: npf1, file: /f}]\n", "sends[0].port"},
	{PORT "sends: [{name: a, port: npf0, file: /f}]\n", "send: true"},
	{SENDER "sends: [{name: a, port: npf0, file: f}]\n", "sends[0].file"},
	{SENDER "sends: [{name: a, port: npf0, file: /f, rate: quick}]\n", "sends[0].rate"},
	{SENDER "sends: [{name: a, port: npf0, file: /f, loop: -1}]\n", "loop"},
	{SENDER "sends: [{name: a, port: npf0, file: /f, limit: 1}]\n", "limit"},
	{SENDER "sends: [{name: a, port: npf0}]\n", "file"},
	{SENDER "sends: [{name: a, port: npf0, file: /f}, {name: a, port: npf0, file: /f}]\n",
		"sends[1].name"},
	{"ports: [{name: npf0, device: net_null0\n", "line"},
	{"ports: &a [*a]\n", "lias"},
	{"\tports: x\n", "line"},
};

static void each_mistake_is_refused_and_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(bad_files); i++) {
		struct npf_config *c = NULL;
		int rc = load(bad_files[i].yaml, &c);

		if (rc >= 0 || strstr(faults.lines, bad_files[i].words) == NULL)
			fail_msg("row %zu: rc %d, \"%s\" is not in: %s", i, rc, bad_files[i].words,
				faults.lines);
		assert_null(c);
	}
}

static void files_that_are_none_are_refused(void **state)
{
	struct npf_config *c;

	(void)state;
	assert_int_equal(npf_config_load("/nonexistent", &c, &faults), -ENOENT);
	assert_int_equal(npf_config_load("/", &c, &faults), -EINVAL);
	assert_int_equal(npf_config_load("/dev/zero", &c, &faults), -EINVAL);
}

static void vdevs_become_ports_that_can_send(void **state)
{
	char null0[] = "net_null0", pcap0[] = "net_pcap0,rx_pcap=x.pcap";
	char *good[] = {null0, pcap0};
	char pcap1[] = "net_pcap1,tx_pcap=y.pcap,rx_pcap=x.pcap";
	char pcap2[] = "net_pcap2,rx_pcap=x.pcap,infinite_rx=1", pcap3[] = "net_pcap3,iface=lo";
	char *bad[] = {null0, null0}, *files[] = {pcap0, pcap1, pcap2, pcap3};
	struct npf_config *c;

	(void)state;
	assert_int_equal(npf_config_from_vdevs(good, 2, &c, &faults), 0);
	assert_int_equal(c->n_ports, 2);
	assert_string_equal(c->ports[1].name, "npf1");
	assert_string_equal(c->ports[1].device, "net_pcap0,rx_pcap=x.pcap");
	assert_int_equal(c->ports[1].send, NPF_SWITCH_ON);
	npf_config_free(c);
	assert_int_equal(npf_config_from_vdevs(files, 4, &c, &faults), 0);
	for (unsigned int i = 0; i < 4; i++) {
		/* A replay waits for who is to see it; the others run at once. */
		assert_int_equal(c->ports[i].start, i < 2 ? NPF_START_ATTACH : NPF_START_ALWAYS);
		assert_int_equal(
			c->ports[i].overflow, i < 2 ? NPF_OVERFLOW_WAIT : NPF_OVERFLOW_DROP);
	}
	npf_config_free(c);
	assert_int_equal(npf_config_from_vdevs(bad, 2, &c, &faults), -EINVAL);
}

static void a_port_that_no_file_tells_of_is_checked_as_one_of_a_file(void **state)
{
	static const struct {
		const char *name, *device, *allow, *key;
	} bad[] = {
		{"", "net_null0", "any", "name"},
		{"npf0123456789012", "net_null0", "any", "name"},
		{"np f", "net_null0", "any", "name"},
		{"lo", "net_null0", "any", "name"},
		{"npf0", "eth7", "any", "device"},
		{"npf0", "", "any", "device"},
		{"npf0", "net_null0", "everybody", "allow[0]"},
	};
	struct npf_error err;

	(void)state;
	for (size_t i = 0; i < NPF_ARRAY_LEN(bad); i++) {
		char *rules[] = {npf_unconst(bad[i].allow)};
		struct npf_config_port p = {.name = npf_unconst(bad[i].name),
			.device = npf_unconst(bad[i].device),
			.allow = rules,
			.n_allow = 1};

		assert_int_equal(npf_config_port_check(&p, &err), -EINVAL);
		assert_int_equal(strncmp(err.text, bad[i].key, strlen(bad[i].key)), 0);
	}
}

static void pci_addresses_are_told_from_names(void **state)
{
	(void)state;
	assert_true(npf_config_is_pci("0000:3b:00.0"));
	assert_true(npf_config_is_pci("3b:00.1"));
	assert_true(npf_config_is_pci("0000:3b:00.0,queues=2"));
	assert_false(npf_config_is_pci("net_null0"));
	assert_false(npf_config_is_pci("0000:3b:00"));
	assert_false(npf_config_is_pci("0000:3b:00.0x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_file_is_read_as_written),
		cmocka_unit_test(monitors_are_read_as_written),
		cmocka_unit_test(dumps_are_read_as_written),
		cmocka_unit_test(the_smallest_limits_that_hold_a_header_are_good),
		cmocka_unit_test(sends_are_read_as_written),
		cmocka_unit_test(what_is_absent_gets_its_default),
		cmocka_unit_test(each_mistake_is_refused_and_named),
		cmocka_unit_test(files_that_are_none_are_refused),
		cmocka_unit_test(vdevs_become_ports_that_can_send),
		cmocka_unit_test(a_port_that_no_file_tells_of_is_checked_as_one_of_a_file),
		cmocka_unit_test(pci_addresses_are_told_from_names),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}

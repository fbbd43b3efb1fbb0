/* SPDX-License-Identifier: BSD-3-Clause */
/* test_sources.c - WinPcap's source strings, and what opens and lists by them. */
#include "setup.h"

#include <stdlib.h>
#include <Win32-Extensions.h>

static void source_strings_are_made(void **state)
{
	char s[PCAP_BUF_SIZE];

	(void)state;
	assert_int_equal(pcap_createsrcstr(s, PCAP_SRC_FILE, NULL, NULL, "/a/b.pcap", errbuf), 0);
	assert_string_equal(s, "file:///a/b.pcap");
	assert_int_equal(pcap_createsrcstr(s, PCAP_SRC_IFLOCAL, NULL, NULL, "npf0", errbuf), 0);
	assert_string_equal(s, "rpcap://npf0");
	assert_int_equal(
		pcap_createsrcstr(s, PCAP_SRC_IFREMOTE, "host", "2002", "npf0", errbuf), 0);
	assert_string_equal(s, "rpcap://host:2002/npf0");
	assert_int_equal(pcap_createsrcstr(s, PCAP_SRC_IFREMOTE, "::1", "", "npf0", errbuf), 0);
	assert_string_equal(s, "rpcap://[::1]/npf0");
	assert_int_equal(pcap_createsrcstr(s, PCAP_SRC_FILE, NULL, NULL, NULL, errbuf), PCAP_ERROR);
	assert_int_equal(pcap_createsrcstr(s, 99, NULL, NULL, "x", errbuf), PCAP_ERROR);
}

static void assert_parses(
	const char *source, int type, const char *host, const char *port, const char *name)
{
	char h[PCAP_BUF_SIZE], q[PCAP_BUF_SIZE], n[PCAP_BUF_SIZE];
	int t;

	assert_int_equal(pcap_parsesrcstr(source, &t, h, q, n, errbuf), 0);
	assert_int_equal(t, type);
	assert_string_equal(h, host);
	assert_string_equal(q, port);
	assert_string_equal(n, name);
	/* Every output may be left out. */
	assert_int_equal(pcap_parsesrcstr(source, NULL, NULL, NULL, NULL, errbuf), 0);
}

static void source_strings_are_taken_apart(void **state)
{
	char s[2 * PCAP_BUF_SIZE];
	int type;

	(void)state;
	assert_parses("npf0", PCAP_SRC_IFLOCAL, "", "", "npf0");
	assert_parses("rpcap://npf0", PCAP_SRC_IFLOCAL, "", "", "npf0");
	assert_parses("rpcap:///npf0", PCAP_SRC_IFLOCAL, "", "", "npf0");
	assert_parses("file:///a/b.pcap", PCAP_SRC_FILE, "", "", "/a/b.pcap");
	assert_parses("rpcap://host/npf0", PCAP_SRC_IFREMOTE, "host", "", "npf0");
	assert_parses("rpcap://host:2002/npf0", PCAP_SRC_IFREMOTE, "host", "2002", "npf0");
	assert_parses("rpcap://[::1]:2002/npf0", PCAP_SRC_IFREMOTE, "::1", "2002", "npf0");
	assert_parses("rpcap://[fe80::1]/npf0", PCAP_SRC_IFREMOTE, "fe80::1", "", "npf0");
	assert_int_equal(
		pcap_parsesrcstr("rpcap://[::1/npf0", &type, NULL, NULL, NULL, errbuf), PCAP_ERROR);
	memset(s, 'x', sizeof(s) - 1);
	s[sizeof(s) - 1] = '\0';
	assert_int_equal(pcap_parsesrcstr(s, &type, NULL, NULL, NULL, errbuf), PCAP_ERROR);
}

static void pcap_open_has_winpcaps_defaults(void **state)
{
	pcap_t *p = pcap_open("rpcap://npf0", 100, PCAP_OPENFLAG_PROMISCUOUS, 30, NULL, errbuf);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	struct npf_wire_open open;

	assert_non_null(p);
	open = fake_last_open(*state);
	/* Own sends are seen. */
	assert_int_equal(open.flags, NPF_WIRE_OPEN_PROMISC | NPF_WIRE_OPEN_LOOK);
	assert_int_equal(open.params.timeout_ms, 30);
	/* A read returns 0 at the timeout. */
	assert_int_equal(pcap_next_ex(p, &hdr, &data), 0);
	pcap_close(p);
	p = pcap_open("npf0", 100, PCAP_OPENFLAG_NOCAPTURE_LOCAL | PCAP_OPENFLAG_MAX_RESPONSIVENESS,
		0, NULL, errbuf);
	assert_non_null(p);
	open = fake_last_open(*state);
	assert_int_equal(
		open.flags, NPF_WIRE_OPEN_LOOK | NPF_WIRE_OPEN_NO_OWN | NPF_WIRE_OPEN_IMMEDIATE);
	assert_int_equal(open.params.timeout_ms, 0);
	pcap_close(p);
	assert_null(pcap_open("rpcap://host/npf0", 100, 0, 0, NULL, errbuf));
	assert_non_null(strstr(errbuf, "remote capture"));
	assert_null(pcap_open("file:///nonexistent/x.pcap", 100, 0, 0, NULL, errbuf));
	assert_null(pcap_open("npf9", 100, 0, 0, NULL, errbuf));
	assert_non_null(strstr(errbuf, "npf9"));
}

static void findalldevs_ex_lists_interfaces_and_savefiles(void **state)
{
	char dir[] = "/tmp/npf-api-XXXXXX", path[64], source[PCAP_BUF_SIZE];
	pcap_if_t *list, *last;
	pcap_t *p;

	(void)state;
	assert_int_equal(pcap_findalldevs_ex("rpcap://", NULL, &list, errbuf), 0);
	for (last = list; last->next != NULL; last = last->next)
		;
	assert_string_equal(last->name, "rpcap://npf0");
	assert_non_null(strstr(last->description, "Network adapter 'DPDK port"));
	assert_non_null(strstr(last->description, "on local host"));
	pcap_freealldevs(list);

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.pcap", dir);
	p = pcap_open_dead(DLT_EN10MB, 100);
	pcap_dump_close(pcap_dump_open(p, path));
	pcap_close(p);
	pcap_createsrcstr(source, PCAP_SRC_FILE, NULL, NULL, dir, errbuf);
	assert_int_equal(pcap_findalldevs_ex(source, NULL, &list, errbuf), 0);
	assert_non_null(list);
	assert_null(list->next);
	snprintf(source, sizeof(source), "file://%s", path);
	assert_string_equal(list->name, source);
	p = pcap_open(list->name, 100, 0, 0, NULL, errbuf);
	assert_non_null(p);
	pcap_close(p);
	pcap_freealldevs(list);
	unlink(path);
	rmdir(dir);
	assert_int_equal(
		pcap_findalldevs_ex("file:///nonexistent/", NULL, &list, errbuf), PCAP_ERROR);
	assert_int_equal(pcap_findalldevs_ex("rpcap://host/", NULL, &list, errbuf), PCAP_ERROR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_daemon, stop_daemon)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(source_strings_are_made),
		TEST(source_strings_are_taken_apart),
		TEST(pcap_open_has_winpcaps_defaults),
		TEST(findalldevs_ex_lists_interfaces_and_savefiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

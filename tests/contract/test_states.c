/* SPDX-License-Identifier: BSD-3-Clause */
/* test_states.c - before activation, after it, and without a device. */
#include "contract.h"
#include "open_fds.h"

#include <string.h>
#include <unistd.h>

static void never(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	(void)user;
	(void)hdr;
	(void)data;
}

static void before_activation(void)
{
	pcap_t *p = pcap_create(device, errbuf);
	struct bpf_program prog = {0};
	struct pcap_pkthdr *hdr;
	struct pcap_stat ps;
	const u_char *data;
	int *list, rc;

	finding("inactive: datalink", "%d", pcap_datalink(p));
	finding("inactive: datalink_ext", "%d", pcap_datalink_ext(p));
	finding("inactive: snapshot", "%d", pcap_snapshot(p));
	finding("inactive: is_swapped", "%d", pcap_is_swapped(p));
	finding("inactive: major_version", "%d", pcap_major_version(p));
	finding("inactive: bufsize", "%d", pcap_bufsize(p));
	finding("inactive: list_datalinks", "%d", pcap_list_datalinks(p, &list));
	finding("inactive: fileno", "%d", pcap_fileno(p));
	finding("inactive: selectable fd", "%d", pcap_get_selectable_fd(p));
	finding("inactive: file", "%d", pcap_file(p) != NULL);
	finding("inactive: getnonblock", "%d", pcap_getnonblock(p, errbuf));
	finding("inactive: dispatch", "%d", pcap_dispatch(p, 1, never, NULL));
	finding("inactive: loop", "%d", pcap_loop(p, 1, never, NULL));
	finding("inactive: next_ex", "%d", pcap_next_ex(p, &hdr, &data));
	finding("inactive: text", "%s", pcap_geterr(p));
	finding("inactive: stats", "%d", pcap_stats(p, &ps));
	finding("inactive: setfilter", "%d", pcap_setfilter(p, &prog));
	finding("inactive: setdirection", "%d", pcap_setdirection(p, PCAP_D_IN));
	finding("inactive: set_datalink", "%d", pcap_set_datalink(p, DLT_EN10MB));
	finding("inactive: inject", "%d", pcap_inject(p, "x", 1));
	finding("inactive: compile", "%d", pcap_compile(p, &prog, "ip", 1, 0));
	finding("inactive: dump_open", "%d", pcap_dump_open(p, "/dev/null") != NULL);
	finding("inactive: can_set_rfmon", "%d", pcap_can_set_rfmon(p));
	finding("inactive: get_tstamp_precision", "%d", pcap_get_tstamp_precision(p));
	finding("inactive: set_tstamp_precision nano", "%d",
		pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO));
	finding("inactive: get_tstamp_precision nano", "%d", pcap_get_tstamp_precision(p));
	finding("inactive: set_tstamp_precision 9", "%d", pcap_set_tstamp_precision(p, 9));
	finding("inactive: set_tstamp_precision -1", "%d", pcap_set_tstamp_precision(p, -1));
	finding("inactive: set_tstamp_type host", "%d", pcap_set_tstamp_type(p, PCAP_TSTAMP_HOST));
	finding("inactive: set_tstamp_type 99", "%d", pcap_set_tstamp_type(p, 99));
	finding("inactive: set_tstamp_type -1", "%d", pcap_set_tstamp_type(p, -1));
	finding("inactive: set_buffer_size 0", "%d", pcap_set_buffer_size(p, 0));
	finding("inactive: set_buffer_size -5", "%d", pcap_set_buffer_size(p, -5));
	finding("inactive: set_snaplen 0", "%d", pcap_set_snaplen(p, 0));
	rc = pcap_activate(p);
	finding("snaplen 0 activates", "%d", rc);
	finding("snaplen 0 becomes", "%d", pcap_snapshot(p));
	pcap_close(p);
}

static void once_activated(void)
{
	pcap_t *p = activated(fresh());
	int *list, n, host = 0;

	finding("active: set_snaplen", "%d", pcap_set_snaplen(p, 1));
	finding("active: set_promisc", "%d", pcap_set_promisc(p, 1));
	finding("active: set_rfmon", "%d", pcap_set_rfmon(p, 1));
	finding("active: set_timeout", "%d", pcap_set_timeout(p, 1));
	finding("active: set_buffer_size", "%d", pcap_set_buffer_size(p, 1));
	finding("active: set_immediate_mode", "%d", pcap_set_immediate_mode(p, 1));
	finding("active: set_tstamp_type", "%d", pcap_set_tstamp_type(p, 0));
	finding("active: set_tstamp_precision", "%d", pcap_set_tstamp_precision(p, 0));
	finding("active: activate", "%d", pcap_activate(p));
	finding("active: snapshot", "%d", pcap_snapshot(p));
	finding("active: is_swapped", "%d", pcap_is_swapped(p));
	finding("active: major_version", "%d", pcap_major_version(p));
	finding("active: minor_version", "%d", pcap_minor_version(p));
	finding("active: datalink", "%d", pcap_datalink(p));
	finding("active: datalink_ext", "%d", pcap_datalink_ext(p));
	finding("active: bufsize is positive", "%d", pcap_bufsize(p) > 0);
	finding("active: file", "%d", pcap_file(p) != NULL);
	finding("active: select timeout", "%d", pcap_get_required_select_timeout(p) != NULL);
	finding("active: fileno is the selectable fd", "%d",
		pcap_fileno(p) == pcap_get_selectable_fd(p) && pcap_fileno(p) >= 0);
	n = pcap_list_datalinks(p, &list);
	finding("active: first datalink", "%d", n > 0 ? list[0] : -1);
	pcap_free_datalinks(list);
	n = pcap_list_tstamp_types(p, &list);
	for (int i = 0; i < n; i++)
		host |= list[i] == PCAP_TSTAMP_HOST;
	finding("active: stamps by the host", "%d", host);
	pcap_free_tstamp_types(list);
	finding("active: set_datalink EN10MB", "%d", pcap_set_datalink(p, DLT_EN10MB));
	finding("active: set_datalink 802.11", "%d", pcap_set_datalink(p, DLT_IEEE802_11));
	finding("active: set_datalink text", "%s", pcap_geterr(p));
	finding("active: set_datalink 9999", "%d", pcap_set_datalink(p, 9999));
	finding("active: set_datalink text 2", "%s", pcap_geterr(p));
	finding("active: setdirection 7", "%d", pcap_setdirection(p, (pcap_direction_t)7));
	finding("active: setdirection text", "%s", pcap_geterr(p));
	finding("active: setfilter NULL", "%d", pcap_setfilter(p, NULL));
	finding("active: setfilter text", "%s", pcap_geterr(p));
	pcap_close(p);
}

static void devices(void)
{
	pcap_if_t *list;
	pcap_t *p;
	int n = 0, up = 0;

	p = pcap_create(unknown, errbuf);
	finding("unknown device: create", "%d", p != NULL);
	finding("unknown device: activate", "%d", pcap_activate(p));
	finding("unknown device: has a text", "%d", pcap_geterr(p)[0] != '\0');
	pcap_close(p);
	errbuf[0] = '\0';
	finding("unknown device: open_live", "%d",
		pcap_open_live(unknown, 100, 0, 100, errbuf) != NULL);
	finding("unknown device: open_live names it", "%d",
		strncmp(errbuf, unknown, strlen(unknown)) == 0);
	finding("unknown device: open_live says so", "%d",
		strstr(errbuf, "No such device exists") != NULL);
	finding("findalldevs", "%d", pcap_findalldevs(&list, errbuf));
	for (pcap_if_t *dev = list; dev != NULL; dev = dev->next)
		if (strcmp(dev->name, device) == 0) {
			n++;
			up = (dev->flags & (PCAP_IF_UP | PCAP_IF_RUNNING)) != 0;
		}
	pcap_freealldevs(list);
	finding("findalldevs: times listed", "%d", n);
	finding("findalldevs: up", "%d", up);
	p = pcap_create(device, errbuf);
	pcap_set_rfmon(p, 1);
	finding("monitor mode: activate", "%d", pcap_activate(p));
	pcap_close(p);
}

static void closing(void)
{
	int before = n_open_fds();
	pcap_t *p = activated(fresh());

	pcap_close(p);
	finding("descriptors left after close", "%d", n_open_fds() - before);
	p = pcap_create(unknown, errbuf);
	pcap_activate(p);
	pcap_close(p);
	finding("descriptors left after failure", "%d", n_open_fds() - before);
}

void contract_states(void)
{
	before_activation();
	once_activated();
	devices();
	closing();
}

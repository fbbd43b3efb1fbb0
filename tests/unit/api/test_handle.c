/* SPDX-License-Identifier: BSD-3-Clause */
/* test_handle.c - creating, setting, activating; whose handle it is; errors that say what to do. */
#include "setup.h"
#include "open_fds.h"

#include <pcap/namedb.h>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void kernel_interfaces_stay_with_the_real_libpcap(void **state)
{
	pcap_t *p = pcap_create("lo", errbuf);

	(void)state;
	assert_non_null(p);
	assert_int_equal(npfdp_is_port(p), 0);
	assert_int_equal(pcap_set_snaplen(p, 100), 0);
	assert_int_equal(pcap_snapshot(p), PCAP_ERROR_NOT_ACTIVATED);
	assert_null(pcap_file(p));
	pcap_close(p);
	p = pcap_create("any", errbuf);
	assert_non_null(p);
	assert_int_equal(npfdp_is_port(p), 0);
	pcap_close(p);
	assert_non_null(npfdp_libpcap());
	assert_non_null(strstr(npfdp_libpcap(), "libpcap"));
}

static void savefiles_and_dead_handles_pass_through(void **state)
{
	char path[] = "/tmp/npf-api-XXXXXX";
	struct pcap_pkthdr hdr = {.caplen = 60, .len = 60}, *got;
	const u_char *data;
	pcap_dumper_t *dumper;
	pcap_t *p;

	(void)state;
	close(mkstemp(path));
	p = pcap_open_dead(DLT_EN10MB, 65535);
	assert_int_equal(npfdp_is_port(p), 0);
	dumper = pcap_dump_open(p, path);
	assert_non_null(dumper);
	pcap_dump((u_char *)dumper, &hdr, udp_packet(1, 60));
	pcap_dump_close(dumper);
	pcap_close(p);
	p = pcap_open_offline(path, errbuf);
	assert_non_null(p);
	assert_int_equal(pcap_datalink(p), DLT_EN10MB);
	assert_int_equal(pcap_next_ex(p, &got, &data), 1);
	assert_int_equal(got->caplen, 60);
	assert_int_equal(pcap_next_ex(p, &got, &data), -2);
	pcap_close(p);
	unlink(path);
}

static void names_from_the_real_librarys_tables_are_found(void **state)
{
	(void)state;
	/* The real library looks eproto_db up in our copy. */
	assert_int_equal(pcap_nametoeproto("arp"), 0x0806);
	assert_int_equal(pcap_nametoeproto("ip6"), 0x86dd);
	assert_int_equal(pcap_nametoeproto("nonsense"), -1);
	assert_string_equal(pcap_datalink_val_to_name(1), "EN10MB");
	assert_string_equal(pcap_statustostr(PCAP_ERROR_ACTIVATED),
		"The setting can't be changed after the pcap_t is activated");
}

static void without_a_daemon_activation_says_what_to_do(void **state)
{
	pcap_t *p;

	(void)state;
	setenv("NPF_SOCKET", "/tmp/npf-no-such-dir/npf.sock", 1);
	p = pcap_create("npf0", errbuf);
	assert_non_null(p);
	assert_int_equal(npfdp_is_port(p), 1);
	assert_int_equal(pcap_activate(p), PCAP_ERROR_NO_SUCH_DEVICE);
	assert_non_null(strstr(pcap_geterr(p), "/tmp/npf-no-such-dir/npf.sock"));
	assert_non_null(strstr(pcap_geterr(p), "start npf-dpdk"));
	pcap_close(p);
	errbuf[0] = '\0';
	assert_null(pcap_open_live("npf0", 100, 0, 100, errbuf));
	assert_non_null(strstr(errbuf, "npf0"));
	assert_non_null(strstr(errbuf, "start npf-dpdk"));
	unsetenv("NPF_SOCKET");
}

static void without_a_daemon_the_list_is_the_kernels(void **state)
{
	pcap_if_t *list;

	(void)state;
	setenv("NPF_SOCKET", "/tmp/npf-no-such-dir/npf.sock", 1);
	assert_int_equal(pcap_findalldevs(&list, errbuf), 0);
	assert_non_null(list);
	for (pcap_if_t *dev = list; dev != NULL; dev = dev->next)
		assert_string_not_equal(dev->name, "npf0");
	pcap_freealldevs(list);
	unsetenv("NPF_SOCKET");
}

static void ports_are_listed_after_the_kernels_interfaces(void **state)
{
	pcap_if_t *list, *last;

	(void)state;
	assert_int_equal(pcap_findalldevs(&list, errbuf), 0);
	for (last = list; last->next != NULL; last = last->next)
		;
	assert_ptr_not_equal(last, list);
	assert_string_equal(last->name, "npf0");
	assert_non_null(strstr(last->description, "net_fake0"));
	assert_true((last->flags & (PCAP_IF_UP | PCAP_IF_RUNNING)) != 0);
	assert_non_null(last->addresses);
	pcap_freealldevs(list);
}

/* Programs for WinPcap take every address for an IP address. */
static void an_entry_of_a_port_has_a_netmask_to_look_into(void **state)
{
	const struct sockaddr_in *netmask;
	pcap_if_t *list, *last;

	(void)state;
	assert_int_equal(pcap_findalldevs(&list, errbuf), 0);
	for (last = list; last->next != NULL; last = last->next)
		;
	assert_string_equal(last->name, "npf0");
	assert_null(last->addresses->next);
	assert_int_equal(last->addresses->addr->sa_family, AF_PACKET);
	assert_int_equal(last->addresses->broadaddr->sa_family, AF_PACKET);
	assert_null(last->addresses->dstaddr);
	netmask = (const struct sockaddr_in *)last->addresses->netmask;
	assert_non_null(netmask);
	assert_int_equal(netmask->sin_family, AF_UNSPEC);
	assert_int_equal(netmask->sin_addr.s_addr, 0);
	pcap_freealldevs(list);
}

/* In a process of its own, since the fake daemon has this one's limits. Return: spare descriptors
 * with which a handle can be had; a limit of fewer gave a text that says so, else -1. */
static int spare_needed(void)
{
	struct rlimit limit = {.rlim_max = 1024};
	int spare, first = dup(0);

	close(first); /* the first that is free; all above are, too */
	for (spare = 0; spare < 64; spare++) {
		pcap_t *p;
		int rc;

		limit.rlim_cur = (rlim_t)(first + spare);
		setrlimit(RLIMIT_NOFILE, &limit);
		p = pcap_create("npf0", errbuf);
		rc = pcap_activate(p);
		if (rc == 0)
			return spare;
		if (rc != PCAP_ERROR || strstr(pcap_geterr(p), "out of file descriptors") == NULL ||
			strstr(pcap_geterr(p), "ulimit -n") == NULL) {
			fprintf(stderr, "%d spare descriptors: %d, %s\n", spare, rc,
				pcap_geterr(p));
			return 255;
		}
		pcap_close(p);
	}
	return 255;
}

static void a_program_out_of_descriptors_is_told_so(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(spare_needed());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	/* Socket, eventfd, buffer, brkfd, epoll. */
	assert_in_range(WEXITSTATUS(status), 4, 16);
}

static void no_descriptors_for_a_new_buffer_leave_the_old_one_in_use(void **state)
{
	struct rlimit none = {.rlim_cur = 0}, old;
	pcap_t *p = open_npf0(true);
	int n = 0;

	getrlimit(RLIMIT_NOFILE, &old);
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(pcap_setbuff(p, 1 << 20), PCAP_ERROR);
	assert_non_null(strstr(pcap_geterr(p), "out of file descriptors"));
	assert_int_equal(pcap_setmode(p, MODE_STAT), PCAP_ERROR);
	assert_non_null(strstr(pcap_geterr(p), "out of file descriptors"));
	assert_int_equal(pcap_inject(p, udp_packet(1, 60), 60), PCAP_ERROR);
	assert_non_null(strstr(pcap_geterr(p), "out of file descriptors"));
	setrlimit(RLIMIT_NOFILE, &old);
	arrive(*state, 0, 1, 60);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	assert_int_equal(pcap_inject(p, udp_packet(1, 60), 60), 60);
	assert_int_equal(pcap_setbuff(p, 1 << 20), 0);
	arrive(*state, 1, 1, 60);
	assert_int_equal(pcap_dispatch(p, -1, count, (u_char *)&n), 1);
	pcap_close(p);
}

static void a_hung_daemon_delays_the_list_by_no_more_than_two_seconds(void **state)
{
	uint64_t start = npf_clock_monotonic();
	pcap_if_t *list;

	fake_hang(*state, true);
	assert_int_equal(pcap_findalldevs(&list, errbuf), 0);
	assert_non_null(list);
	pcap_freealldevs(list);
	assert_true(npf_clock_monotonic() - start < 2 * NPF_NS_PER_S);
}

static void refusals_come_as_pcap_codes_with_the_daemons_text(void **state)
{
	pcap_t *p = pcap_create("npf7", errbuf);

	(void)state;
	assert_int_equal(pcap_activate(p), PCAP_ERROR_PERM_DENIED);
	assert_string_equal(pcap_geterr(p), "port npf7 is not for you: ask its owner");
	pcap_close(p);
	p = pcap_create("npf9", errbuf);
	assert_int_equal(pcap_activate(p), PCAP_ERROR_NO_SUCH_DEVICE);
	assert_string_equal(pcap_geterr(p), "there is no such port: see `npfctl ports`");
	pcap_close(p);
}

static void settings_reach_the_daemon(void **state)
{
	pcap_t *p = pcap_create("npf0", errbuf);
	struct npf_wire_open open;

	assert_int_equal(pcap_set_snaplen(p, 77), 0);
	assert_int_equal(pcap_set_promisc(p, 1), 0);
	assert_int_equal(pcap_set_timeout(p, 250), 0);
	assert_int_equal(pcap_set_buffer_size(p, 3 << 20), 0);
	assert_int_equal(pcap_set_buffer_size(p, -1), 0); /* ignored, as in libpcap */
	assert_int_equal(npfdp_set_overwrite(p, 1), 0);
	assert_int_equal(pcap_activate(p), 0);
	open = fake_last_open(*state);
	assert_string_equal(open.port, "npf0");
	assert_int_equal(open.snaplen, 77);
	assert_int_equal(open.flags, NPF_WIRE_OPEN_PROMISC | NPF_WIRE_OPEN_OVERWRITE |
					     NPF_WIRE_OPEN_NO_OWN | NPF_WIRE_OPEN_LOOK);
	assert_int_equal(open.params.timeout_ms, 250);
	assert_int_equal(open.params.mintocopy, 16000);
	assert_int_equal(open.params.flags, NPF_WIRE_OPEN_NO_OWN);
	assert_int_equal(open.buffer_size, 3 << 20);
	assert_int_equal(pcap_snapshot(p), 77);
	assert_int_equal(pcap_datalink(p), DLT_EN10MB);
	pcap_close(p);
}

static void immediate_mode_and_unset_timeout_reach_the_daemon(void **state)
{
	pcap_t *p = pcap_create("npf0", errbuf);
	struct npf_wire_open open;

	assert_int_equal(pcap_set_immediate_mode(p, 1), 0);
	assert_int_equal(pcap_activate(p), 0);
	open = fake_last_open(*state);
	assert_int_equal(open.params.flags, NPF_WIRE_OPEN_IMMEDIATE | NPF_WIRE_OPEN_NO_OWN);
	/* Programs that set no timeout still see their packets soon. */
	assert_int_equal(open.params.timeout_ms, 100);
	assert_int_equal(open.snaplen, 262144);
	pcap_close(p);
}

static void setters_fail_once_activated(void **state)
{
	pcap_t *p = open_npf0(true);

	(void)state;
	assert_int_equal(pcap_set_snaplen(p, 1), PCAP_ERROR_ACTIVATED);
	assert_int_equal(pcap_set_promisc(p, 1), PCAP_ERROR_ACTIVATED);
	assert_int_equal(pcap_set_rfmon(p, 1), PCAP_ERROR_ACTIVATED);
	assert_int_equal(pcap_set_timeout(p, 1), PCAP_ERROR_ACTIVATED);
	assert_int_equal(pcap_set_buffer_size(p, 1), PCAP_ERROR_ACTIVATED);
	assert_int_equal(pcap_set_immediate_mode(p, 1), PCAP_ERROR_ACTIVATED);
	assert_int_equal(pcap_set_tstamp_type(p, 0), PCAP_ERROR_ACTIVATED);
	assert_int_equal(pcap_set_tstamp_precision(p, 0), PCAP_ERROR_ACTIVATED);
	assert_int_equal(npfdp_set_overwrite(p, 1), PCAP_ERROR_ACTIVATED);
	assert_int_equal(pcap_activate(p), PCAP_ERROR_ACTIVATED);
	pcap_close(p);
}

static void nothing_works_before_activation(void **state)
{
	pcap_t *p = pcap_create("npf0", errbuf);
	struct pcap_pkthdr *hdr;
	struct pcap_stat ps;
	struct bpf_program prog = {0};
	const u_char *data;
	int *list, n = 0, size;

	(void)state;
	assert_int_equal(pcap_datalink(p), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_snapshot(p), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_list_datalinks(p, &list), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_dispatch(p, 1, count, (u_char *)&n), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_loop(p, 1, count, (u_char *)&n), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_next_ex(p, &hdr, &data), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_stats(p, &ps), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_setfilter(p, &prog), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_setdirection(p, PCAP_D_IN), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_inject(p, "x", 1), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_getnonblock(p, errbuf), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_setbuff(p, 1), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_setmode(p, MODE_CAPT), PCAP_ERROR_NOT_ACTIVATED);
	assert_int_equal(pcap_get_selectable_fd(p), -1);
	assert_int_equal(pcap_fileno(p), -1);
	assert_null(pcap_stats_ex(p, &size));
	assert_null(pcap_dump_open(p, "/dev/null"));
	assert_string_equal(
		pcap_geterr(p), "/dev/null: not-yet-activated pcap_t passed to pcap_dump_open");
	pcap_close(p);
}

static void monitor_mode_and_foreign_stamps_are_refused(void **state)
{
	pcap_t *p = pcap_create("npf0", errbuf);
	int *types;

	(void)state;
	assert_int_equal(pcap_can_set_rfmon(p), 0);
	assert_int_equal(pcap_set_tstamp_type(p, PCAP_TSTAMP_HOST), 0);
	assert_int_equal(
		pcap_set_tstamp_type(p, PCAP_TSTAMP_ADAPTER), PCAP_WARNING_TSTAMP_TYPE_NOTSUP);
	assert_int_equal(pcap_set_tstamp_precision(p, 7), PCAP_ERROR_TSTAMP_PRECISION_NOTSUP);
	assert_int_equal(pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO), 0);
	assert_int_equal(pcap_get_tstamp_precision(p), PCAP_TSTAMP_PRECISION_NANO);
	assert_int_equal(pcap_list_tstamp_types(p, &types), 1);
	assert_int_equal(types[0], PCAP_TSTAMP_HOST);
	pcap_free_tstamp_types(types);
	assert_int_equal(pcap_set_rfmon(p, 1), 0);
	assert_int_equal(pcap_activate(p), PCAP_ERROR_RFMON_NOTSUP);
	/* Activation may be tried again. */
	assert_int_equal(pcap_set_rfmon(p, 0), 0);
	assert_int_equal(pcap_activate(p), 0);
	pcap_close(p);
}

static void link_types_are_the_ports(void **state)
{
	pcap_t *p = open_npf0(true);
	int *list;

	(void)state;
	assert_int_equal(pcap_list_datalinks(p, &list), 1);
	assert_int_equal(list[0], DLT_EN10MB);
	pcap_free_datalinks(list);
	assert_int_equal(pcap_set_datalink(p, DLT_EN10MB), 0);
	assert_int_equal(pcap_set_datalink(p, DLT_IEEE802_11), PCAP_ERROR);
	assert_string_equal(
		pcap_geterr(p), "IEEE802_11 is not one of the DLTs supported by this device");
	pcap_close(p);
}

static void lookupnet_finds_a_port_without_an_address(void **state)
{
	bpf_u_int32 net = 1, mask = 1;

	(void)state;
	assert_int_equal(pcap_lookupnet("npf0", &net, &mask, errbuf), 0);
	assert_int_equal(net, 0);
	assert_int_equal(mask, 0);
	assert_int_equal(pcap_lookupnet("lo", &net, &mask, errbuf), 0);
	assert_int_equal(mask, 0xff); /* 255.0.0.0 */
}

static void closing_leaves_no_descriptor_and_no_session(void **state)
{
	int before = n_open_fds();
	pcap_t *p = open_npf0(true);

	assert_int_equal(fake_n_sessions(*state), 1);
	assert_true(pcap_get_selectable_fd(p) >= 0);
	pcap_close(p);
	for (int i = 0; i < 1000 && fake_n_sessions(*state) > 0; i++)
		usleep(1000);
	assert_int_equal(fake_n_sessions(*state), 0);
	assert_int_equal(n_open_fds(), before);
}

static void failed_activation_leaves_no_descriptor(void **state)
{
	pcap_t *p = pcap_create("npf9", errbuf);
	int before = n_open_fds();

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pcap_activate(p), PCAP_ERROR_NO_SUCH_DEVICE);
	/* The daemon shares the process: it may still be closing its end. */
	for (int i = 0; i < 1000 && n_open_fds() > before; i++)
		usleep(1000);
	assert_int_equal(n_open_fds(), before);
	pcap_close(p);
}

static void sent_packets_reach_the_port(void **state)
{
	pcap_t *p = open_npf0(true);
	uint8_t got[64];

	assert_int_equal(pcap_sendpacket(p, udp_packet(7, 60), 60), 0);
	assert_int_equal(fake_sent(*state, got, sizeof(got)), 1);
	assert_memory_equal(got, udp_packet(7, 60), 60);
	assert_int_equal(pcap_inject(p, udp_packet(8, 100), 100), 100);
	assert_int_equal(fake_sent(*state, got, sizeof(got)), 2);
	assert_int_equal(pcap_setnumwrites(p, 5), 0);
	assert_int_equal(pcap_inject(p, udp_packet(8, 100), 100), 100);
	assert_int_equal(fake_sent(*state, NULL, 0), 7);
	assert_int_equal(pcap_setnumwrites(p, 0), PCAP_ERROR);
	assert_int_equal(pcap_sendpacket(p, got, 0), PCAP_ERROR);
	assert_int_equal(pcap_inject(p, got, 0), PCAP_ERROR);
	assert_int_equal(pcap_inject(p, udp_packet(8, 100), 1u << 20), PCAP_ERROR);
	assert_int_equal(fake_sent(*state, NULL, 0), 7);
	pcap_close(p);
}

static void a_full_port_fails_with_eagain_only_without_blocking(void **state)
{
	pcap_t *p = open_npf0(true);

	fake_limit_sends(*state, 1);
	assert_int_equal(pcap_setnonblock(p, 1, errbuf), 0);
	assert_int_equal(pcap_inject(p, udp_packet(7, 60), 60), 60);
	assert_int_equal(pcap_inject(p, udp_packet(7, 60), 60), PCAP_ERROR);
	assert_int_equal(errno, EAGAIN);
	assert_non_null(strstr(pcap_geterr(p), strerror(EAGAIN)));
	assert_int_equal(pcap_sendpacket(p, udp_packet(7, 60), 60), PCAP_ERROR);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(pcap_setnonblock(p, 0, errbuf), 0);
	assert_int_equal(pcap_inject(p, udp_packet(7, 60), 60), PCAP_ERROR);
	assert_int_equal(errno, ENOBUFS);
	fake_limit_sends(*state, 2);
	assert_int_equal(pcap_inject(p, udp_packet(7, 60), 60), 60);
	assert_int_equal(fake_sent(*state, NULL, 0), 2);
	pcap_close(p);
}

#define WITH_DAEMON(test) cmocka_unit_test_setup_teardown(test, start_daemon, stop_daemon)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_interfaces_stay_with_the_real_libpcap),
		cmocka_unit_test(savefiles_and_dead_handles_pass_through),
		cmocka_unit_test(names_from_the_real_librarys_tables_are_found),
		cmocka_unit_test(without_a_daemon_activation_says_what_to_do),
		cmocka_unit_test(without_a_daemon_the_list_is_the_kernels),
		WITH_DAEMON(ports_are_listed_after_the_kernels_interfaces),
		WITH_DAEMON(an_entry_of_a_port_has_a_netmask_to_look_into),
		WITH_DAEMON(a_program_out_of_descriptors_is_told_so),
		WITH_DAEMON(no_descriptors_for_a_new_buffer_leave_the_old_one_in_use),
		WITH_DAEMON(a_hung_daemon_delays_the_list_by_no_more_than_two_seconds),
		WITH_DAEMON(refusals_come_as_pcap_codes_with_the_daemons_text),
		WITH_DAEMON(settings_reach_the_daemon),
		WITH_DAEMON(immediate_mode_and_unset_timeout_reach_the_daemon),
		WITH_DAEMON(setters_fail_once_activated),
		WITH_DAEMON(nothing_works_before_activation),
		WITH_DAEMON(monitor_mode_and_foreign_stamps_are_refused),
		WITH_DAEMON(link_types_are_the_ports),
		WITH_DAEMON(lookupnet_finds_a_port_without_an_address),
		WITH_DAEMON(closing_leaves_no_descriptor_and_no_session),
		WITH_DAEMON(failed_activation_leaves_no_descriptor),
		WITH_DAEMON(sent_packets_reach_the_port),
		WITH_DAEMON(a_full_port_fails_with_eagain_only_without_blocking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * genuine.h - the real libpcap, loaded beside us under the same names.
 *
 * NPF_GENUINE_PASS lists the functions that never see one of our handles: our symbols of those
 * names are mere doors to the real ones. NPF_GENUINE_TAKE lists those that dispatch on the
 * handle, or do more than the real ones. Together they are all that libpcap 1.10 exports; the
 * real library may be older and lack some, whose pointers are then NULL.
 */
#ifndef NPF_API_GENUINE_H
#define NPF_API_GENUINE_H

#include <pcap/pcap.h>
#include <pcap/namedb.h> /* after pcap.h, whose types it needs */

/* clang-format off */
/* P(result, name, (parameters), (arguments), value when the real function is not there) */
#define NPF_GENUINE_PASS(P) \
P(int, pcap_init, (unsigned int opts, char *errbuf), (opts, errbuf), npf_genuine_text(errbuf)) \
P(u_int, bpf_filter, (const struct bpf_insn *pc, const u_char *p, u_int wirelen, u_int buflen), (pc, p, wirelen, buflen), 0) \
P(int, bpf_validate, (const struct bpf_insn *f, int len), (f, len), 0) \
P(char *, bpf_image, (const struct bpf_insn *p, int n), (p, n), NULL) \
P(u_char *, pcap_ether_aton, (const char *s), (s), NULL) \
P(u_char *, pcap_ether_hostton, (const char *name), (name), NULL) \
P(struct pcap_etherent *, pcap_next_etherent, (FILE *fp), (fp), NULL) \
P(bpf_u_int32 **, pcap_nametoaddr, (const char *name), (name), NULL) \
P(struct addrinfo *, pcap_nametoaddrinfo, (const char *name), (name), NULL) \
P(bpf_u_int32, pcap_nametonetaddr, (const char *name), (name), 0) \
P(int, pcap_nametoport, (const char *name, int *port, int *proto), (name, port, proto), 0) \
P(int, pcap_nametoportrange, (const char *name, int *p1, int *p2, int *proto), (name, p1, p2, proto), 0) \
P(int, pcap_nametoproto, (const char *name), (name), PROTO_UNDEF) \
P(int, pcap_nametoeproto, (const char *name), (name), PROTO_UNDEF) \
P(int, pcap_nametollc, (const char *name), (name), PROTO_UNDEF) \
P(int, pcap_tstamp_type_name_to_val, (const char *name), (name), PCAP_ERROR) \
P(const char *, pcap_tstamp_type_val_to_name, (int type), (type), NULL) \
P(const char *, pcap_tstamp_type_val_to_description, (int type), (type), NULL) \
P(int, pcap_datalink_name_to_val, (const char *name), (name), PCAP_ERROR) \
P(const char *, pcap_datalink_val_to_name, (int dlt), (dlt), NULL) \
P(const char *, pcap_datalink_val_to_description, (int dlt), (dlt), NULL) \
P(const char *, pcap_datalink_val_to_description_or_dlt, (int dlt), (dlt), NULL) \
P(int, pcap_compile_nopcap, (int snaplen, int dlt, struct bpf_program *fp, const char *s, int opt, bpf_u_int32 mask), (snaplen, dlt, fp, s, opt, mask), PCAP_ERROR) \
P(int, pcap_offline_filter, (const struct bpf_program *fp, const struct pcap_pkthdr *h, const u_char *pkt), (fp, h, pkt), 0) \
P(pcap_t *, pcap_open_dead, (int dlt, int snaplen), (dlt, snaplen), NULL) \
P(pcap_t *, pcap_open_dead_with_tstamp_precision, (int dlt, int snaplen, u_int precision), (dlt, snaplen, precision), NULL) \
P(pcap_t *, pcap_open_offline, (const char *fname, char *errbuf), (fname, errbuf), (npf_genuine_text(errbuf), NULL)) \
P(pcap_t *, pcap_open_offline_with_tstamp_precision, (const char *fname, u_int precision, char *errbuf), (fname, precision, errbuf), (npf_genuine_text(errbuf), NULL)) \
P(pcap_t *, pcap_fopen_offline, (FILE *fp, char *errbuf), (fp, errbuf), (npf_genuine_text(errbuf), NULL)) \
P(pcap_t *, pcap_fopen_offline_with_tstamp_precision, (FILE *fp, u_int precision, char *errbuf), (fp, precision, errbuf), (npf_genuine_text(errbuf), NULL)) \
P(FILE *, pcap_dump_file, (pcap_dumper_t *d), (d), NULL) \
P(long, pcap_dump_ftell, (pcap_dumper_t *d), (d), -1) \
P(int64_t, pcap_dump_ftell64, (pcap_dumper_t *d), (d), -1) \
P(int, pcap_dump_flush, (pcap_dumper_t *d), (d), -1) \
P(const char *, pcap_statustostr, (int status), (status), "the real libpcap is missing") \
P(const char *, pcap_strerror, (int error), (error), "the real libpcap is missing") \
P(const char *, pcap_lib_version, (void), (), "libpcap (missing)")

/* V(name, (parameters), (arguments)): the same, without a result */
#define NPF_GENUINE_PASS_VOID(V) \
V(bpf_dump, (const struct bpf_program *p, int option), (p, option)) \
V(pcap_freecode, (struct bpf_program *fp), (fp)) \
V(pcap_free_datalinks, (int *list), (list)) \
V(pcap_free_tstamp_types, (int *list), (list))

#define NPF_GENUINE_TAKE(T) \
T(pcap_activate) T(pcap_breakloop) T(pcap_bufsize) T(pcap_can_set_rfmon) T(pcap_close) \
T(pcap_compile) T(pcap_create) T(pcap_datalink) T(pcap_datalink_ext) T(pcap_dispatch) \
T(pcap_dump) T(pcap_dump_close) T(pcap_dump_fopen) T(pcap_dump_open) T(pcap_dump_open_append) \
T(pcap_file) T(pcap_fileno) \
T(pcap_findalldevs) T(pcap_freealldevs) T(pcap_get_required_select_timeout) \
T(pcap_get_selectable_fd) T(pcap_get_tstamp_precision) T(pcap_geterr) T(pcap_getnonblock) \
T(pcap_inject) T(pcap_is_swapped) T(pcap_list_datalinks) T(pcap_list_tstamp_types) \
T(pcap_lookupdev) T(pcap_lookupnet) T(pcap_loop) T(pcap_major_version) T(pcap_minor_version) \
T(pcap_next) T(pcap_next_ex) T(pcap_open_live) T(pcap_perror) T(pcap_sendpacket) \
T(pcap_set_buffer_size) T(pcap_set_datalink) T(pcap_set_immediate_mode) T(pcap_set_promisc) \
T(pcap_set_protocol_linux) T(pcap_set_rfmon) T(pcap_set_snaplen) T(pcap_set_timeout) \
T(pcap_set_tstamp_precision) T(pcap_set_tstamp_type) T(pcap_setdirection) T(pcap_setfilter) \
T(pcap_setnonblock) T(pcap_snapshot) T(pcap_stats)

#define NPF_GENUINE_POINTER(name)                            __typeof__(&name) name;
#define NPF_GENUINE_POINTER_P(ret, name, params, args, none) NPF_GENUINE_POINTER(name)
#define NPF_GENUINE_POINTER_V(name, params, args)            NPF_GENUINE_POINTER(name)
/* clang-format on */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
struct npf_genuine {
	NPF_GENUINE_PASS(NPF_GENUINE_POINTER_P)
	NPF_GENUINE_PASS_VOID(NPF_GENUINE_POINTER_V)
	NPF_GENUINE_TAKE(NPF_GENUINE_POINTER)
};
#pragma GCC diagnostic pop

/*
 * npf_genuine - the table of the real functions, loaded at the first call.
 * Context: any thread. Never NULL; all its pointers are NULL when there is no real libpcap.
 */
const struct npf_genuine *npf_genuine(void);

/* The file that was loaded, or NULL. */
const char *npf_genuine_path(void);

/* Says in errbuf (PCAP_ERRBUF_SIZE bytes, or NULL) why the real libpcap is missing; PCAP_ERROR. */
int npf_genuine_text(char *errbuf);

#endif

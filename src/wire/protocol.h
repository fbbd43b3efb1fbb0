/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * protocol.h - the control protocol: requests of a client, replies of the daemon.
 *
 * The socket is a Unix socket of type SOCK_SEQPACKET; a packet is one message, in host byte order,
 * since both ends are on one machine. A connection has at most one session (one opened handle);
 * closing the connection ends the session. Every request gets exactly one reply, in order: the
 * same type with NPF_WIRE_REPLY, and either the reply's body or struct npf_error. The daemon
 * sends nothing else: what happens to a session between requests shows in its ring.
 *
 * Every structure has explicit padding, which is sent as zero; strings are NUL-terminated within
 * their field.
 */
#ifndef NPF_WIRE_PROTOCOL_H
#define NPF_WIRE_PROTOCOL_H

#include "base/error.h"

#include <assert.h>

#define NPF_WIRE_MAGIC      0x3046504eu /* "NPF0" */
#define NPF_WIRE_VERSION    2
#define NPF_WIRE_REPLY      0x8000u
#define NPF_WIRE_MAXFDS     40  /* descriptors that the daemon sends with one message */
#define NPF_WIRE_ANYFDS     253 /* descriptors that the kernel lets anybody send with one message */
#define NPF_WIRE_MAXINSNS   49152u       /* instructions of a filter in one message */
#define NPF_WIRE_MAXBODY    (400u << 10) /* bytes, header not counted */
#define NPF_WIRE_MAXFRAME   (64u << 10)  /* bytes of a packet sent by NPF_WIRE_SEND */
#define NPF_WIRE_MAXPORTS   256u
#define NPF_WIRE_NAMELEN    64
#define NPF_WIRE_TEXTLEN    256
#define NPF_WIRE_SOCKET     "/run/npf/npf.sock" /* unless NPF_SOCKET says otherwise */
#define NPF_WIRE_TIMEOUT_MS 2000 /* a daemon that sends no reply for so long counts as hung */

enum npf_wire_type {
	NPF_WIRE_HELLO = 1, /* npf_wire_hello -> npf_wire_hello_reply; must come first */
	NPF_WIRE_PORTS,     /* no body -> npf_wire_port[] */
	NPF_WIRE_OPEN, /* npf_wire_open + insns -> npf_wire_open_reply + doorbell + buffer fds */
	NPF_WIRE_SET_FILTER, /* npf_wire_filter + insns -> npf_wire_filter_reply */
	NPF_WIRE_SET_PARAMS, /* npf_wire_params -> no body */
	NPF_WIRE_SET_BUFFER, /* npf_wire_set_buffer -> npf_wire_buffer_reply + buffer fds */
	NPF_WIRE_STATS,      /* no body -> npf_wire_stats */
	NPF_WIRE_SEND,       /* npf_wire_send + frame -> npf_wire_send_reply */
	NPF_WIRE_QUERY,      /* npf_wire_query -> no body + descriptor of a JSON text */
	NPF_WIRE_SET_MODE, /* npf_wire_set_mode + rows + insns -> npf_wire_buffer_reply + buffer fds
			    */
	NPF_WIRE_DUMP,     /* npf_wire_dump + insns -> npf_wire_dump_reply + doorbell */
	NPF_WIRE_DUMP_CONTROL, /* npf_wire_dump_control -> npf_wire_dump_reply + doorbell */
	NPF_WIRE_DUMP_STATUS,  /* no body -> npf_wire_dump_status, of the session's dump */
	NPF_WIRE_SEND_LANE,    /* npf_wire_send_lane -> npf_wire_send_lane + descriptors */
	NPF_WIRE_PORT_ADD,     /* npf_wire_port_add -> npf_wire_port */
	NPF_WIRE_PORT_DEL,     /* npf_wire_port_name -> npf_wire_port_ended + a doorbell a dump */
	NPF_WIRE_FILE,         /* no body -> no body + a socket for the descriptor of a file */
	NPF_WIRE_READ,         /* no body -> no body; of a session that was opened with LOOK */
	NPF_WIRE_N_TYPES,
};

/*
 * What a request fails with: the status of its reply, beside a text.
 *
 *   any           -EPROTO: malformed, or another request before HELLO; -EPROTONOSUPPORT: another
 *                 version of the protocol; the daemon hangs up after both
 *                 -EPROTO: needs a session, and none is open on this connection
 *                 -ENODEV: needs the session's port, which was removed or whose interface was
 *                 deleted (all requests of a session but STATS, SEND and DUMP_STATUS)
 *                 -ENOMEM: the daemon is out of memory
 *   HELLO         -EDQUOT: too many connections, of this user or of all; the daemon hangs up
 *   OPEN          -EBUSY: this connection has a session; -ENODEV: no such port, or its interface
 *                 has disappeared; -EACCES: this user may not use it; -ENETDOWN: its interface is
 *                 down; FILTER, MEMORY, START
 *   SET_FILTER    FILTER; the old filter stays in force
 *   SET_BUFFER    -EINVAL: a session without a buffer; -EBUSY: it monitors; MEMORY, START
 *   SET_MODE      -EINVAL: a session that only sends; FILTER, MEMORY, START
 *   SEND          -ENODEV: the port was removed; -EPERM: the port may not send; -EOPNOTSUPP: it is
 *                 not Ethernet; -EMSGSIZE: too short or too long a frame for it; -ENETDOWN: its
 *                 link is down, or it does not run; -ENOBUFS: its transmit queue is full; -EIO:
 *                 its driver lost the frame; START
 *   SEND_LANE     -EPERM, -EOPNOTSUPP: as SEND; -EBUSY: the session has a lane; MEMORY, START
 *   QUERY         -EINVAL: no such report
 *   DUMP          -EINVAL: no file or two, a bad pattern, settings that exclude each other, no
 *                 session to dump; -EPERM: files by name are for root and the daemon's own user,
 *                 LASTS also for whom npf.limits.lasting_dumps lets;
 *                 -EACCES: this user may not use the port; -ENODEV: no such port; -EBUSY: the
 *                 session has a dump; -EEXIST: another dump has that name or files of such names,
 *                 or something that is no regular file has the name; -ENAMETOOLONG, -ENOENT,
 *                 -EACCES, ...: of the files' directory; FILTER, MEMORY, START
 *   DUMP_CONTROL  -ENOENT: no such dump; -EPERM: another user's; -EINVAL: a trigger for a dump that
 *                 is not retrospective or not running; -EBUSY: the last trigger's file is still
 *                 being written; -EMFILE
 *   DUMP_STATUS   -ENOENT: this session has no dump
 *   PORT_ADD      -EPERM: for root and the daemon's own user only; -EINVAL: what the configuration
 *                 would not accept either; -E2BIG: more than 64 rules; -ENOSPC: as many ports as
 *                 can be; -EEXIST: a port has that name; -EBUSY: a port has that device; or what
 *                 opening the device failed with
 *   PORT_DEL      -EPERM: as PORT_ADD; -ENODEV: no such port
 *   FILE          -EBUSY: a file is awaited already; -EMFILE; and in npf_wire_file_reply -EINVAL:
 *                 no file came, or one that a dump cannot be written to
 *   READ          START
 *
 *   FILTER        -EINVAL: not a valid program; -E2BIG: longer than npf.limits.filter
 *   MEMORY        -E2BIG: a buffer larger than npf.limits.buffer; -EDQUOT: this user would hold
 *                 more sessions, dumps or memory than npf.limits; -EMFILE, -ENFILE: the daemon is
 *                 out of descriptors
 *   START         what starting the port's device failed with
 *
 * PORTS, SET_PARAMS and STATS fail as any request may.
 */

struct npf_wire_hdr {
	uint32_t magic;
	uint16_t version;
	uint16_t type;
	uint32_t seq;   /* chosen by the client, repeated in the reply */
	int32_t status; /* replies: 0, or -errno and a struct npf_error as body */
};
static_assert(sizeof(struct npf_wire_hdr) == 16, "wire layout");

/* An error's text goes over the wire as it is. */
static_assert(NPF_ERROR_TEXTLEN == NPF_WIRE_TEXTLEN, "wire layout");

struct npf_wire_hello {
	char program[NPF_WIRE_NAMELEN]; /* name of the client program, for `npfctl sessions` */
};

struct npf_wire_hello_reply {
	char version[NPF_WIRE_NAMELEN]; /* of the daemon, for people */
	uint32_t pid;                   /* of the daemon */
	uint32_t reserved;
};

#define NPF_WIRE_PORT_UP      0x01u
#define NPF_WIRE_PORT_PROMISC 0x02u
#define NPF_WIRE_PORT_SEND    0x04u /* this client may send on it */
#define NPF_WIRE_PORT_CAPTURE 0x08u /* this client may capture from it */
#define NPF_WIRE_PORT_SHADOW  0x10u /* a kernel TAP of the same name exists */
#define NPF_WIRE_PORT_ATTENDS 0x20u /* waits for readers: LOOK and READ make a difference */

struct npf_wire_port {
	char name[NPF_WIRE_NAMELEN];
	char device[NPF_WIRE_TEXTLEN]; /* as configured, for people */
	char driver[NPF_WIRE_NAMELEN]; /* of the PMD */
	uint8_t mac[6];
	uint16_t index;    /* as in records */
	uint32_t flags;    /* NPF_WIRE_PORT_* */
	uint32_t linktype; /* DLT_* of libpcap; Ethernet is 1 */
	uint32_t mtu;      /* bytes of L3 payload */
	uint32_t speed;    /* Mbit/s; 0 unknown */
};

/* OPEN flags */
#define NPF_WIRE_OPEN_PROMISC   0x01u
#define NPF_WIRE_OPEN_IMMEDIATE 0x02u /* wake at once: mintocopy counts as 0 */
#define NPF_WIRE_OPEN_OVERWRITE 0x04u /* full: keep the newest */
#define NPF_WIRE_OPEN_NO_OWN    0x08u /* what this session sends is not captured by it */
#define NPF_WIRE_OPEN_SEND_ONLY 0x10u /* no capture: no buffer is made, no descriptors follow */
#define NPF_WIRE_OPEN_IDLE      0x20u /* nothing is captured and no buffer made before SET_MODE */
#define NPF_WIRE_OPEN_LOOK                                                                         \
	0x40u /* reads only from READ on: until then the port neither runs nor waits for it */
#define NPF_WIRE_OPEN_FLAGS 0x7fu

enum npf_wire_direction {
	NPF_WIRE_INOUT,
	NPF_WIRE_IN,
	NPF_WIRE_OUT,
};

struct npf_wire_params {
	uint32_t mintocopy;  /* bytes; 0 = at once */
	uint32_t timeout_ms; /* read timeout; 0 = only mintocopy wakes */
	uint32_t direction;  /* enum npf_wire_direction */
	uint32_t flags;      /* NPF_WIRE_OPEN_IMMEDIATE and _NO_OWN, as for OPEN */
};

struct npf_wire_open {
	char port[NPF_WIRE_NAMELEN];
	struct npf_wire_params params;
	uint64_t buffer_size; /* bytes; 0 = the daemon's default */
	uint32_t snaplen;     /* caplen never exceeds it, but see NPF_WIRE_FILTER_READER */
	uint32_t flags;       /* NPF_WIRE_OPEN_* */
	uint32_t n_insns;     /* of the filter that follows; 0 = accept all */
	uint32_t reserved;
	/* struct npf_bpf_insn insns[n_insns], 8 bytes each */
};

struct npf_wire_open_reply {
	uint64_t session;     /* id, for people */
	uint64_t buffer_size; /* as made: bytes that one lane holds */
	uint32_t page_size;   /* of the buffer */
	uint16_t n_lanes;
	uint16_t filter_gen; /* of the filter in force */
	struct npf_wire_port port;
};

struct npf_wire_filter {
	uint32_t n_insns; /* 0 = accept all */
	uint32_t reserved;
	/* struct npf_bpf_insn insns[n_insns] */
};

/* The daemon runs this program only as far as that takes no backward jumps and the like. The reader
 * has to run all of it on each packet that comes; these packets are whole: the snap length has
 * not cut them. A program given with OPEN is treated alike. Monitors and dumps run all of it
 * themselves. */
#define NPF_WIRE_FILTER_READER 0x01u

struct npf_wire_filter_reply {
	uint16_t filter_gen; /* records committed from now on bear this generation */
	uint16_t flags;      /* NPF_WIRE_FILTER_READER or 0 */
	uint16_t reserved[2];
};

struct npf_wire_set_buffer {
	uint64_t size; /* bytes */
};

struct npf_wire_buffer_reply {
	uint64_t size;
	uint32_t page_size;
	uint16_t n_lanes;
	uint16_t reserved;
};

/*
 * What the records of a session's ring are. Each change of mode replaces the ring, as SET_BUFFER
 * does: the old ring is closed after its last record.
 */
enum npf_wire_mode {
	NPF_WIRE_CAPTURE, /* packets: the mode of a session just opened */
	NPF_WIRE_MONITOR, /* counts: one record an interval, and no packet is copied */
};

#define NPF_WIRE_MAXROWS        32u
#define NPF_WIRE_MAXINTERVAL_MS 3600000u

/* SET_MODE flags */
#define NPF_WIRE_MODE_DETAIL 0x01u /* records hold npf_wire_interval, not npf_wire_counters */

struct npf_wire_set_mode {
	uint32_t mode;        /* enum npf_wire_mode; for CAPTURE all else is zero */
	uint32_t flags;       /* NPF_WIRE_MODE_* */
	uint32_t interval_ms; /* 0 = 1 s */
	uint32_t n_rows;      /* filters, counted each for itself; 0 = one, the session's own */
	uint32_t n_insns;     /* of all rows */
	uint32_t reserved;
	/* struct npf_wire_row rows[n_rows], then struct npf_bpf_insn insns[n_insns] */
};

struct npf_wire_row {
	uint32_t n_insns; /* the next so many of insns; 0 = accept all */
	uint32_t reserved;
};

/* The data of a record in MONITOR mode: counts of the first row, as NPF counted: a packet has at
 * least 60 bytes, and 12 are added to each. The record's time stamp is the end of the interval. */
struct npf_wire_counters {
	int64_t packets;
	int64_t bytes;
};

#define NPF_WIRE_N_SIZES 8 /* of packets: up to 64, 127, 255, 511, 1023, 1518, 9018, and longer */

/* What passed one filter within one interval. */
struct npf_wire_tally {
	uint64_t packets;
	uint64_t bytes;        /* as on the wire, without FCS */
	uint64_t npf_bytes;    /* as NPF counted */
	uint64_t first_ns;     /* when the tap took the first and the last one; 0: there was none */
	uint64_t last_ns;      /* CLOCK_REALTIME */
	uint64_t peak_packets; /* most within one of the windows of 100 us that the interval is
				  divided into; of several taps, the sum of each one's most */
	uint64_t peak_bytes;
	uint64_t sizes[NPF_WIRE_N_SIZES]; /* packets by length */
};

/* The data of a record in MONITOR mode with DETAIL. */
struct npf_wire_interval {
	uint64_t number;   /* 0 is the first since SET_MODE */
	uint64_t start_ns; /* CLOCK_REALTIME; the record's time stamp is the end */
	uint32_t covers;   /* intervals that this record sums up; more than 1: the reader was too
			      slow for single ones; number and start are those of the first */
	uint32_t n_rows;
	struct npf_wire_tally rows[];
};

/* All 64-bit, since the session was opened. */
struct npf_wire_stats {
	uint64_t received;       /* packets that the port's tap handled, whatever the filter said */
	uint64_t accepted;       /* passed the filter (and direction), delivered or not */
	uint64_t captured;       /* written to the ring */
	uint64_t captured_bytes; /* caplen bytes of those */
	uint64_t drop_full;      /* accepted, but no room in the ring */
	uint64_t drop_overwritten; /* pushed out by newer ones (overwrite mode) */
	uint64_t drop_other;       /* accepted, not deliverable for another reason */
	uint64_t port_missed;      /* the port's own drops: imissed + rx_nombuf */
	uint64_t port_errors;      /* the port's ierrors */
	uint64_t sent;             /* packets that this session sent */
	uint64_t send_failed;      /* packets that this session could not send */
	uint64_t screened;         /* rejected by the daemon for a filter that the reader runs */
};

struct npf_wire_send {
	uint32_t len; /* bytes of the frame that follows */
	uint32_t reserved;
};

struct npf_wire_send_reply {
	uint32_t sent; /* packets */
	uint32_t reserved;
};

/* DUMP flags */
#define NPF_WIRE_DUMP_SESSION 0x01u /* what this session accepts goes to the dump instead */
#define NPF_WIRE_DUMP_ZSTD    0x02u
#define NPF_WIRE_DUMP_LASTS   0x04u /* it does not end with this connection; not with SESSION */
#define NPF_WIRE_DUMP_FLAGS   0x07u

enum npf_wire_dump_format {
	NPF_WIRE_DUMP_PCAP, /* microseconds */
	NPF_WIRE_DUMP_PCAP_NS,
	NPF_WIRE_DUMP_PCAPNG,
	NPF_WIRE_DUMP_N_FORMATS,
};

/*
 * FILE: the client hands over a file that it has opened, for the DUMP that follows. The control
 * socket takes no descriptors, since closing a client's descriptor may block for ever. So the reply
 * brings a socket for this file alone. Over it the client sends the descriptor beside one byte,
 * within NPF_WIRE_TIMEOUT_MS, and receives npf_wire_file_reply. Only this client waits for that.
 */
struct npf_wire_file_reply {
	int32_t status; /* 0, or -errno and a text */
	uint32_t reserved;
	struct npf_error error;
};

/*
 * A dump to disk. Either the client opens the file and hands it over (FILE): a regular file on a
 * local file system, open for writing; the daemon empties it. Or the daemon makes the files: only
 * root and the daemon's own user may request that.
 *
 * The dump ends with this connection, as if it were stopped, unless LASTS is set.
 */
struct npf_wire_dump {
	char name[NPF_WIRE_NAMELEN]; /* for people; "": the daemon makes one up */
	char port[NPF_WIRE_NAMELEN]; /* with SESSION: "", the session's */
	char file[1024];             /* pattern, an absolute path; "": the file handed over */
	char filter[2048];           /* the expression, for people and for pcapng's header */
	char comment[1024];          /* for pcapng's header */
	/* 0: no limit */
	uint64_t file_size;    /* bytes of each file */
	uint64_t file_packets; /* packets of each file */
	uint64_t file_time_ns; /* files end at multiples of this */
	uint64_t max_size;     /* bytes of all files; then the dump ends */
	uint64_t max_packets;  /* packets of all files; then the dump ends */
	uint64_t keep;         /* finished files that stay */
	uint64_t keep_size;    /* bytes of these */
	uint64_t buffer;       /* bytes between tap and disk; 0 = the daemon's default */
	uint64_t retro_size;   /* retrospective: bytes to keep in memory; 0 = not retrospective */
	uint64_t retro_ns;     /* ... and for how long; 0 = as long as they fit */
	uint32_t format;       /* enum npf_wire_dump_format */
	uint32_t snaplen;      /* with SESSION: 0, the session's; else 0 = all */
	uint32_t mode;         /* of the files made; 0 = 0640 */
	uint32_t flags;        /* NPF_WIRE_DUMP_* */
	uint32_t n_insns;      /* of the filter; 0 = accept all; with SESSION: 0 */
	uint32_t reserved;
	/* struct npf_bpf_insn insns[n_insns] */
};

/* The doorbell that comes along is readable once all of the dump is on disk. */
struct npf_wire_dump_reply {
	uint64_t id;
	char name[NPF_WIRE_NAMELEN];
};

enum npf_wire_dump_op {
	NPF_WIRE_DUMP_STOP,
	NPF_WIRE_DUMP_TRIGGER, /* of a retrospective dump: write out what memory holds */
	NPF_WIRE_DUMP_N_OPS,
};

struct npf_wire_dump_control {
	char name[NPF_WIRE_NAMELEN]; /* "": the session's */
	uint64_t after_ns;           /* TRIGGER: and what comes within this time after it */
	uint32_t op;                 /* enum npf_wire_dump_op */
	uint32_t reserved;
};

struct npf_wire_dump_status {
	uint64_t packets; /* put into the file, or on the way into it */
	uint64_t bytes;   /* of these, header included: where the file will end */
	uint64_t dropped; /* accepted, and lost for want of disk */
	uint32_t ended;   /* 0: running; 1: a limit was reached, not all is on disk yet; 2: all
			     is on disk */
	int32_t error;    /* 0, or -errno of the last write */
	struct npf_error text;
};

/* Shared memory through which the session sends. A session has at most one. */
struct npf_wire_send_lane {
	uint64_t size; /* bytes; 0 = the default; in the reply the size made */
};

/* PORT_ADD flags */
#define NPF_WIRE_ADD_ATTACH     0x01u /* start: attach */
#define NPF_WIRE_ADD_WAIT       0x02u /* overflow: wait */
#define NPF_WIRE_ADD_SEND       0x04u
#define NPF_WIRE_ADD_SHADOW     0x08u
#define NPF_WIRE_ADD_NO_PROMISC 0x10u
#define NPF_WIRE_ADD_FLAGS      0x1fu

/* A port, with the settings that the configuration has for one. Root and the daemon's own user
 * only. */
struct npf_wire_port_add {
	char name[NPF_WIRE_NAMELEN];
	char device[NPF_WIRE_TEXTLEN]; /* devargs */
	char allow[1024];              /* rules, a line each; "": whoever may use the socket */
	uint32_t flags;                /* NPF_WIRE_ADD_* */
	uint32_t rx_queues;            /* 0 = 1 */
	uint32_t rx_desc;              /* 0 = the daemon's default */
	uint32_t mtu;                  /* 0 = the device's */
};

/* The port to remove. Its sessions' rings end after the last record committed; STATS can still be
 * requested of them. Root and the daemon's own user only. */
struct npf_wire_port_name {
	char name[NPF_WIRE_NAMELEN];
};

/* What has ended with a port. The doorbells that come along, not more than NPF_WIRE_MAXFDS, are
 * readable once a dump is on disk. */
struct npf_wire_port_ended {
	uint32_t sessions;
	uint32_t monitors; /* of the configuration */
	uint32_t dumps;
	uint32_t sends; /* of the configuration */
};

struct npf_wire_query {
	char what[NPF_WIRE_NAMELEN]; /* "status", "ports", "sessions", "stats", "monitors", "dumps",
				      "sends" */
};

#endif

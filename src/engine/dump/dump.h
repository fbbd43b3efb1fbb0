/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.h - dumps for the control thread: started, polled, triggered, ended.
 *
 * A dump is fed like a session. With one tap lcore on its port, that lcore writes files into the
 * dump's ring; with several, each fills a lane of an ordinary buffer, and the dump's worker merges
 * these in time order, at the price of one more copy.
 *
 * A dump that has reached its limit, or was stopped, leaves the taps' plans at once; its worker
 * writes out what is left and ends in its own time. Nothing here waits for a disk.
 */
#ifndef NPF_ENGINE_DUMP_DUMP_H
#define NPF_ENGINE_DUMP_DUMP_H

#include "base/error.h"
#include "base/doorbell.h"
#include "writer/feed/feed.h"
#include "writer/disk/worker.h"
#include "engine/core/core.h"

#include <jansson.h>
#include <pthread.h>

#define NPF_DUMPS_DONE_MAX 64 /* finished dumps that are remembered for the report */

/* What is asked for. Everything is copied. */
struct npf_dump_spec {
	const char *name; /* NULL or "": one is made up that no other dump has */
	const char *port;
	const char *filter;  /* the expression, for people */
	const char *comment; /* in pcapng's header; or NULL */
	const char *file;    /* pattern (writer/disk/pattern.h); NULL: fd */
	const char *index;   /* file that gets a line for each finished file; NULL: the log does */
	int fd;              /* an opened file, which stays the caller's; -1: none */
	struct npf_writer_params params;
	const struct npf_bpf_insn *insns; /* NULL: all packets */
	uint32_t n_insns;
	struct npf_requester *requester; /* is charged; NULL: the daemon itself */
	uid_t uid;                       /* who asks */
	const void *keeper; /* the dump ends with it, by npf_dumps_stop_kept(); NULL: it lasts */
	const struct npf_consumer
		*model; /* a session's, whose filter and direction hold; or NULL */
};

enum npf_dump_life {
	NPF_DUMP_RUNNING,
	NPF_DUMP_ENDING, /* in no plan any more; the worker writes out what is left */
	NPF_DUMP_DONE,   /* all is on disk; only remembered */
};

struct npf_dump {
	struct npf_dump *next;
	uint64_t id; /* its place among the clients of a queue */
	enum npf_dump_life life;
	struct npf_engine *engine;
	bool must_stop; /* to be in no new plan; npf_dumps_tick() stops it as soon as there is
			   memory */
	struct npf_consumer consumer; /* linked to the port while it is to be in plans */
	struct npf_engine_port *port; /* Owns: a reference, until it is done */
	const void *keeper;           /* or NULL; compared only */
	unsigned int n_refs;          /* npf_dump_get(): those who still read its counters */
	uid_t uid;
	char *name, *filter, *file, *index;
	char port_name[NPF_WIRE_NAMELEN];
	struct npf_writer_params params;           /* complete */
	struct npf_filter *filter_in, *filter_out; /* of its own; a session's are the session's */
	struct npf_writer_timezone *timezone;      /* or NULL */
	void *head;
	uint64_t started_ns;
	uint64_t base_missed; /* the port's losses when it started */

	struct npf_charge charge; /* until it is done */
	struct npf_memory memory; /* ring and buffer */
	struct npf_writer_ring *ring;
	struct npf_writer_producer producer;
	struct npf_writer_worker *worker;
	struct npf_writer_status state; /* as last seen */
	struct npf_dump_counters_seen {
		uint64_t received, written, bytes, drop_disk, drop_oversize, missed;
	} counters; /* as last seen */

	/* several taps; else NULL */
	struct npf_buffer *buffer;
	struct npf_reader *reader; /* the worker's */
	struct npf_tap_counters *tap_counters;

	int fd;                   /* an opened file, until the worker has it; -1 */
	struct npf_doorbell done; /* rung, then closed, once all is on disk */

	pthread_mutex_t lock; /* of what follows: the worker writes it */
	char last_file[PATH_MAX];
	int index_error; /* of the last line for the index: 0 or -errno */
};

/*
 * npf_dump_start - begin a dump: npf_dump_new() and npf_dump_run().
 * Return: 0; -EINPROGRESS: see core/memory.h; -errno with a text in err: -EINVAL, -ENODEV (no
 * such port), -EEXIST (name taken), ... Owns: the dump is the engine's.
 */
int npf_dump_start(struct npf_engine *e, const struct npf_dump_spec *spec, struct npf_dump **dp,
	struct npf_error *err);

/* In two goes: the dump is made, and the next plans have it; then its port is started and plans are
 * exchanged. After a failure of the second the dump is ended by itself. */
int npf_dump_new(struct npf_engine *e, const struct npf_dump_spec *spec, struct npf_dump **dp,
	struct npf_error *err);
int npf_dump_run(struct npf_engine *e, struct npf_dump *d, struct npf_error *err);

/* The holder of a reference may read the dump's counters, however long ago it ended. NULL is fine
 * for the second, which returns NULL. */
struct npf_dump *npf_dump_get(struct npf_dump *d);
struct npf_dump *npf_dump_put(struct npf_dump *d);

/* Start the dumps of the configuration, or only those of one port. Return: 0 or -errno with a text
 * in err. */
int npf_dumps_start_configured(
	struct npf_engine *e, const struct npf_engine_port *only, struct npf_error *err);

/* End it: what was accepted so far is still written. Return: 0 or -ENOMEM. */
int npf_dump_stop(struct npf_engine *e, struct npf_dump *d);

/* Stop the dumps of a model that is about to be freed. On return they do not use it; a dump that
 * can't be stopped for want of memory is stopped by npf_dumps_tick(). */
void npf_dumps_stop_model(struct npf_engine *e, const struct npf_consumer *model);

/* Stop the dumps of a keeper that goes. On return they do not know it; stopped as above. */
void npf_dumps_stop_kept(struct npf_engine *e, const void *keeper);

/* Dumps of the user that have not ended, and have no keeper. */
unsigned int npf_dumps_count_lasting(const struct npf_engine *e, uid_t uid);

/* Will nothing more be put into its files? */
bool npf_dump_is_over(const struct npf_dump *d);

struct npf_dump *npf_dump_find(const struct npf_engine *e, const char *name);

/* To be called some ten times a second: dumps that are over leave. */
void npf_dumps_tick(struct npf_engine *e);

/* The taps have stopped, or use none of them: ends all, waits a while for the disk. */
void npf_dumps_end_all(struct npf_engine *e);

/* Fresh counters and state of a dump, in d->counters and d->state. */
void npf_dump_refresh(struct npf_dump *d);

/* Adds what a session's dump has counted to what the session has. captured_bytes is exact for one
 * pcap file: the header of a file and those of packets are no packets' bytes. NULL is fine. */
void npf_dump_add_stats(struct npf_dump *d, struct npf_wire_stats *st);

/* ---- Reports ---- */

struct npf_peer;

/* Those that the peer may see. */
json_t *npf_dumps_report(struct npf_engine *e, const struct npf_peer *peer);

#endif

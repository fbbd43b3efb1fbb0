/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.h - memory for clients' packets: charged to the requester, allocated and freed by a task.
 *
 * Pages are cleared when they are made, which takes seconds for the largest buffers. So a request
 * that needs memory is carried out in two goes: in the first one npf_memory_get() returns
 * -EINPROGRESS, and the request is put aside; when the memory is there the request is carried out
 * once more from its beginning, and npf_memory_get() hands it out. What comes before
 * npf_memory_get() in a request is done twice, so it must change nothing.
 *
 * Context: the control thread.
 */
#ifndef NPF_ENGINE_CORE_MEMORY_H
#define NPF_ENGINE_CORE_MEMORY_H

#include "base/error.h"
#include "engine/users/users.h"
#include "writer/feed/feed.h"
#include "engine/base/tasks.h"
#include "ringbuf/ring.h"
#include "ringbuf/tx/tx.h"

/* What is wanted; each part may be absent (0). */
struct npf_memory_conf {
	struct npf_buffer_conf buffer; /* n_lanes 0: none */
	uint64_t ring;                 /* of a dump, bytes */
	bool ring_hugepages;
	uint64_t lane; /* to send through, bytes */
};

struct npf_memory {
	struct npf_buffer *buffer;
	struct npf_writer_ring *ring;
	struct npf_tx_lane *lane;
	struct npf_charge charge;
	uid_t uid;
};

struct npf_allocation;
struct npf_compilation;

/* A requester of memory and of filters: a connection. NULL stands for the daemon itself, which is
 * charged nothing and waits. */
struct npf_requester {
	struct npf_accounts *accounts;
	struct npf_tasks *tasks;
	uid_t uid;
	struct npf_allocation *allocation;     /* in work or ready; NULL: none */
	struct npf_compilation *compilation;   /* the same, see filter_pair.h */
	void (*ready)(struct npf_requester *); /* the request can be carried out now */
};

/* Is one buffer of that many bytes allowed at all? Return: 0, or -E2BIG with a text in err. */
int npf_memory_check_size(
	const struct npf_config_limits *limits, uint64_t size, struct npf_error *err);

/* Bytes that such memory will hold, its small parts left out. UINT64_MAX: more than can be. */
uint64_t npf_memory_needed(const struct npf_memory_conf *conf);

/*
 * npf_memory_get - memory for a request of a client.
 * Return: 0; -EINPROGRESS: see above; or -errno with a text in err.
 * Owns:   *mem is the caller's, for npf_memory_free().
 */
int npf_memory_get(struct npf_requester *requester, const struct npf_memory_conf *conf,
	struct npf_memory *mem, struct npf_error *err);

/* Free it, and discharge it when it is free. @tasks: NULL: now. Empties *mem; what is empty
 * already is fine. */
void npf_memory_free(struct npf_tasks *tasks, struct npf_memory *mem);

/* Free the memory that was allocated for the request, and the filters that were compiled, if the
 * request did not take them. */
void npf_requester_discard(struct npf_requester *requester);

/* The requester goes away. What is in work is freed when it is done. */
void npf_requester_detach(struct npf_requester *requester);

#endif

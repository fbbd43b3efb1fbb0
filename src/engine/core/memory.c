/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c - allocates memory, and frees it, in tasks.
 *
 * An allocation is a task twice at most: to allocate the memory, and to free it when it is not
 * wanted any more. The user is charged from the moment it is accepted until the memory is really
 * free.
 */
#include "engine/core/memory.h"

#include "engine/core/filter_pair.h"

#include <string.h>
#include <time.h>

#define KIB      1024ull
#define MIB      (1024 * KIB)
#define AT_ONCE  MIB /* up to this it takes less time to allocate and free it than to run a task */
#define HUGEPAGE (2 * MIB)
#define PAUSE_NS                                                                                   \
	5000000l /* until it is checked again whether memory that is being released is free */

struct npf_allocation {
	struct npf_task task;
	struct npf_requester *requester; /* NULL: the memory is not wanted any more */
	struct npf_tasks *tasks;
	struct npf_memory_conf conf;
	struct npf_memory mem;
	bool is_ready;
	bool is_pause; /* nothing is made: only time passes */
	int rc;
};

/* ---- what a task does ---- */

static void release(struct npf_memory *mem)
{
	mem->buffer = npf_buffer_free(mem->buffer);
	mem->ring = npf_writer_ring_free(mem->ring);
	mem->lane = npf_tx_lane_free(mem->lane);
}

/* The user who is charged also pays for wake-ups. */
static int make(const struct npf_memory_conf *conf, struct npf_memory *mem)
{
	struct npf_account *payer = mem->charge.account;
	int rc = 0;

	if (conf->buffer.n_lanes > 0)
		rc = npf_buffer_new(&conf->buffer, &mem->buffer);
	if (rc == 0 && conf->ring > 0)
		rc = npf_writer_ring_new(conf->ring, conf->ring_hugepages, &mem->ring);
	if (rc == 0 && conf->lane > 0)
		rc = npf_tx_lane_new(
			conf->lane, payer != NULL ? npf_account_wakes(payer) : NULL, &mem->lane);
	if (rc < 0)
		release(mem);
	return rc;
}

static void run_make(struct npf_task *task)
{
	struct npf_allocation *o = NPF_CONTAINER_OF(task, struct npf_allocation, task);

	o->rc = make(&o->conf, &o->mem);
}

static void run_pause(struct npf_task *task)
{
	const struct timespec a_while = {.tv_nsec = PAUSE_NS};

	(void)task;
	nanosleep(&a_while, NULL);
}

static void run_release(struct npf_task *task)
{
	release(&NPF_CONTAINER_OF(task, struct npf_allocation, task)->mem);
}

/* ---- sums ---- */

static uint64_t size_of_lanes(const struct npf_buffer_conf *conf)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (conf->n_lanes == 0)
		return 0;
	if (conf->size > NPF_BUFFER_MAX)
		return UINT64_MAX;
	if (conf->hugepages && conf->size >= HUGEPAGE)
		page = HUGEPAGE;
	return NPF_ALIGN_UP(conf->size, page) * conf->n_lanes;
}

int npf_memory_check_size(
	const struct npf_config_limits *limits, uint64_t size, struct npf_error *err)
{
	if (size <= limits->buffer * MIB)
		return 0;
	return npf_error_set(err, -E2BIG,
		"a buffer of %llu MiB is more than the limit of %u MiB (npf.limits.buffer)",
		(unsigned long long)(size / MIB), limits->buffer);
}

uint64_t npf_memory_needed(const struct npf_memory_conf *conf)
{
	uint64_t lanes = size_of_lanes(&conf->buffer);
	uint64_t ring = conf->ring > 0 ? npf_writer_ring_size(conf->ring) : 0;

	if (lanes == UINT64_MAX || (conf->ring > 0 && ring == 0))
		return UINT64_MAX;
	return lanes + ring + conf->lane;
}

static uint64_t size_of(const struct npf_memory *mem)
{
	struct npf_buffer_info info = {0};

	if (mem->buffer != NULL)
		npf_buffer_info(mem->buffer, &info);
	return info.memory + (mem->ring != NULL ? mem->ring->size : 0) +
	       (mem->lane != NULL ? npf_tx_lane_memory(mem->lane) : 0);
}

/* ---- allocations ---- */

static void free_allocation(struct npf_task *task)
{
	struct npf_allocation *o = NPF_CONTAINER_OF(task, struct npf_allocation, task);

	npf_discharge(&o->mem.charge);
	free(o);
}

static void discard(struct npf_allocation *o)
{
	npf_charge_begin_release(&o->mem.charge);
	o->task.run = run_release;
	o->task.done = free_allocation;
	npf_tasks_submit(o->tasks, &o->task);
}

static void allocated(struct npf_task *task)
{
	struct npf_allocation *o = NPF_CONTAINER_OF(task, struct npf_allocation, task);

	o->is_ready = true;
	if (o->requester == NULL)
		discard(o);
	else
		o->requester->ready(o->requester);
}

static struct npf_allocation *new_allocation(
	struct npf_requester *requester, void (*run)(struct npf_task *))
{
	struct npf_allocation *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->task = (struct npf_task){.uid = requester->uid, .run = run, .done = allocated};
	o->tasks = requester->tasks;
	o->requester = requester;
	requester->allocation = o;
	return o;
}

static int start_allocation(struct npf_requester *requester, const struct npf_memory_conf *conf,
	struct npf_charge *charge)
{
	struct npf_allocation *o = new_allocation(requester, run_make);

	if (o == NULL) {
		npf_discharge(charge);
		return -ENOMEM;
	}
	o->conf = *conf;
	o->mem.uid = requester->uid;
	o->mem.charge = npf_charge_steal(charge);
	npf_tasks_submit(o->tasks, &o->task);
	return -EINPROGRESS;
}

/* What the user has given back is not free yet: the request waits. */
static int start_pause(struct npf_requester *requester)
{
	struct npf_allocation *o = new_allocation(requester, run_pause);

	if (o == NULL)
		return -ENOMEM;
	o->is_pause = true;
	npf_tasks_submit(o->tasks, &o->task);
	return -EINPROGRESS;
}

static bool is_same(const struct npf_memory_conf *a, const struct npf_memory_conf *b)
{
	return a->ring == b->ring && a->ring_hugepages == b->ring_hugepages && a->lane == b->lane &&
	       a->buffer.size == b->buffer.size && a->buffer.n_lanes == b->buffer.n_lanes &&
	       a->buffer.hugepages == b->buffer.hugepages &&
	       a->buffer.overwrite == b->buffer.overwrite &&
	       a->buffer.mintocopy == b->buffer.mintocopy;
}

/* Takes the memory that is ready. Return: false: none is, or another size was allocated. */
static bool take_ready(struct npf_requester *requester, const struct npf_memory_conf *conf,
	struct npf_memory *mem, int *rcp)
{
	struct npf_allocation *o = requester->allocation;

	if (o == NULL || !o->is_ready)
		return false;
	requester->allocation = NULL;
	if (o->is_pause || !is_same(conf, &o->conf)) {
		discard(o); /* a port has changed in between */
		return false;
	}
	*mem = o->mem;
	*rcp = o->rc;
	free(o);
	return true;
}

/* ---- for requests ---- */

static int report_failure(int rc, const struct npf_memory_conf *conf, struct npf_error *err)
{
	if (rc == 0 || rc == -EINPROGRESS)
		return rc;
	if (rc == -EMFILE || rc == -ENFILE)
		return npf_error_set(err, rc,
			"the daemon is out of descriptors: its limit of open files can be raised "
			"(ulimit -n, or LimitNOFILE= of its service)");
	if (conf->ring > 0)
		return npf_error_set(err, rc,
			"%llu MiB for the dump can't be had: %s; ask for less",
			(unsigned long long)(npf_memory_needed(conf) / MIB), strerror(-rc));
	if (conf->lane > 0)
		return npf_error_set(err, rc, "a send lane can't be had: %s", strerror(-rc));
	return npf_error_set(err, rc,
		"a buffer of %llu KiB for each of %u lanes can't be had: %s; ask for a smaller one",
		(unsigned long long)(conf->buffer.size / KIB), conf->buffer.n_lanes, strerror(-rc));
}

static int make_now(const struct npf_memory_conf *conf, struct npf_memory *mem)
{
	int rc = make(conf, mem);

	if (rc < 0)
		npf_discharge(&mem->charge);
	else
		npf_charge_adjust(&mem->charge, size_of(mem));
	return rc;
}

int npf_memory_get(struct npf_requester *requester, const struct npf_memory_conf *conf,
	struct npf_memory *mem, struct npf_error *err)
{
	uint64_t needed = npf_memory_needed(conf);
	int rc;

	*mem = (struct npf_memory){0};
	if (requester == NULL)
		return report_failure(make_now(conf, mem), conf, err);
	if (take_ready(requester, conf, mem, &rc)) {
		if (rc < 0)
			npf_discharge(&mem->charge);
		else
			npf_charge_adjust(&mem->charge, size_of(mem));
		return report_failure(rc, conf, err);
	}
	mem->uid = requester->uid;
	rc = npf_charge(
		requester->accounts, requester->uid, NPF_RES_MEMORY, needed, &mem->charge, err);
	if (rc == -EAGAIN)
		return report_failure(start_pause(requester), conf, err);
	if (rc < 0)
		return rc;
	if (needed <= AT_ONCE)
		return report_failure(make_now(conf, mem), conf, err);
	return report_failure(start_allocation(requester, conf, &mem->charge), conf, err);
}

void npf_memory_free(struct npf_tasks *tasks, struct npf_memory *mem)
{
	struct npf_memory gone = *mem;
	struct npf_allocation *o = NULL;

	*mem = (struct npf_memory){0};
	if (tasks != NULL && size_of(&gone) > AT_ONCE)
		o = calloc(1, sizeof(*o));
	if (o == NULL) {
		release(&gone);
		npf_discharge(&gone.charge);
		return;
	}
	o->task.uid = gone.uid;
	o->tasks = tasks;
	o->mem = gone;
	discard(o);
}

void npf_requester_discard(struct npf_requester *requester)
{
	struct npf_allocation *o = requester->allocation;

	npf_filters_discard(requester);
	if (o == NULL || !o->is_ready)
		return;
	requester->allocation = NULL;
	discard(o);
}

void npf_requester_detach(struct npf_requester *requester)
{
	npf_requester_discard(requester);
	if (requester->allocation != NULL)
		requester->allocation->requester = NULL;
	requester->allocation = NULL;
}

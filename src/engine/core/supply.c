/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * supply.c - orders for memory, and what is thrown away.
 *
 * An order is an errand twice in its life at most: to make the memory, and, when nobody wants it
 * any more, to free it. It is charged for from the moment it is accepted until the memory is
 * really free.
 */
#include "engine/core/supply.h"

#include <string.h>
#include <time.h>

#define KIB      1024ull
#define MIB      (1024 * KIB)
#define AT_ONCE  MIB /* so little is made and freed in less time than an errand takes */
#define HUGEPAGE (2 * MIB)
#define PAUSE_NS 5000000l /* until it is looked again whether memory that leaves has gone */

struct npf_order {
	struct npf_errand errand;
	struct npf_asker *asker; /* NULL: nobody wants it any more */
	struct npf_errands *errands;
	struct npf_memory_conf conf;
	struct npf_memory mem;
	bool is_ready;
	bool is_pause; /* nothing is made: only time passes */
	int rc;
};

/* ---- what an errand does ---- */

static void release(struct npf_memory *mem)
{
	mem->buffer = npf_buffer_free(mem->buffer);
	mem->ring = npf_writer_ring_free(mem->ring);
	mem->lane = npf_tx_lane_free(mem->lane);
}

/* Who is charged also pays for being woken. */
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

static void run_make(struct npf_errand *errand)
{
	struct npf_order *o = (struct npf_order *)errand;

	o->rc = make(&o->conf, &o->mem);
}

static void run_pause(struct npf_errand *errand)
{
	const struct timespec a_while = {.tv_nsec = PAUSE_NS};

	(void)errand;
	nanosleep(&a_while, NULL);
}

static void run_release(struct npf_errand *errand)
{
	release(&((struct npf_order *)errand)->mem);
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

/* ---- orders ---- */

static void forget(struct npf_errand *errand)
{
	struct npf_order *o = (struct npf_order *)errand;

	npf_discharge(&o->mem.charge);
	free(o);
}

static void throw_away(struct npf_order *o)
{
	npf_charge_leave(&o->mem.charge);
	o->errand.run = run_release;
	o->errand.done = forget;
	npf_errands_send(o->errands, &o->errand);
}

static void made(struct npf_errand *errand)
{
	struct npf_order *o = (struct npf_order *)errand;

	o->is_ready = true;
	if (o->asker == NULL)
		throw_away(o);
	else
		o->asker->ready(o->asker);
}

static struct npf_order *place(struct npf_asker *asker, void (*run)(struct npf_errand *))
{
	struct npf_order *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->errand = (struct npf_errand){.uid = asker->uid, .run = run, .done = made};
	o->errands = asker->errands;
	o->asker = asker;
	asker->order = o;
	return o;
}

static int order(
	struct npf_asker *asker, const struct npf_memory_conf *conf, struct npf_charge *charge)
{
	struct npf_order *o = place(asker, run_make);

	if (o == NULL) {
		npf_discharge(charge);
		return -ENOMEM;
	}
	o->conf = *conf;
	o->mem.uid = asker->uid;
	o->mem.charge = npf_charge_steal(charge);
	npf_errands_send(o->errands, &o->errand);
	return -EINPROGRESS;
}

/* What the user has given back is not free yet. He would rather wait than be refused. */
static int order_pause(struct npf_asker *asker)
{
	struct npf_order *o = place(asker, run_pause);

	if (o == NULL)
		return -ENOMEM;
	o->is_pause = true;
	npf_errands_send(o->errands, &o->errand);
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

/* Takes what the asker's order has brought. Return: is it what is wanted? */
static bool take(struct npf_asker *asker, const struct npf_memory_conf *conf,
	struct npf_memory *mem, int *rcp)
{
	struct npf_order *o = asker->order;

	if (o == NULL || !o->is_ready)
		return false;
	asker->order = NULL;
	if (o->is_pause || !is_same(conf, &o->conf)) {
		throw_away(o); /* a port has changed in between */
		return false;
	}
	*mem = o->mem;
	*rcp = o->rc;
	free(o);
	return true;
}

/* ---- for requests ---- */

static int say(int rc, const struct npf_memory_conf *conf, struct npf_error *err)
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
		npf_charge_settle(&mem->charge, size_of(mem));
	return rc;
}

int npf_memory_get(struct npf_asker *asker, const struct npf_memory_conf *conf,
	struct npf_memory *mem, struct npf_error *err)
{
	uint64_t needed = npf_memory_needed(conf);
	int rc;

	*mem = (struct npf_memory){0};
	if (asker == NULL)
		return say(make_now(conf, mem), conf, err);
	if (take(asker, conf, mem, &rc)) {
		if (rc < 0)
			npf_discharge(&mem->charge);
		else
			npf_charge_settle(&mem->charge, size_of(mem));
		return say(rc, conf, err);
	}
	mem->uid = asker->uid;
	rc = npf_charge(asker->accounts, asker->uid, NPF_RES_MEMORY, needed, &mem->charge, err);
	if (rc == -EAGAIN)
		return say(order_pause(asker), conf, err);
	if (rc < 0)
		return rc;
	if (needed <= AT_ONCE)
		return say(make_now(conf, mem), conf, err);
	return say(order(asker, conf, &mem->charge), conf, err);
}

void npf_memory_free(struct npf_errands *errands, struct npf_memory *mem)
{
	struct npf_memory gone = *mem;
	struct npf_order *o = NULL;

	*mem = (struct npf_memory){0};
	if (errands != NULL && size_of(&gone) > AT_ONCE)
		o = calloc(1, sizeof(*o));
	if (o == NULL) {
		release(&gone);
		npf_discharge(&gone.charge);
		return;
	}
	o->errand.uid = gone.uid;
	o->errands = errands;
	o->mem = gone;
	throw_away(o);
}

void npf_asker_settle(struct npf_asker *asker)
{
	struct npf_order *o = asker->order;

	if (o == NULL || !o->is_ready)
		return;
	asker->order = NULL;
	throw_away(o);
}

void npf_asker_leave(struct npf_asker *asker)
{
	npf_asker_settle(asker);
	if (asker->order != NULL)
		asker->order->asker = NULL;
	asker->order = NULL;
}

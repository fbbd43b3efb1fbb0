/* SPDX-License-Identifier: BSD-3-Clause */
/* filter_pair.c - see filter_pair.h. A pair is whole or empty. */
#include "engine/core/filter_pair.h"

#include "base/log.h"
#include "engine/core/memory.h"

#include <stdatomic.h>
#include <string.h>

/* What Linux's SKF_AD_PKTTYPE says of a packet. */
#define PKTTYPE_HOST     0
#define PKTTYPE_OUTGOING 4

/* Instructions up to which all filters of a request take less than a millisecond. */
#define AT_ONCE 128

struct npf_compilation {
	struct npf_task task;
	struct npf_requester *requester; /* NULL: the filters are not wanted any more */
	bool is_ready;
	struct npf_config_limits limits;
	unsigned int n;
	struct compiled_pair {
		struct npf_filter_source source;
		struct npf_filter_pair pair;
		int rc;
		struct npf_error err;
		bool is_taken;
	} of[];
	/* and behind it the instructions of all sources */
};

/* A filter that runs slower than it could, by a fault of ours. The log has the first only; each
 * session's report has its own. */
static void log_unproven(const struct npf_filter_pair *pair, uint32_t n_insns)
{
	static atomic_bool is_logged;

	if (!npf_filter_is_unproven(pair->in) && !npf_filter_is_unproven(pair->out))
		return;
	if (!atomic_exchange_explicit(&is_logged, true, memory_order_relaxed))
		npf_warn("the code of a filter of %u instructions could not be shown to stay in "
			 "bounds, so the interpreter runs it: please report the filter (further "
			 "ones "
			 "are not logged)",
			n_insns);
}

static int compile(
	const struct npf_filter_source *source, struct npf_filter_pair *pair, struct npf_error *err)
{
	struct npf_bpf_aux in = {PKTTYPE_HOST, source->port};
	struct npf_bpf_aux out = {PKTTYPE_OUTGOING, source->port};
	struct npf_filter_opts opts = {.aux = &in, .loose = true};
	struct npf_bpf_error bad = {0};
	int rc;

	*pair = (struct npf_filter_pair){0};
	if (source->n_insns == 0)
		return 0;
	if (source->n_insns > source->limits->filter)
		return npf_error_set(err, -E2BIG,
			"a filter of %u instructions is longer than the limit of %u "
			"(npf.limits.filter)",
			source->n_insns, source->limits->filter);
	npf_backend_from_env(&opts.backend);
	rc = npf_filter_compile(source->insns, source->n_insns, &opts, &pair->in, &bad);
	opts.aux = &out;
	if (rc == 0)
		rc = npf_filter_compile(source->insns, source->n_insns, &opts, &pair->out, &bad);
	if (rc == 0) {
		log_unproven(pair, source->n_insns);
		return 0;
	}
	npf_filter_pair_free(pair);
	if (rc == -EINVAL)
		return npf_error_set(err, rc,
			"the filter is not a valid BPF program: instruction %u: %s", bad.pc,
			bad.reason);
	return npf_error_set(err, rc, "the filter can't be compiled: %s", strerror(-rc));
}

void npf_filter_pair_free(struct npf_filter_pair *pair)
{
	pair->in = npf_filter_free(pair->in);
	pair->out = npf_filter_free(pair->out);
}

/* ---- ahead of a request ---- */

/* Context: a thread of the pool. */
static void run_compile(struct npf_task *task)
{
	struct npf_compilation *c = NPF_CONTAINER_OF(task, struct npf_compilation, task);

	for (unsigned int i = 0; i < c->n; i++)
		c->of[i].rc = compile(&c->of[i].source, &c->of[i].pair, &c->of[i].err);
}

static void free_compilation(struct npf_compilation *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		npf_filter_pair_free(&c->of[i].pair);
	free(c);
}

static void compiled(struct npf_task *task)
{
	struct npf_compilation *c = NPF_CONTAINER_OF(task, struct npf_compilation, task);

	c->is_ready = true;
	if (c->requester != NULL)
		c->requester->ready(c->requester);
	else
		free_compilation(c);
}

static uint64_t n_insns_of(const struct npf_filter_source *sources, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += sources[i].n_insns;
	return sum;
}

/* The client's message, and the limits, may be gone before the task has ended. */
static struct npf_compilation *copy(const struct npf_filter_source *sources, unsigned int n)
{
	const size_t head = sizeof(struct npf_compilation) + n * sizeof(struct compiled_pair);
	struct npf_compilation *c =
		calloc(1, head + n_insns_of(sources, n) * sizeof(struct npf_bpf_insn));
	void *at;

	if (c == NULL)
		return NULL;
	c->n = n;
	c->limits = *sources[0].limits;
	at = &c->of[n];
	for (unsigned int i = 0; i < n; i++) {
		c->of[i].source = sources[i];
		c->of[i].source.limits = &c->limits;
		c->of[i].source.insns = at;
		if (sources[i].n_insns > 0)
			at = mempcpy(
				at, sources[i].insns, sources[i].n_insns * sizeof(*sources->insns));
	}
	return c;
}

/* Return: NULL: it was not compiled, or is taken already. */
static struct compiled_pair *find(
	const struct npf_requester *requester, const struct npf_filter_source *source)
{
	struct npf_compilation *c = requester != NULL ? requester->compilation : NULL;

	if (source->n_insns == 0)
		return NULL;
	for (unsigned int i = 0; c != NULL && c->is_ready && i < c->n; i++) {
		struct compiled_pair *p = &c->of[i];

		if (!p->is_taken && p->source.port == source->port &&
			p->source.n_insns == source->n_insns &&
			memcmp(p->source.insns, source->insns,
				source->n_insns * sizeof(*source->insns)) == 0)
			return p;
	}
	return NULL;
}

static bool are_there(const struct npf_requester *requester,
	const struct npf_filter_source *sources, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (sources[i].n_insns > 0 && find(requester, &sources[i]) == NULL)
			return false;
	return true;
}

int npf_filters_ahead(struct npf_requester *requester, const struct npf_filter_source *sources,
	unsigned int n, struct npf_error *err)
{
	struct npf_compilation *c;

	if (requester == NULL || n_insns_of(sources, n) <= AT_ONCE ||
		are_there(requester, sources, n))
		return 0;
	npf_filters_discard(requester); /* a port has changed in between */
	c = copy(sources, n);
	if (c == NULL)
		return npf_error_set(err, -ENOMEM, "the daemon is out of memory");
	c->task = (struct npf_task){.uid = requester->uid, .run = run_compile, .done = compiled};
	c->requester = requester;
	requester->compilation = c;
	npf_tasks_submit(requester->tasks, &c->task);
	return -EINPROGRESS;
}

int npf_filter_pair_compile(struct npf_requester *requester, const struct npf_filter_source *source,
	struct npf_filter_pair *pair, struct npf_error *err)
{
	struct compiled_pair *p = find(requester, source);

	if (p == NULL)
		return compile(source, pair, err);
	p->is_taken = true;
	*pair = p->pair;
	p->pair = (struct npf_filter_pair){0};
	if (p->rc < 0)
		*err = p->err;
	return p->rc;
}

void npf_filters_discard(struct npf_requester *requester)
{
	struct npf_compilation *c = requester->compilation;

	if (c == NULL)
		return;
	requester->compilation = NULL;
	c->requester = NULL;
	if (c->is_ready)
		free_compilation(c);
}

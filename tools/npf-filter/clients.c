/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clients.c - the filters of many clients, an expression a line: explained, checked, timed as a
 * set.
 *
 * Every kernel of the set that this CPU has is compared with each filter alone, on all packets. In
 * what is timed, rounds of the set and of the filters alone are interleaved.
 */
#include "npf-filter/npf-filter.h"
#include "npf-filter/mix.h"
#include "base/clock.h"
#include "expression/expression.h"
#include "jit/set/set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS 15
#define BURST  NPF_FILTER_SET_BURST

struct clients {
	unsigned int n;
	struct npf_filter_set_member members[NPF_FILTER_SET_MAX];
	struct npf_bpf_insn *insns[NPF_FILTER_SET_MAX];
	struct npf_filter *filters[NPF_FILTER_SET_MAX]; /* NULL: accepts all */
	unsigned int lines[NPF_FILTER_SET_MAX];
};

/* A set, and what it needs to run. */
struct runner {
	struct npf_filter_set *set;
	struct npf_filter_set_scratch *scratch;
};

/* ---- input ---- */

static int add_client(
	const struct options *o, struct clients *c, const char *text, unsigned int line)
{
	const struct npf_expression x = {.text = text,
		.linktype = o->linktype,
		.snaplen = o->snaplen,
		.is_plain = !o->optimize};
	const struct npf_filter_opts opts = {
		.backend = o->backend, .aux = o->has_aux ? &o->aux : NULL, .loose = true};
	const unsigned int i = c->n;
	struct npf_error err;
	uint32_t n;

	if (i == NPF_FILTER_SET_MAX)
		return print_error("%s, line %u: more than %u filters", o->clients_file, line,
			NPF_FILTER_SET_MAX);
	if (npf_expression_compile(&x, &c->insns[i], &n, &err) < 0)
		return print_error("%s, line %u: %s", o->clients_file, line, err.text);
	c->lines[i] = line;
	c->n++;
	if (n == 0)
		return 0;
	if (npf_filter_compile(c->insns[i], n, &opts, &c->filters[i], NULL) < 0)
		return print_error(
			"%s, line %u: the filter can't be compiled", o->clients_file, line);
	c->members[i] = (struct npf_filter_set_member){
		.insns = c->insns[i], .n_insns = n, .aux = opts.aux, .filter = c->filters[i]};
	return 0;
}

static int read_clients(const struct options *o, struct clients *c)
{
	char *text = NULL;
	size_t len;
	unsigned int line = 0;
	int rc = input_file(o->clients_file, &text, &len);

	for (char *at = text, *next; rc == 0 && *at != '\0'; at = next) {
		next = at + strcspn(at, "\n");
		if (*next != '\0')
			*next++ = '\0';
		line++;
		at += strspn(at, " \t\r");
		if (*at != '#')
			rc = add_client(o, c, at, line);
	}
	if (rc == 0 && c->n == 0)
		rc = print_error("%s: there are no filters in it", o->clients_file);
	free(text);
	return rc;
}

static void forget_clients(struct clients *c)
{
	for (unsigned int i = 0; i < c->n; i++) {
		npf_filter_free(c->filters[i]);
		free(c->insns[i]);
	}
	free(c);
}

/* ---- sets ---- */

static int open_runner(const struct clients *c, unsigned int n,
	const struct npf_filter_set_opts *opts, struct runner *r)
{
	int rc;

	*r = (struct runner){.set = NULL};
	rc = npf_filter_set_new(c->members, n, opts, &r->set);
	if (rc == 0)
		r->scratch = npf_filter_set_scratch_new(r->set);
	return rc == 0 && r->scratch == NULL ? -ENOMEM : rc;
}

static void close_runner(struct runner *r)
{
	r->scratch = npf_filter_set_scratch_free(r->scratch);
	r->set = npf_filter_set_free(r->set);
}

static void explain(const struct clients *c, const struct npf_filter_set *set)
{
	struct npf_filter_set_facts f;

	npf_filter_set_explain(set, &f);
	printf("%u clients, %u different filters: %u in the set, %u alone\n", f.n_members,
		f.n_different, f.n_fit[NPF_FILTER_SET_FITS],
		f.n_different - f.n_fit[NPF_FILTER_SET_FITS]);
	printf("  fields %u, derived %u; tests %u, by %u lookups %u; operations %u in %u levels, "
	       "%u of them in %u runs; kernel %s\n",
		f.n_loads, f.n_derived, f.n_tests, f.n_probes, f.n_probed, f.n_ops, f.n_levels,
		f.n_in_runs, f.n_runs, npf_filter_set_kernel_name(f.kernel));
	for (unsigned int i = 0; i < c->n; i++) {
		const enum npf_filter_set_fit fit = npf_filter_set_fit(set, i);

		if (fit != NPF_FILTER_SET_FITS && npf_filter_set_same_as(set, i) == i)
			printf("  line %u runs alone: %s\n", c->lines[i],
				npf_filter_set_fit_text(fit));
	}
}

static void run_alone(
	const struct clients *c, unsigned int i, const struct mix *m, uint32_t from, uint32_t n)
{
	if (c->filters[i] != NULL)
		npf_filter_run_burst(c->filters[i], m->pkts + from, m->lens + from,
			m->caplens + from, n, m->results + from);
	else
		memset(m->results + from, 0xff, n * sizeof(*m->results));
}

/* The set's results for a burst that each member has had alone, in m->results. */
static int check_member(const struct clients *c, const struct runner *r, unsigned int i,
	const struct mix *m, uint32_t from, uint32_t plane)
{
	const uint32_t *row = npf_filter_set_row(r->set, r->scratch, i);
	struct npf_filter_set_facts facts;

	for (uint32_t j = 0; j < NPF_MIN(BURST, m->n - from); j++) {
		const bool accepts = (plane >> j & 1) != 0;
		const uint32_t got = row != NULL ? row[j]
				     : accepts   ? npf_filter_set_keep(r->set, i)
						 : 0;

		if (got == m->results[from + j] && accepts == (got != 0))
			continue;
		npf_filter_set_explain(r->set, &facts);
		fprintf(stderr,
			"npf-filter: packet %u, line %u: the set (%s) gives %u, the filter alone "
			"%u\n",
			from + j + 1, c->lines[i], npf_filter_set_kernel_name(facts.kernel), got,
			m->results[from + j]);
		return EXIT_DIFFER;
	}
	return EXIT_SAME;
}

static int check(const struct clients *c, const struct mix *m, const struct runner *r)
{
	int rc = EXIT_SAME;

	for (uint32_t from = 0; from < m->n && rc == EXIT_SAME; from += BURST) {
		const uint32_t n = NPF_MIN(BURST, m->n - from);
		const uint32_t *planes = npf_filter_set_run(
			r->set, r->scratch, m->pkts + from, m->lens + from, m->caplens + from, n);

		for (unsigned int i = 0; i < c->n && rc == EXIT_SAME; i++) {
			run_alone(c, i, m, from, n);
			rc = check_member(c, r, i, m, from, planes[i]);
		}
	}
	return rc;
}

static int check_kernels(const struct clients *c, const struct mix *m)
{
	char names[64] = "";
	int rc = EXIT_SAME;

	for (unsigned int k = NPF_FILTER_SET_PLAIN; k < NPF_FILTER_SET_N_KERNELS; k++) {
		/* All that fit, to compare as much as there is. */
		const struct npf_filter_set_opts opts = {.kernel = k, .always = true};
		struct runner r;
		int made = open_runner(c, c->n, &opts, &r);

		if (made == 0 && rc == EXIT_SAME) {
			rc = check(c, m, &r);
			strcat(strcat(names, " "), npf_filter_set_kernel_name(k));
		} else if (made < 0 && made != -ENOTSUP) {
			rc = print_error("%s", strerror(-made));
		}
		close_runner(&r);
	}
	if (rc == EXIT_SAME)
		printf("each filter alone agrees on %u packets with%s\n", m->n, names);
	return rc;
}

/* ---- time ---- */

static int by_value(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (*x > *y) - (*x < *y);
}

static double ns_since(uint64_t begin, const struct mix *m)
{
	const double ns = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;

	return ns / m->n;
}

static double time_set(const struct runner *r, const struct mix *m)
{
	const uint64_t begin = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);

	for (uint32_t from = 0; from < m->n; from += BURST)
		npf_filter_set_run(r->set, r->scratch, m->pkts + from, m->lens + from,
			m->caplens + from, NPF_MIN(BURST, m->n - from));
	return ns_since(begin, m);
}

static double time_alone(const struct clients *c, unsigned int n, const struct mix *m)
{
	const uint64_t begin = npf_clock_ns(CLOCK_THREAD_CPUTIME_ID);

	for (uint32_t from = 0; from < m->n; from += BURST) {
		for (unsigned int i = 0; i < n; i++)
			run_alone(c, i, m, from, NPF_MIN(BURST, m->n - from));
	}
	return ns_since(begin, m);
}

static int bench_clients(const struct clients *c, unsigned int n, const struct mix *m)
{
	double set[ROUNDS], alone[ROUNDS];
	struct runner r;

	if (open_runner(c, n, NULL, &r) < 0) {
		close_runner(&r);
		return print_error("out of memory");
	}
	for (unsigned int i = 0; i < ROUNDS; i++) {
		set[i] = time_set(&r, m);
		alone[i] = time_alone(c, n, m);
	}
	close_runner(&r);
	qsort(set, ROUNDS, sizeof(*set), by_value);
	qsort(alone, ROUNDS, sizeof(*alone), by_value);
	printf("  %4u  set %7.2f ns a packet (%.2f to %.2f), alone %8.2f (%.2f to %.2f)\n", n,
		set[ROUNDS / 2], set[0], set[ROUNDS - 1], alone[ROUNDS / 2], alone[0],
		alone[ROUNDS - 1]);
	return 0;
}

static int work(const struct clients *c, const struct mix *m)
{
	struct runner r;
	int rc;

	if (open_runner(c, c->n, NULL, &r) < 0)
		rc = print_error("out of memory");
	else
		rc = EXIT_SAME;
	if (rc == EXIT_SAME)
		explain(c, r.set);
	close_runner(&r);
	if (rc == EXIT_SAME)
		rc = check_kernels(c, m);
	for (unsigned int n = 1; n < c->n && rc == EXIT_SAME; n *= 2)
		rc = bench_clients(c, n, m);
	return rc == EXIT_SAME ? bench_clients(c, c->n, m) : rc;
}

int clients(const struct options *o, pcap_t *p)
{
	struct clients *c;
	struct mix m;
	int rc;

	if (p == NULL && o->linktype != DLT_EN10MB)
		return print_error("the mix is Ethernet: give packets of link type %s with -r",
			pcap_datalink_val_to_name(o->linktype));
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return print_error("out of memory");
	rc = read_clients(o, c);
	if (rc == 0) {
		if (p != NULL)
			rc = read_packets(o, p, &m);
		else
			rc = mix_init(&m) < 0 ? print_error("out of memory") : 0;
		if (rc == 0)
			rc = work(c, &m);
		mix_fini(&m);
	}
	forget_clients(c);
	return rc;
}

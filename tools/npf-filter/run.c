/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c - the filter on every packet of a savefile, by one back end or by all.
 *
 * Packets go through in bursts, as they do in the engine. Each is copied to the end of memory
 * that is followed by an unreadable page, so a back end that reads too far is caught here too.
 */
#include "npf-filter/npf-filter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define BURST 32

/* Packets of one burst, each at the end of its own guarded room. */
struct batch {
	uint32_t n;
	uint8_t *room[BURST];
	size_t room_len[BURST]; /* without the guard */
	const uint8_t *pkts[BURST];
	uint32_t lens[BURST];
	uint32_t caplens[BURST];
};

static void add_contender(struct contenders *c, const char *name, struct npf_filter *f)
{
	c->list[c->n++] = (struct contender){.name = name, .filter = f};
}

static int compile(const struct program *prog, enum npf_backend backend, struct npf_filter **fp)
{
	const struct npf_filter_opts opts = {.backend = backend, .aux = prog->aux, .loose = true};
	struct npf_bpf_error err = {.reason = ""};
	int rc = npf_filter_compile(prog->insns, prog->n, &opts, fp, &err);

	if (rc == -EINVAL)
		return print_error("(%03u) %s", err.pc, err.reason);
	if (rc == -ENOTSUP)
		return print_error(
			"the back end %s can't be used on this machine", npf_backend_name(backend));
	return rc < 0 ? print_error("%s", strerror(-rc)) : 0;
}

int contenders_open(const struct options *o, const struct program *prog, struct contenders *c)
{
	struct npf_filter *f = NULL;
	int rc;

	c->n = 0;
	if (!o->all_backends) {
		rc = compile(prog, o->backend, &f);
		if (rc == 0)
			add_contender(c, npf_backend_name(npf_filter_backend(f)), f);
		return rc;
	}
	/* libpcap knows no ancillary values here, and memory that was not written holds anything:
	 * nothing to compare then. */
	if (prog->aux == NULL &&
		(npf_bpf_verify_loose(prog->insns, prog->n, NULL) & NPF_BPF_SCRATCH) == 0)
		add_contender(c, "libpcap", NULL);
	for (enum npf_backend b = NPF_BACKEND_INTERP; b <= NPF_BACKEND_SCALAR; b++) {
		rc = compile(prog, b, &f);
		if (rc != 0)
			return rc;
		add_contender(c, npf_backend_name(b), f);
	}
	return 0;
}

void contenders_close(struct contenders *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		c->list[i].filter = npf_filter_free(c->list[i].filter);
}

void contender_run(const struct contender *c, const struct program *prog, const struct packets *p,
	uint32_t *results)
{
	if (c->filter != NULL) {
		npf_filter_run_burst(c->filter, p->pkts, p->lens, p->caplens, p->n, results);
		return;
	}
	for (uint32_t i = 0; i < p->n; i++)
		results[i] = bpf_filter((const struct bpf_insn *)prog->insns, p->pkts[i],
			p->lens[i], p->caplens[i]);
}

static int keep(struct batch *b, const struct pcap_pkthdr *hdr, const uint8_t *bytes)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const uint32_t i = b->n;

	if (b->room[i] == NULL || b->room_len[i] < hdr->caplen) {
		const size_t len = NPF_ALIGN_UP(NPF_MAX((size_t)hdr->caplen, (size_t)1), page);
		void *room;

		if (b->room[i] != NULL)
			munmap(b->room[i], b->room_len[i] + page);
		b->room[i] = NULL;
		room = mmap(NULL, len + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
		if (room == MAP_FAILED)
			return print_error("out of memory");
		b->room[i] = room;
		b->room_len[i] = len;
		if (mprotect(b->room[i] + len, page, PROT_NONE) < 0)
			return print_error("mprotect: %s", strerror(errno));
	}
	b->pkts[i] = b->room[i] + b->room_len[i] - hdr->caplen;
	memcpy(b->room[i] + b->room_len[i] - hdr->caplen, bytes, hdr->caplen);
	b->lens[i] = hdr->len;
	b->caplens[i] = hdr->caplen;
	b->n++;
	return 0;
}

static int run_batch(const struct options *o, const struct batch *b, uint64_t first,
	const struct program *prog, const struct contenders *c)
{
	const struct packets pkts = {b->pkts, b->lens, b->caplens, b->n};
	uint32_t results[MAX_CONTENDERS][BURST];
	int rc = EXIT_SAME;

	for (unsigned int j = 0; j < c->n; j++)
		contender_run(&c->list[j], prog, &pkts, results[j]);
	for (uint32_t i = 0; i < b->n; i++) {
		const uint32_t result = results[0][i];

		printf("%u\n", o->raw ? result : NPF_MIN(result, b->caplens[i]));
		for (unsigned int j = 1; j < c->n; j++) {
			if (results[j][i] == result)
				continue;
			fprintf(stderr, "npf-filter: packet %" PRIu64 ": %s gives %u, %s %u\n",
				first + i + 1, c->list[0].name, result, c->list[j].name,
				results[j][i]);
			rc = EXIT_DIFFER;
		}
	}
	return rc;
}

int run_savefile(
	const struct options *o, pcap_t *p, const struct program *prog, const struct contenders *c)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct pcap_pkthdr *hdr;
	struct batch b = {.n = 0};
	uint64_t done = 0;
	const uint8_t *bytes;
	int rc = EXIT_SAME;
	int got;

	do {
		got = pcap_next_ex(p, &hdr, &bytes);
		if (got == 1 && keep(&b, hdr, bytes) != 0) {
			rc = EXIT_USAGE;
			break;
		}
		if (b.n == BURST || (got != 1 && b.n > 0)) {
			if (run_batch(o, &b, done, prog, c) != EXIT_SAME)
				rc = EXIT_DIFFER;
			done += b.n;
			b.n = 0;
		}
	} while (got == 1);
	if (got == PCAP_ERROR)
		rc = print_error("%s: %s", o->savefile, pcap_geterr(p));
	for (uint32_t i = 0; i < BURST; i++) {
		if (b.room[i] != NULL)
			munmap(b.room[i], b.room_len[i] + page);
	}
	return rc;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.c - stepping through a sequence of templates or a savefile.
 *
 * Nothing is divided per packet: positions wrap by comparison, and a program of a sequence shared
 * by several queues is skipped ahead once a cycle.
 */
#include "txgen/program/source.h"

#include <stdio.h>

struct npf_txgen_source {
	struct npf_txgen_prog **progs;
	uint32_t *weights;
	unsigned int n_progs;
	unsigned int n_queues;
	unsigned int prog; /* templates: whose turn it is */
	uint32_t left;     /* ... for how many packets more */
	uint16_t max_len;

	const struct npf_savefile *file;
	size_t pos;
	uint64_t base_ns; /* of the present round */
};

static int add_savefile(struct npf_txgen_source *s, const struct npf_txgen_source_conf *conf)
{
	const struct npf_savefile *f = conf->savefile;

	s->file = f;
	s->max_len = (uint16_t)f->max_len;
	s->pos = conf->queue;
	while (s->pos >= f->n_packets) {
		s->pos -= f->n_packets;
		s->base_ns += f->span_ns;
	}
	return 0;
}

static int add_templates(
	struct npf_txgen_source *s, const struct npf_txgen_source_conf *conf, struct npf_error *err)
{
	bool alone = conf->n_tmpls == 1;

	s->progs = calloc(conf->n_tmpls, sizeof(struct npf_txgen_prog *));
	s->weights = calloc(conf->n_tmpls, sizeof(*s->weights));
	if (s->progs == NULL || s->weights == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < conf->n_tmpls; i++) {
		uint32_t weight =
			conf->weights != NULL && !alone ? NPF_MAX(conf->weights[i], 1u) : 1;
		struct npf_txgen_prog_conf pc = {
			.at = alone ? conf->queue : (uint64_t)conf->queue * weight,
			.stride = alone ? conf->n_queues : 1,
			.seed = conf->seed + i,
			.mac = conf->mac,
			.sign = conf->sign,
			.hw_csum = conf->hw_csum,
		};
		uint16_t len;
		int rc = npf_txgen_prog_new(conf->tmpls[i], &pc, &s->progs[i], err);

		if (rc < 0)
			return rc;
		s->n_progs++;
		s->weights[i] = weight;
		npf_txgen_prog_image(s->progs[i], &len);
		s->max_len = NPF_MAX(s->max_len, len);
	}
	s->left = s->weights[0];
	return 0;
}

int npf_txgen_source_new(const struct npf_txgen_source_conf *conf, struct npf_txgen_source **sp,
	struct npf_error *err)
{
	struct npf_txgen_source *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return npf_error_set(err, -ENOMEM, "out of memory");
	s->n_queues = conf->n_queues;
	rc = conf->savefile != NULL ? add_savefile(s, conf) : add_templates(s, conf, err);
	if (rc < 0) {
		if (rc == -ENOMEM)
			npf_error_set(err, rc, "out of memory");
		npf_txgen_source_free(s);
		return rc;
	}
	*sp = s;
	return 0;
}

struct npf_txgen_source *npf_txgen_source_free(struct npf_txgen_source *s)
{
	if (s == NULL)
		return NULL;
	for (unsigned int i = 0; i < s->n_progs; i++)
		npf_txgen_prog_free(s->progs[i]);
	free(s->progs);
	free(s->weights);
	free(s);
	return NULL;
}

uint16_t npf_txgen_source_max_len(const struct npf_txgen_source *s)
{
	return s->max_len;
}

unsigned int npf_txgen_source_n_progs(const struct npf_txgen_source *s)
{
	return s->n_progs;
}

struct npf_txgen_prog *npf_txgen_source_prog(struct npf_txgen_source *s, unsigned int i)
{
	return s->progs[i];
}

static void next_prog(struct npf_txgen_source *s)
{
	if (s->n_queues > 1)
		npf_txgen_prog_skip(
			s->progs[s->prog], (uint64_t)(s->n_queues - 1) * s->weights[s->prog]);
	if (++s->prog == s->n_progs)
		s->prog = 0;
	s->left = s->weights[s->prog];
}

unsigned int npf_txgen_source_take(
	struct npf_txgen_source *s, unsigned int max, unsigned int *progp)
{
	unsigned int n;

	if (s->n_progs == 1) {
		*progp = 0;
		return max;
	}
	if (s->left == 0) /* only now: the caller has run the packets taken before */
		next_prog(s);
	n = NPF_MIN(max, s->left);
	*progp = s->prog;
	s->left -= n;
	return n;
}

const struct npf_saved *npf_txgen_source_saved(struct npf_txgen_source *s, uint64_t *offset_ns)
{
	const struct npf_saved *p = &s->file->packets[s->pos];

	*offset_ns = s->base_ns + p->at_ns;
	s->pos += s->n_queues;
	while (s->pos >= s->file->n_packets) {
		s->pos -= s->file->n_packets;
		s->base_ns += s->file->span_ns;
	}
	return p;
}

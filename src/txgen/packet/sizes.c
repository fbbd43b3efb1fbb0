/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sizes.c - a template's sizes, its end, and templates made of plain bytes.
 *
 * The simple IMIX is 7 : 4 : 1 packets of 64, 594 and 1514 bytes, spread over a cycle of twelve so
 * that the mix holds over short stretches, too. It is mostly written 1518, which counts the FCS:
 * ours is not of those, and a port of MTU 1500 sends 1514. (64 stays, as 60 holds no IPv6 and UDP.)
 */
#include "txgen/packet/template.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static uint64_t imix[] = {64, 594, 64, 64, 594, 64, 1514, 64, 594, 64, 64, 594};

static_assert(sizeof(imix) == 12 * sizeof(imix[0]), "7 + 4 + 1");

int npf_txgen_sizes_parse(const char *text, struct npf_txgen_values *v, struct npf_error *err)
{
	static const struct npf_txgen_values_rule rule = {
		.scalar = NPF_TXGEN_SCALAR_UINT,
		.max = NPF_TXGEN_TMPL_SIZE_MAX,
		.random_min = 64,
		.random_max = 1514,
	};
	npf_autofree char *copy = strdup(text);
	struct npf_txgen_values got;
	int rc;

	if (copy == NULL)
		return npf_error_set(err, -ENOMEM, "out of memory");
	if (strcasecmp(text, "imix") == 0) {
		struct npf_txgen_values mix = {
			.kind = NPF_TXGEN_VALUES_LIST,
			.count = NPF_ARRAY_LEN(imix),
			.list = imix,
		};

		return npf_txgen_values_copy(&mix, v);
	}
	for (char *s = copy; *s != '\0'; s++) {
		if (*s == ',')
			*s = '|';
	}
	rc = npf_txgen_values_parse(copy, &rule, &got, NULL, err);
	if (rc == 0 && npf_txgen_values_min(&got) < NPF_TXGEN_TMPL_SIZE_MIN) {
		npf_txgen_values_fini(&got);
		rc = npf_error_set(
			err, -ERANGE, "a frame has at least %d bytes", NPF_TXGEN_TMPL_SIZE_MIN);
	}
	if (rc < 0)
		return npf_error_set(err, rc,
			"size %.30s: %.120s (sizes are 64, 64,128, 64-1518, random:64-1518, "
			"64x7|594x4 "
			"or imix)",
			text, err->text);
	*v = got;
	return 0;
}

int npf_txgen_tmpl_set_size(
	struct npf_txgen_tmpl *t, const struct npf_txgen_values *sizes, struct npf_error *err)
{
	struct npf_txgen_values copy;

	if (npf_txgen_values_min(sizes) < t->hdr_len)
		return npf_error_set(err, -ERANGE,
			"size %llu is too small: the headers take %u bytes",
			(unsigned long long)npf_txgen_values_min(sizes), t->hdr_len);
	if (npf_txgen_values_copy(sizes, &copy) < 0)
		return npf_error_set(err, -ENOMEM, "out of memory");
	npf_txgen_values_fini(&t->size);
	t->size = copy;
	t->has_size = true;
	t->tail = 0; /* the IP packet is to fill the frame */
	return 0;
}

struct npf_txgen_tmpl *npf_txgen_tmpl_free(struct npf_txgen_tmpl *t)
{
	if (t == NULL)
		return NULL;
	for (unsigned int i = 0; i < t->n_vary; i++)
		npf_txgen_values_fini(&t->vary[i].values);
	npf_txgen_values_fini(&t->size);
	free(t->payload_bytes);
	free(t->base);
	free(t);
	return NULL;
}

int npf_txgen_tmpl_from_bytes(
	const void *data, size_t len, struct npf_txgen_tmpl **tp, struct npf_error *err)
{
	struct npf_txgen_tmpl *t;

	if (len < NPF_TXGEN_TMPL_SIZE_MIN || len > NPF_TXGEN_TMPL_SIZE_MAX)
		return npf_error_set(err, -ERANGE,
			"a packet of %zu bytes cannot be sent (%d to %d can)", len,
			NPF_TXGEN_TMPL_SIZE_MIN, NPF_TXGEN_TMPL_SIZE_MAX);
	t = calloc(1, sizeof(*t));
	if (t != NULL)
		t->base = malloc(len);
	if (t == NULL || t->base == NULL) {
		free(t);
		return npf_error_set(err, -ENOMEM, "out of memory");
	}
	memcpy(t->base, data, len);
	t->base_len = len;
	t->raw = t->verbatim = t->has_size = true;
	npf_txgen_values_const(&t->size, len);
	npf_txgen_tmpl_dissect(t);
	*tp = t;
	return 0;
}

void npf_txgen_tmpl_list_free(struct npf_txgen_tmpl **ts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		npf_txgen_tmpl_free(ts[i]);
	free(ts);
}

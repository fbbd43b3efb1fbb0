/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bytes.c - templates from files: hex text and savefiles.
 *
 * A hex file holds packets of hex digits in pairs, with white space, ':' and '-' anywhere between
 * the pairs; '#' begins a comment, an empty line ends a packet. A savefile is recognised by its
 * magic number, not by its name.
 */
#include "txgen/packet/template.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HEX_FILE_MAX (16u << 20)
#define LOAD_MAX     65536u /* templates of one argument */

static int digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int npf_txgen_hex_parse(const char *text, size_t text_len, uint8_t **datap, size_t *lenp)
{
	npf_autofree uint8_t *data = malloc(text_len / 2 + 1);
	size_t len = 0;
	int high = -1;

	if (data == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < text_len; i++) {
		int c = (unsigned char)text[i], d = digit(c);

		if (c == '#') {
			while (i < text_len && text[i] != '\n')
				i++;
		} else if (d >= 0 && high < 0) {
			high = d;
		} else if (d >= 0) {
			data[len++] = (uint8_t)(high << 4 | d);
			high = -1;
		} else if (high >= 0 || !(isspace(c) || c == ':' || c == '-')) {
			return -EINVAL;
		}
	}
	if (high >= 0)
		return -EINVAL;
	*datap = npf_steal_ptr(&data);
	*lenp = len;
	return 0;
}

static int read_text(const char *path, char **textp, struct npf_error *err)
{
	npf_autofree char *text = malloc(HEX_FILE_MAX + 1);
	FILE *f = fopen(path, "r");
	size_t len;

	if (f == NULL || text == NULL) {
		int rc = f != NULL ? -ENOMEM : -errno;

		if (f != NULL)
			fclose(f);
		return npf_error_set(err, rc, "%.150s: %s", path, strerror(-rc));
	}
	len = fread(text, 1, HEX_FILE_MAX, f);
	fclose(f);
	text[len] = '\0';
	*textp = npf_steal_ptr(&text);
	return 0;
}

/* Is there anything on this line but white space? A line of comment alone ends no packet. */
static bool is_blank(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isspace((unsigned char)s[i]))
			return false;
	}
	return true;
}

/* The next packet of a hex text: up to an empty line. Returns its length, 0 at the end. */
static size_t next_packet(const char **sp)
{
	const char *s = *sp, *begin;

	while (*s != '\0' && is_blank(s, strcspn(s, "\n"))) {
		s += strcspn(s, "\n");
		s += *s == '\n';
	}
	begin = s;
	while (*s != '\0' && !is_blank(s, strcspn(s, "\n"))) {
		s += strcspn(s, "\n");
		s += *s == '\n';
	}
	*sp = begin;
	return (size_t)(s - begin);
}

struct sink {
	unsigned long first, last; /* packets wanted, from 1 */
	struct npf_txgen_tmpl **ts;
	unsigned int n;
};

static int keep(struct sink *k, const void *data, size_t len, struct npf_error *err)
{
	void *more;
	int rc;

	if (k->n == LOAD_MAX)
		return npf_error_set(err, -ERANGE,
			"more than %u packets: replay such a file with --pcap instead", LOAD_MAX);
	more = reallocarray(k->ts, k->n + 1, sizeof(struct npf_txgen_tmpl *));
	if (more == NULL)
		return npf_error_set(err, -ENOMEM, "out of memory");
	k->ts = more;
	rc = npf_txgen_tmpl_from_bytes(data, len, &k->ts[k->n], err);
	k->n += rc == 0;
	return rc;
}

int npf_txgen_savefile_load(
	const char *path, size_t limit, struct npf_savefile **sp, struct npf_error *err)
{
	const struct npf_savefile_want want = {
		.limit = limit,
		.min_len = NPF_TXGEN_TMPL_SIZE_MIN,
		.max_len = NPF_TXGEN_TMPL_SIZE_MAX,
	};

	return npf_savefile_load(path, &want, sp, err);
}

static int load_savefile(const char *path, struct sink *k, struct npf_error *err)
{
	struct npf_savefile *s;
	int rc = npf_txgen_savefile_load(path, k->last == -1ul ? LOAD_MAX + 1ul : k->last, &s, err);

	if (rc < 0)
		return rc;
	for (size_t i = k->first - 1; i < s->n_packets && i < k->last && rc == 0; i++)
		rc = keep(k, s->data + s->packets[i].off, s->packets[i].len, err);
	npf_savefile_free(s);
	return rc;
}

static int load_hex(const char *path, struct sink *k, struct npf_error *err)
{
	npf_autofree char *text = NULL;
	const char *s;
	size_t len;
	unsigned long i = 0;
	int rc = read_text(path, &text, err);

	if (rc < 0)
		return rc;
	for (s = text; rc == 0 && (len = next_packet(&s)) != 0; s += len) {
		npf_autofree uint8_t *data = NULL;
		size_t data_len;

		rc = npf_txgen_hex_parse(s, len, &data, &data_len);
		if (rc < 0)
			npf_error_set(err, rc, "%.150s: packet %lu is not hex digits in pairs",
				path, i + 1);
		else if (data_len > 0 && ++i >= k->first && i <= k->last) /* else only a comment */
			rc = keep(k, data, data_len, err);
	}
	return rc;
}

int npf_txgen_tmpl_load_file(const char *path, unsigned long first, unsigned long last,
	struct npf_txgen_tmpl ***tsp, unsigned int *np, struct npf_error *err)
{
	struct sink k = {.first = first, .last = last};
	int rc = npf_savefile_is(path) ? load_savefile(path, &k, err) : load_hex(path, &k, err);

	if (rc == 0 && k.n == 0)
		rc = npf_error_set(err, -ENODATA, "%.150s has no packet %lu", path, first);
	if (rc < 0) {
		npf_txgen_tmpl_list_free(k.ts, k.n);
		return rc;
	}
	*tsp = k.ts;
	*np = k.n;
	return 0;
}

int npf_txgen_tmpl_read_file(
	const char *path, unsigned long n, uint8_t **datap, size_t *lenp, struct npf_error *err)
{
	struct npf_txgen_tmpl **ts;
	unsigned int n_ts;
	int rc = npf_txgen_tmpl_load_file(path, n, n, &ts, &n_ts, err);

	if (rc < 0)
		return rc;
	*datap = npf_steal_ptr(&ts[0]->base);
	*lenp = ts[0]->base_len;
	npf_txgen_tmpl_list_free(ts, n_ts);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load.c - templates from an argument of the command line.
 *
 * An argument is the text of a template (template.c), a packet in hex digits, or the name of a file
 * of packets (bytes.c). A file's name may end in #3 or #3-7, the numbers of the packets wanted; a
 * file that has such a name as a whole comes first. An '@' in front says that a file is meant.
 */
#include "txgen/packet/template.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct range {
	unsigned long first, last; /* packets of a file, from 1 */
};

/* Split FILE#3-7; false when arg names no file. */
static bool find_file(const char *arg, char *path, size_t path_len, struct range *range)
{
	struct stat st;
	char *hash, *end;

	*range = (struct range){.first = 1, .last = -1ul};
	if ((size_t)snprintf(path, path_len, "%s", arg) >= path_len)
		return false;
	if (stat(path, &st) == 0)
		return !S_ISDIR(st.st_mode);
	hash = strrchr(path, '#');
	if (hash == NULL)
		return false;
	*hash = '\0';
	range->first = range->last = strtoul(hash + 1, &end, 10);
	if (*end == '-')
		range->last = strtoul(end + 1, &end, 10);
	return *end == '\0' && range->first > 0 && range->last >= range->first &&
	       stat(path, &st) == 0;
}

/* The digits of a whole packet, written out where a template or a file name could stand. */
static int parse_text(const char *arg, struct npf_txgen_tmpl **tp, struct npf_error *err)
{
	size_t len = strlen(arg), data_len;
	npf_autofree uint8_t *data = NULL;

	if (len >= 2 * NPF_TXGEN_TMPL_SIZE_MIN && strspn(arg, "0123456789abcdefABCDEF: ") == len &&
		npf_txgen_hex_parse(arg, len, &data, &data_len) == 0)
		return npf_txgen_tmpl_from_bytes(data, data_len, tp, err);
	return npf_txgen_tmpl_parse(arg, tp, err);
}

int npf_txgen_tmpl_load(
	const char *arg, struct npf_txgen_tmpl ***tsp, unsigned int *np, struct npf_error *err)
{
	char path[4096];
	struct range range;
	struct npf_txgen_tmpl **ts;
	int rc;

	if (find_file(arg + (*arg == '@'), path, sizeof(path), &range))
		return npf_txgen_tmpl_load_file(path, range.first, range.last, tsp, np, err);
	ts = calloc(1, sizeof(struct npf_txgen_tmpl *));
	if (ts == NULL)
		return npf_error_set(err, -ENOMEM, "out of memory");
	rc = parse_text(arg, &ts[0], err);
	if (rc < 0) {
		free(ts);
		return rc;
	}
	*tsp = ts;
	*np = 1;
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pattern_intersect.c - do two patterns make a name that is the same?
 *
 * A pattern is a row of places, and its names are what can be read by going along it. Two rows are
 * gone along together, at each step by a character that stands at both places.
 */
#include "writer/disk/pattern_priv.h"

#include <ctype.h>
#include <sys/stat.h>

#define PLACES_MAX (NPF_WRITER_NAME_MAX + 32)
#define DIGIT      '\0'

struct place {
	char c;             /* or DIGIT */
	bool again;         /* any number of times, or none */
	unsigned char skip; /* so many places, this one the first, may be left out */
};

struct row {
	struct place at[PLACES_MAX];
	unsigned int n;
};

static void put_shape(struct row *r, const char *shape)
{
	for (; *shape != '\0' && r->n < PLACES_MAX; shape++)
		r->at[r->n++] = (struct place){.c = *shape == 'd' ? DIGIT : *shape};
}

static void put_more_digits(struct row *r)
{
	if (r->n < PLACES_MAX)
		r->at[r->n++] = (struct place){.c = DIGIT, .again = true};
}

static void put_conversion(struct row *r, char c)
{
	switch (c) {
	case 'F':
		put_shape(r, "dddd-dd-dd");
		break;
	case 'T':
		put_shape(r, "dd:dd:dd");
		break;
	case 's':
	case 'N':
		put_shape(r, c == 's' ? "d" : "dddddd");
		put_more_digits(r);
		break;
	case '%':
		put_shape(r, "%");
		break;
	default:
		put_shape(r, &"dddd"[4 - npf_writer_pattern_conversion_max(c)]);
	}
}

/* What was put since @from may be left out. */
static void make_optional(struct row *r, unsigned int from)
{
	if (from < r->n)
		r->at[from].skip = (unsigned char)(r->n - from);
}

static void lay_out(struct row *r, const char *pattern, bool taken)
{
	const char *s = npf_writer_pattern_base(pattern),
		   *extension = npf_writer_pattern_extension(s);
	unsigned int from;

	r->n = 0;
	for (;; s++) {
		if (s == extension && taken) {
			from = r->n;
			put_shape(r, "-d");
			put_more_digits(r);
			make_optional(r, from);
		}
		if (*s == '\0')
			break;
		if (*s == '%')
			put_conversion(r, *++s);
		else if (r->n < PLACES_MAX)
			r->at[r->n++] = (struct place){.c = *s};
	}
	from = r->n;
	if (taken)
		put_shape(r, ".part");
	make_optional(r, from);
}

static bool have_common(const struct place *a, const struct place *b)
{
	if (a->c == DIGIT)
		return b->c == DIGIT || isdigit((unsigned char)b->c);
	return b->c == DIGIT ? isdigit((unsigned char)a->c) : a->c == b->c;
}

/* Where one can be without reading anything. Return: how many of next[]. */
static unsigned int skips(const struct row *r, unsigned int i, unsigned int next[2])
{
	unsigned int n = 0;

	if (i < r->n && r->at[i].again)
		next[n++] = i + 1;
	if (i < r->n && r->at[i].skip > 0)
		next[n++] = i + r->at[i].skip;
	return n;
}

bool npf_writer_pattern_intersects(const char *a, const char *b, bool taken)
{
	static const size_t width = PLACES_MAX + 1;
	npf_autofree struct row *rows = malloc(2 * sizeof(*rows));
	npf_autofree bool *reached = calloc(width * width, sizeof(*reached));
	unsigned int next[2];

	if (rows == NULL || reached == NULL)
		return true; /* can't say: nobody's files are worth the risk */
	lay_out(&rows[0], a, taken);
	lay_out(&rows[1], b, taken);
	reached[0] = true;
	/* Every step leads forward, so each pair of places is final when it is come to. */
	for (unsigned int i = 0; i <= rows[0].n; i++)
		for (unsigned int j = 0; j <= rows[1].n; j++) {
			if (!reached[i * width + j])
				continue;
			for (unsigned int k = skips(&rows[0], i, next); k-- > 0;)
				reached[next[k] * width + j] = true;
			for (unsigned int k = skips(&rows[1], j, next); k-- > 0;)
				reached[i * width + next[k]] = true;
			if (i < rows[0].n && j < rows[1].n &&
				have_common(&rows[0].at[i], &rows[1].at[j]))
				reached[(i + !rows[0].at[i].again) * width + j +
					!rows[1].at[j].again] = true;
		}
	return reached[rows[0].n * width + rows[1].n];
}

bool npf_writer_pattern_shares_dir(const char *a, const char *b)
{
	const char *patterns[] = {a, b};
	struct stat st[2];

	for (unsigned int i = 0; i < 2; i++) {
		char dir[PATH_MAX];

		if (npf_writer_pattern_dir(patterns[i], dir, sizeof(dir)) < 0 ||
			stat(dir, &st[i]) < 0)
			return false;
	}
	return st[0].st_dev == st[1].st_dev && st[0].st_ino == st[1].st_ino;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pattern_intersect.c - do two patterns have a file name in common?
 *
 * A pattern is laid out as a nondeterministic automaton without branches: a sequence of elements,
 * each of which reads one character, may repeat, or may be skipped. Two patterns intersect if a
 * path through the product of both automata leads from the start to the end: a state of the product
 * is a pair of elements, and a step reads a character that both of them accept.
 */
#include "writer/disk/pattern_priv.h"

#include <ctype.h>
#include <sys/stat.h>

#define ELEMENTS_MAX (NPF_WRITER_NAME_MAX + 32)
#define DIGIT        '\0'

struct element {
	char c;             /* the character that it accepts; DIGIT: any digit */
	bool repeats;       /* any number of times, or none */
	unsigned char skip; /* this many elements, from this one on, are optional */
};

struct automaton {
	struct element elements[ELEMENTS_MAX];
	unsigned int n;
};

/* 'd' in the shape stands for a digit. */
static void add_shape(struct automaton *a, const char *shape)
{
	for (; *shape != '\0' && a->n < ELEMENTS_MAX; shape++)
		a->elements[a->n++] = (struct element){.c = *shape == 'd' ? DIGIT : *shape};
}

static void add_digits(struct automaton *a)
{
	if (a->n < ELEMENTS_MAX)
		a->elements[a->n++] = (struct element){.c = DIGIT, .repeats = true};
}

static void add_conversion(struct automaton *a, char c)
{
	switch (c) {
	case 'F':
		add_shape(a, "dddd-dd-dd");
		break;
	case 'T':
		add_shape(a, "dd:dd:dd");
		break;
	case 's':
	case 'N':
		add_shape(a, c == 's' ? "d" : "dddddd");
		add_digits(a);
		break;
	case '%':
		add_shape(a, "%");
		break;
	default:
		add_shape(a, &"dddd"[4 - npf_writer_pattern_conversion_max(c)]);
	}
}

/* The elements from @from to the last one are optional. */
static void make_optional(struct automaton *a, unsigned int from)
{
	if (from < a->n)
		a->elements[from].skip = (unsigned char)(a->n - from);
}

static void build(struct automaton *a, const char *pattern, bool taken)
{
	const char *s = npf_writer_pattern_base(pattern);
	const char *extension = npf_writer_pattern_extension(s);
	unsigned int from;

	a->n = 0;
	for (;; s++) {
		if (s == extension && taken) {
			from = a->n;
			add_shape(a, "-d");
			add_digits(a);
			make_optional(a, from);
		}
		if (*s == '\0')
			break;
		if (*s == '%')
			add_conversion(a, *++s);
		else if (a->n < ELEMENTS_MAX)
			a->elements[a->n++] = (struct element){.c = *s};
	}
	from = a->n;
	if (taken)
		add_shape(a, ".part");
	make_optional(a, from);
}

/* Is there a character that both accept? */
static bool have_common(const struct element *a, const struct element *b)
{
	if (a->c == DIGIT)
		return b->c == DIGIT || isdigit((unsigned char)b->c);
	return b->c == DIGIT ? isdigit((unsigned char)a->c) : a->c == b->c;
}

/* The elements that follow element i without a character being read. Return: their number. */
static unsigned int empty_steps(const struct automaton *a, unsigned int i, unsigned int next[2])
{
	unsigned int n = 0;

	if (i < a->n && a->elements[i].repeats)
		next[n++] = i + 1;
	if (i < a->n && a->elements[i].skip > 0)
		next[n++] = i + a->elements[i].skip;
	return n;
}

/* Marks the states of the product that follow (i, j). */
static void step(const struct automaton *a, unsigned int i, const struct automaton *b,
	unsigned int j, bool (*reached)[ELEMENTS_MAX + 1])
{
	unsigned int next[2];

	for (unsigned int k = empty_steps(a, i, next); k-- > 0;)
		reached[next[k]][j] = true;
	for (unsigned int k = empty_steps(b, j, next); k-- > 0;)
		reached[i][next[k]] = true;
	if (i < a->n && j < b->n && have_common(&a->elements[i], &b->elements[j]))
		reached[i + !a->elements[i].repeats][j + !b->elements[j].repeats] = true;
}

bool npf_writer_pattern_intersects(const char *a, const char *b, bool taken)
{
	npf_autofree struct automaton *automata = malloc(2 * sizeof(*automata));
	npf_autofree void *memory = calloc(ELEMENTS_MAX + 1, ELEMENTS_MAX + 1);
	bool(*reached)[ELEMENTS_MAX + 1] = memory;

	if (automata == NULL || memory == NULL)
		return true; /* unknown, and a wrong "no" could cost somebody's files */
	build(&automata[0], a, taken);
	build(&automata[1], b, taken);
	reached[0][0] = true;
	/* No step leads backwards, so a state is final when the loop comes to it. */
	for (unsigned int i = 0; i <= automata[0].n; i++)
		for (unsigned int j = 0; j <= automata[1].n; j++)
			if (reached[i][j])
				step(&automata[0], i, &automata[1], j, reached);
	return reached[automata[0].n][automata[1].n];
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

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.c - the table of `npfctl monitor`, for people.
 *
 * On a terminal one table is painted in place, interval after interval: columns are left out until
 * a good piece of the filters can be read, and rows that it has no room for are counted. Anywhere
 * else a row is printed for each filter and interval, whole.
 */
#include "npfctl/npfctl.h"
#include "common/screen.h"

#include "base/clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

static const char *const size_names[NPF_WIRE_N_SIZES] = {
	"64", "127", "255", "511", "1023", "1518", "9018", "more"};

/* Rates as people read them: 12.3 M. */
static void rate(double v, char text[32])
{
	static const char units[] = " kMGT";
	unsigned int u = 0;

	while (v >= 10000 && u + 2 < sizeof(units)) {
		v /= 1000;
		u++;
	}
	snprintf(text, 32, u == 0 ? "%.0f" : "%.1f %c", v, units[u]);
}

enum column {
	END,
	PACKETS,
	PACKETS_S,
	BITS_S,
	PEAK,
	ALL_PACKETS,
	ALL_BYTES,
	N_COLUMNS
};

static const struct {
	const char *title;
	int width; /* below 0: to the left */
} columns[N_COLUMNS] = {
	[END] = {"END", -12},
	[PACKETS] = {"PACKETS", 12},
	[PACKETS_S] = {"PACKETS/s", 10},
	[BITS_S] = {"BITS/s", 12},
	[PEAK] = {"PEAK PKTS/s", 12},
	[ALL_PACKETS] = {"ALL PACKETS", 14},
	[ALL_BYTES] = {"ALL BYTES", 16},
};

#define ALL_COLUMNS (~0u)
#define MAXFILTER   20u /* columns are left out for that much of a filter, no more */

typedef char cells[N_COLUMNS][32];

struct npfctl_table {
	char **filters;
	uint32_t n_filters;
	uint64_t interval_ns;
	struct screen screen;
	bool begun;
	struct npf_wire_tally total[NPF_WIRE_MAXROWS];

	/* The last interval, to be painted again after a resize. */
	struct npf_wire_tally last[NPF_WIRE_MAXROWS];
	uint32_t n_rows;
	uint64_t end_ns;
	double seconds;
};

static const char *name_of(const struct npfctl_table *t, uint32_t row)
{
	return t->n_filters > 0 ? t->filters[row] : "(all)";
}

/* A bit for each column that a terminal of this width has room for. */
static unsigned int fitting_columns(const struct npfctl_table *t)
{
	static const enum column least_wanted[] = {ALL_BYTES, PEAK, ALL_PACKETS, END, PACKETS};
	unsigned int shown = ALL_COLUMNS, width = 1, filter = (unsigned int)strlen("FILTER");

	for (uint32_t r = 0; r < t->n_rows; r++)
		filter = NPF_MAX(filter, (unsigned int)strlen(name_of(t, r)));
	for (unsigned int c = 0; c < N_COLUMNS; c++)
		width += (unsigned int)abs(columns[c].width) + 1;
	width += 1 + NPF_MIN(filter, MAXFILTER);
	for (unsigned int i = 0; i < NPF_ARRAY_LEN(least_wanted); i++)
		if (width > t->screen.columns) {
			shown &= ~(1u << least_wanted[i]);
			width -= (unsigned int)abs(columns[least_wanted[i]].width) + 1;
		}
	return shown;
}

static void print_line(struct npfctl_table *t, unsigned int shown, cells text, const char *name)
{
	char line[1024];
	size_t n = 0;

	for (unsigned int c = 0; c < N_COLUMNS; c++)
		if ((shown & 1u << c) != 0)
			n += (size_t)snprintf(
				line + n, sizeof(line) - n, "%*s ", columns[c].width, text[c]);
	if (!t->screen.live) {
		printf("%s %s\n", line, name);
		return;
	}
	snprintf(line + n, sizeof(line) - n, " %s", name);
	for (char *s = line; *s != '\0'; s++)
		if (iscntrl((unsigned char)*s))
			*s = ' ';
	screen_line(&t->screen, line);
}

static void print_header(struct npfctl_table *t, unsigned int shown)
{
	cells titles;

	for (unsigned int c = 0; c < N_COLUMNS; c++)
		snprintf(titles[c], sizeof(titles[c]), "%s", columns[c].title);
	print_line(t, shown, titles, "FILTER");
}

static void print_rows(struct npfctl_table *t, unsigned int shown, uint32_t n)
{
	double windows = (double)NPF_NS_PER_S / 100000.0; /* peaks are over 100 us */
	time_t s = (time_t)(t->end_ns / NPF_NS_PER_S);
	unsigned int ms = t->end_ns % NPF_NS_PER_S / NPF_NS_PER_MS;
	struct tm tm;
	cells text;

	localtime_r(&s, &tm);
	snprintf(text[END], sizeof(text[END]), "%02d:%02d:%02d.%03u", tm.tm_hour, tm.tm_min,
		tm.tm_sec, ms);
	for (uint32_t r = 0; r < n; r++) {
		const struct npf_wire_tally *y = &t->last[r];

		snprintf(text[PACKETS], sizeof(text[0]), "%" PRIu64, y->packets);
		rate((double)y->packets / t->seconds, text[PACKETS_S]);
		rate((double)y->bytes * 8 / t->seconds, text[BITS_S]);
		rate((double)y->peak_packets * windows, text[PEAK]);
		snprintf(text[ALL_PACKETS], sizeof(text[0]), "%" PRIu64, t->total[r].packets);
		snprintf(text[ALL_BYTES], sizeof(text[0]), "%" PRIu64, t->total[r].bytes);
		print_line(t, shown, text, name_of(t, r));
	}
}

static void paint_sizes(struct npfctl_table *t)
{
	char line[512];
	size_t n = (size_t)snprintf(line, sizeof(line), "sizes up to:");

	for (unsigned int i = 0; i < NPF_WIRE_N_SIZES; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, " %s %" PRIu64, size_names[i],
			t->last[0].sizes[i]);
	screen_line(&t->screen, line);
}

/* On a terminal with too few rows, as many filters as there is room for. */
static void paint(struct npfctl_table *t)
{
	uint32_t n = t->n_rows;
	unsigned int room, shown;

	screen_begin(&t->screen);
	room = screen_room(&t->screen);
	shown = fitting_columns(t);
	if (room < n + 1)
		n = room > 2 ? room - 2 : 0;
	print_header(t, shown);
	print_rows(t, shown, n);
	if (n < t->n_rows) {
		char line[64];

		snprintf(line, sizeof(line), "(%u more: the terminal is too low)", t->n_rows - n);
		screen_line(&t->screen, line);
	} else {
		paint_sizes(t);
	}
	screen_end(&t->screen);
}

struct npfctl_table *npfctl_table_new(char **filters, uint32_t n_filters, uint64_t interval_ns)
{
	struct npfctl_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->filters = filters;
	t->n_filters = n_filters;
	t->interval_ns = interval_ns;
	screen_init(&t->screen, stdout);
	return t;
}

void npfctl_table_add(struct npfctl_table *t, const struct npf_wire_interval *iv, uint64_t end_ns)
{
	t->n_rows = iv->n_rows;
	t->end_ns = end_ns;
	t->seconds = (double)t->interval_ns * iv->covers / (double)NPF_NS_PER_S;
	memcpy(t->last, iv->rows, iv->n_rows * sizeof(iv->rows[0]));
	for (uint32_t r = 0; r < iv->n_rows; r++) {
		t->total[r].packets += iv->rows[r].packets;
		t->total[r].bytes += iv->rows[r].bytes;
	}
	if (t->screen.live) {
		paint(t);
		return;
	}
	if (!t->begun)
		print_header(t, ALL_COLUMNS);
	t->begun = true;
	print_rows(t, ALL_COLUMNS, t->n_rows);
}

void npfctl_table_refresh(struct npfctl_table *t)
{
	if (screen_is_resized(&t->screen))
		paint(t);
}

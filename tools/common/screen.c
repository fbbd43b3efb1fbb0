/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * screen.c - lines on a terminal that are painted again and again, in place.
 *
 * No line is as wide as the terminal and one row stays free below them, so nothing ever wraps or
 * scrolls while they are painted, and one line is one row. Only a resize breaks that: most
 * terminals fold what became too wide, so the way up is reckoned from the widths of the lines.
 * Where a terminal cuts instead, a row above the lines may be lost.
 */
#include "common/screen.h"

#include "base/base.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void screen_init(struct screen *s, FILE *out)
{
	*s = (struct screen){.out = out, .live = isatty(fileno(out))};
}

/* A terminal that does not know, like a serial line, is taken for the smallest usual one. */
static void read_size(const struct screen *s, unsigned int *rowsp, unsigned int *columnsp)
{
	struct winsize w = {0};
	bool known = ioctl(fileno(s->out), TIOCGWINSZ, &w) == 0 && w.ws_row > 0 && w.ws_col > 0;

	*rowsp = known ? w.ws_row : 24;
	*columnsp = known ? w.ws_col : 80;
}

bool screen_is_resized(const struct screen *s)
{
	unsigned int rows, columns;

	if (!s->live || s->n_lines == 0)
		return false;
	read_size(s, &rows, &columns);
	return rows != s->rows || columns != s->columns;
}

void screen_begin(struct screen *s)
{
	unsigned int up = s->n_lines, rows = s->rows, columns = s->columns;
	bool resized;

	read_size(s, &s->rows, &s->columns);
	resized = s->n_lines > 0 && (rows != s->rows || columns != s->columns);
	for (unsigned int i = 0; resized && i < s->n_lines; i++)
		up += s->widths[i] > 0 ? (s->widths[i] - 1) / s->columns : 0;
	if (resized && s->hidden)
		fputs("\033[H", s->out);
	else if (up > 0)
		fprintf(s->out, "\033[%uA", up);
	if (resized)
		fputs("\r\033[J", s->out);
	/* What a lower terminal pushed out above comes back when it is made higher again. */
	s->hidden = up >= s->rows || (s->hidden && !resized);
	s->n_lines = 0;
}

unsigned int screen_room(const struct screen *s)
{
	return NPF_MIN(s->rows - 1, (unsigned int)NPF_ARRAY_LEN(s->widths));
}

void screen_line(struct screen *s, const char *text)
{
	unsigned int width = (unsigned int)NPF_MIN(strlen(text), (size_t)s->columns - 1);

	if (s->n_lines >= screen_room(s))
		return;
	s->widths[s->n_lines++] = width;
	fprintf(s->out, "\r%.*s\033[K\n", (int)width, text);
}

void screen_end(struct screen *s)
{
	fputs("\033[J", s->out);
	fflush(s->out);
}

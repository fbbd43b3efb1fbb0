/* SPDX-License-Identifier: BSD-3-Clause */
/* screen.h - lines on a terminal that are painted again and again, in place. */
#ifndef NPF_COMMON_SCREEN_H
#define NPF_COMMON_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Lines that are painted again and again in place, at the end of what a terminal shows: begin, each
 * line, end. A line is cut to the terminal's width; lines beyond the room, which is one row less
 * than the terminal has, are left out. After a resize (which whoever waits long should ask for) the
 * next painting takes the new size.
 */
#define SCREEN_LINES 40u /* most that are painted */
struct screen {
	FILE *out;
	bool live; /* it is a terminal; else nothing may be painted */

	/* What is painted, and the terminal's size then. */
	unsigned int rows, columns;
	unsigned int n_lines, widths[SCREEN_LINES];
	bool hidden; /* a part of it, above the first row */
};
void screen_init(struct screen *s, FILE *out);
bool screen_is_resized(const struct screen *s);
void screen_begin(struct screen *s);
unsigned int screen_room(const struct screen *s);
void screen_line(struct screen *s, const char *text);
void screen_end(struct screen *s);

#endif

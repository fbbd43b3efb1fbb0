/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * complete.c - completion at the prompt: the next word of every command whose words so far
 * are those of the line, then the choices of its argument.
 */
#include "txgen/prompt.h"

#include <stdio.h>
#include <string.h>

static void candidate(struct txgen_found *f, const char *word, size_t len, const char *begun)
{
	if (strncmp(word, begun, strlen(begun)) != 0 || strlen(begun) > len ||
		len >= sizeof(f->common))
		return;
	if (f->n == 0) {
		snprintf(f->common, sizeof(f->common), "%.*s", (int)len, word);
	} else if (strncmp(f->common, word, len) != 0 || strlen(f->common) != len) {
		size_t same = 0;

		while (same < len && f->common[same] == word[same])
			same++;
		f->common[same] = '\0';
	} else {
		return; /* the same word of another command */
	}
	f->n++;
}

void txgen_complete(const struct txgen_command *commands, size_t n_commands, const char *line,
	struct txgen_found *f)
{
	const char *begun = line + strlen(line);

	*f = (struct txgen_found){.n = 0};
	while (begun > line && begun[-1] != ' ')
		begun--;
	for (size_t i = 0; i < n_commands; i++) {
		const char *w = commands[i].words, *l = line;

		for (;;) {
			size_t len = strcspn(w, " ");

			l += strspn(l, " ");
			if (l >= begun) {
				candidate(f, w, len, begun);
				break;
			}
			if (strncmp(l, w, len) != 0 || l[len] != ' ')
				break;
			l += len;
			w += len;
			if (*w != '\0') {
				w++;
				continue;
			}
			l += strspn(l, " ");
			for (const char *c = commands[i].choices;
				l >= begun && c != NULL && *c != '\0';) {
				size_t n = strcspn(c, "|");

				candidate(f, c, n, begun);
				c += n + (c[n] == '|');
			}
			break;
		}
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* builder.c - the arrays of a set while it is made: they grow by doubling, freed as a whole. */
#include "jit/set/builder.h"

#include <string.h>

#define FIRST_CAP 64

uint32_t set_grow(struct set_builder *bld, void **arrayp, uint32_t *np, uint32_t *capp, size_t size)
{
	char *array = *arrayp;

	if (*np == *capp) {
		const uint32_t cap = *capp == 0 ? FIRST_CAP : *capp * 2;

		array = realloc(*arrayp, cap * size);
		if (array == NULL) {
			bld->failed = true;
			return 0;
		}
		*arrayp = array;
		*capp = cap;
	}
	memset(array + *np * size, 0, size);
	return (*np)++;
}

void set_builder_init(struct set_builder *bld)
{
	*bld = (struct set_builder){.key = finder_key()};
	for (unsigned int i = 0; i < COL_FIRST; i++)
		SET_GROW(bld, cols);
	for (unsigned int i = 0; i < NODE_FIRST; i++)
		SET_GROW(bld, nodes);
	for (uint32_t i = 0; i < bld->n_nodes; i++)
		bld->nodes[i].is_test = true; /* constants have no operands, either */
	/* Test 0 is none. */
	SET_GROW(bld, tests);
}

void set_builder_fini(struct set_builder *bld)
{
	for (uint32_t i = 0; i < bld->n_lists; i++)
		free(bld->lists[i].k);
	free(bld->cols);
	free(bld->tests);
	free(bld->nodes);
	free(bld->lists);
	finder_fini(&bld->col_finder);
	finder_fini(&bld->test_finder);
	finder_fini(&bld->node_finder);
	*bld = (struct set_builder){.failed = true};
}

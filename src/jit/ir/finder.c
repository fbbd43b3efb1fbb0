/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * finder.c - chains by hash, as many as there are elements.
 */
#include "jit/ir/finder.h"

#include <string.h>
#include <sys/random.h>

#define FIRST_HEADS 256u

uint64_t finder_key(void)
{
	uint64_t key;

	if (getrandom(&key, sizeof(key), GRND_NONBLOCK) != sizeof(key))
		key = (uintptr_t)&key; /* the stack's place is random too, if less so */
	return key;
}

static int grow_heads(struct finder *f)
{
	const uint32_t n = f->heads == NULL ? FIRST_HEADS : 2 * (f->mask + 1);
	uint32_t *heads = calloc(n, sizeof(*heads));

	if (heads == NULL)
		return -ENOMEM;
	for (uint32_t h = 0; f->heads != NULL && h <= f->mask; h++) {
		for (uint32_t i = f->heads[h], next; i != 0; i = next) {
			uint32_t *head = &heads[f->links[i].hash & (n - 1)];

			next = f->links[i].next;
			f->links[i].next = *head;
			*head = i;
		}
	}
	free(f->heads);
	f->heads = heads;
	f->mask = n - 1;
	return 0;
}

static int grow_links(struct finder *f, uint32_t i)
{
	const uint32_t cap = NPF_MAX(2 * f->cap, i + FIRST_HEADS);
	struct finder_link *links = realloc(f->links, cap * sizeof(*links));

	if (links == NULL)
		return -ENOMEM;
	f->links = links;
	f->cap = cap;
	return 0;
}

int finder_add(struct finder *f, uint32_t i, uint32_t hash)
{
	uint32_t *head;

	if ((f->heads == NULL || f->n > f->mask) && grow_heads(f) < 0)
		return -ENOMEM;
	if (i >= f->cap && grow_links(f, i) < 0)
		return -ENOMEM;
	head = &f->heads[hash & f->mask];
	f->links[i] = (struct finder_link){.hash = hash, .next = *head};
	*head = i;
	f->n++;
	return 0;
}

void finder_fini(struct finder *f)
{
	free(f->heads);
	free(f->links);
	*f = (struct finder){0};
}

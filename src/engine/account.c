/* SPDX-License-Identifier: BSD-3-Clause */
/* account.c - a list with a row for each user that is here, or was and still owes. */
#include "engine/account.h"

#include "base/clock.h"

static bool is_over(const struct npf_account *a)
{
	return a->n_users == 0 && atomic_load_explicit(&a->wakes.used_until_ns,
					  memory_order_relaxed) <= npf_clock_monotonic();
}

struct npf_account *npf_account_get(struct npf_account **list, uid_t uid)
{
	struct npf_account **at = list, *a;

	while (*at != NULL && (*at)->uid != uid) {
		a = *at;
		if (!is_over(a)) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		free(a);
	}
	a = *at;
	if (a == NULL) {
		a = *at = calloc(1, sizeof(*a));
		if (a == NULL)
			return NULL;
		a->uid = uid;
	}
	a->n_users++;
	return a;
}

void npf_account_put(struct npf_account *a)
{
	if (a != NULL)
		a->n_users--;
}

void npf_accounts_free(struct npf_account **list)
{
	while (*list != NULL) {
		struct npf_account *a = *list;

		*list = a->next;
		free(a);
	}
}

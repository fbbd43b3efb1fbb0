/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hugepages.h - whether there are hugepages for the EAL, and what to do when they are gone.
 *
 * Hugepages that were free a moment ago may be taken by another process before the EAL has them: it
 * allocates them one by one. It can't be initialised twice in one process, so the program then
 * begins anew and does without hugepages.
 */
#ifndef NPF_EAL_HUGEPAGES_H
#define NPF_EAL_HUGEPAGES_H

#include "base/base.h"

/* Memory in hugepages of any size that is free and not reserved by a mapping, MiB. */
unsigned long npf_eal_free_hugepages(void);

/*
 * npf_eal_begin_anew - execute this program again, with the same process id; in the new one
 * npf_eal_is_second_try() is true.
 * @argv: the program's own, NULL at its end
 * Returns only when that failed.
 */
void npf_eal_begin_anew(char **argv);

/* Has this program failed to get hugepages before? */
bool npf_eal_is_second_try(void);

#endif

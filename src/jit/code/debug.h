/* SPDX-License-Identifier: BSD-3-Clause */
/* debug.h - names of generated code for perf and GDB, by NPF_JIT_DEBUG. */
#ifndef NPF_JIT_CODE_DEBUG_H
#define NPF_JIT_CODE_DEBUG_H

#include "jit/code/code.h"

struct debug_entry; /* one filter, as GDB knows it */

/* Return: NULL: there is nothing to withdraw. Failures are ignored: names are not essential. */
struct debug_entry *debug_announce(const struct code *code, size_t n_code);
void debug_withdraw(struct debug_entry *e);

#endif

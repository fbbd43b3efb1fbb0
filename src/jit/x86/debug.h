/* SPDX-License-Identifier: BSD-3-Clause */
/* debug.h - names of generated code for perf and GDB, where NPF_JIT_DEBUG asks for them. */
#ifndef NPF_JIT_X86_DEBUG_H
#define NPF_JIT_X86_DEBUG_H

#include "jit/x86/code.h"

struct debug_entry; /* what GDB was told about one filter */

/* Return: NULL when there is nothing to take back. Failures go unnoticed: names are a courtesy. */
struct debug_entry *debug_announce(const struct code *code, size_t n_code);
void debug_withdraw(struct debug_entry *e);

#endif

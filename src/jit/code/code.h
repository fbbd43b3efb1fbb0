/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * code.h - memory for generated code: written while it is not executable, and the reverse.
 *
 * The lookup tables are in it too, behind the code. Around it is memory that can't be read, as far
 * as an index of 32 bits reaches from a table. Code that read beside its tables would end the
 * process and disclose nothing. No code does; this guards against an unknown fault.
 */
#ifndef NPF_JIT_CODE_CODE_H
#define NPF_JIT_CODE_CODE_H

#include "base/base.h"

struct code {
	void *at; /* NULL when there is none */
	void *map;
	size_t map_len;
};

/*
 * code_map - a read-only and executable copy of n bytes.
 * Where address space is short (RLIMIT_AS) there is less of the unreadable memory around it.
 * Return: 0; -ENOMEM; -EACCES, -EPERM and the like: the system grants no executable memory.
 */
int code_map(struct code *c, const void *bytes, size_t n);
void code_unmap(struct code *c);

/* ---- Names of code for perf and GDB, by NPF_JIT_DEBUG ---- */

struct debug_entry; /* one filter, as GDB knows it */

/* Return: NULL: there is nothing to withdraw. Failures are ignored: names are not essential. */
struct debug_entry *debug_announce(const struct code *code, size_t n_code);
void debug_withdraw(struct debug_entry *e);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * code.h - memory for generated code: written while it is not executable, and the reverse.
 *
 * The lookup tables lie in it too, behind the code. All around is memory that can't be read, as far
 * as an index of 32 bits reaches from a table: code that looked beside its tables would end the
 * process and not give away what lies there. No code does; this is for the one that nobody thought
 * of.
 */
#ifndef NPF_JIT_X86_CODE_H
#define NPF_JIT_X86_CODE_H

#include "base/base.h"

struct code {
	void *at; /* NULL when there is none */
	void *map;
	size_t map_len;
};

/*
 * code_map - a read-only and executable copy of n bytes.
 * Where address space is short (RLIMIT_AS) there is less of the unreadable memory around it.
 * Return: 0; -ENOMEM; or what the system says when it grants no executable memory (-EACCES,
 * -EPERM).
 */
int code_map(struct code *c, const void *bytes, size_t n);
void code_unmap(struct code *c);

#endif

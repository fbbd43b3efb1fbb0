/* SPDX-License-Identifier: BSD-3-Clause */
/* code.h - memory for generated code: written while it is not executable, and the reverse. */
#ifndef NPF_JIT_CODE_H
#define NPF_JIT_CODE_H

#include "base/base.h"

struct code {
	void *at; /* NULL when there is none */
	size_t len;
};

/* Return: 0; -ENOMEM; or what the system says when it grants no executable memory (-EACCES,
 * -EPERM). */
int code_map(struct code *c, const void *bytes, size_t n);
void code_unmap(struct code *c);

#endif

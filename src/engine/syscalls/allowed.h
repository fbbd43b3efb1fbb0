/* SPDX-License-Identifier: BSD-3-Clause */
/* allowed.h - the lists of npf_syscalls_confine(), private to the room. */
#ifndef NPF_ENGINE_SYSCALLS_ALLOWED_H
#define NPF_ENGINE_SYSCALLS_ALLOWED_H

/* gcc has a macro for each of its sanitizers, clang an answer. */
#if defined(__has_feature)
#	if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#		define NPF_SYSCALLS_SANITIZED 1
#	endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define NPF_SYSCALLS_SANITIZED 1
#endif

/*
 * npf_syscalls_prepare - make the programs that threads load.
 * Context: there is no thread yet that calls npf_syscalls_confine().
 * Return: 0 or -errno.
 */
int npf_syscalls_prepare(void);

#endif

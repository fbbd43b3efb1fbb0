/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pattern.h - names of dump files: a pattern of strftime's numeric conversions and %N, the number
 * of the file, all in the last part of the path.
 *
 *   %Y %y %m %d %H %M %S %j %s %F %T    as strftime, local time of the file's first packet
 *   %N                                  number of the file in this dump, six digits at least
 *   %%                                  a percent sign
 *
 * Only what is made of digits is allowed, so that a dump can tell its own files in a directory
 * from all others.
 */
#ifndef NPF_WRITER_DISK_PATTERN_H
#define NPF_WRITER_DISK_PATTERN_H

#include "base/base.h"

#include <limits.h>

/* Of a file, expanded: ".part" and "-4294967295" must fit. */
#define NPF_WRITER_NAME_MAX (NAME_MAX - 16)

/*
 * npf_writer_pattern_check - is this pattern good? Then none of the names that it makes is too
 * long, however many files there are. Return: 0, or -EINVAL with a text in err.
 */
int npf_writer_pattern_check(const char *pattern, char *err, size_t err_len);

/*
 * npf_writer_pattern_check_target - could a file of this checked pattern get its name?
 *
 * A pattern without conversions names one file. A regular file of that name is nobody's harm: the
 * dump's gets another ("-1"). What is anything else (a device, a FIFO, a directory, a link) is not
 * what its user meant.
 * Return: 0, or -EEXIST with a text in err.
 */
int npf_writer_pattern_check_target(const char *pattern, char *err, size_t err_len);

/* Does each file get a name of its own by the pattern alone, or nearly so? */
bool npf_writer_pattern_varies(const char *pattern);

/*
 * npf_writer_pattern_expand - expand a checked pattern.
 * @try: 0, or n: "-n" is put before the file's extension, since the name was taken
 * Return: 0, or -ENAMETOOLONG.
 */
int npf_writer_pattern_expand(const char *pattern, uint64_t ts_ns, uint64_t number,
	unsigned int try, char *path, size_t size);

/*
 * npf_writer_pattern_matches - could this file name (without directory) have come from the pattern?
 * @numberp: what stands for %N; untouched when the pattern has none
 */
bool npf_writer_pattern_matches(const char *pattern, const char *name, uint64_t *numberp);

/*
 * npf_writer_pattern_intersects - is there a file name (without directory) that both patterns make?
 * @taken: also as names that were taken ("-1") and of files that are being written (".part"): one
 *   would take a file of the other for its own
 */
bool npf_writer_pattern_intersects(const char *a, const char *b, bool taken);

/* Do both patterns name files in the same directory, however that is written? */
bool npf_writer_pattern_shares_dir(const char *a, const char *b);

/* The part of a path before the last slash: "." if there is none. */
int npf_writer_pattern_dir(const char *pattern, char *dir, size_t size);

#endif

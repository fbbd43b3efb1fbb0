/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pattern.h - names of dump files. A pattern has numeric conversions of strftime and %N, the number
 * of the file; all of them are in the last part of the path.
 *
 *   %Y %y %m %d %H %M %S %j %s %F %T    as strftime, local time of the file's first packet
 *   %N                                  number of the file in this dump, six digits at least
 *   %%                                  a percent sign
 *
 * Every conversion expands to digits, so that a dump can tell its own files in a directory from all
 * others.
 */
#ifndef NPF_WRITER_DISK_PATTERN_H
#define NPF_WRITER_DISK_PATTERN_H

#include "base/error.h"

#include <limits.h>

/* Of an expanded file name: leaves room for ".part" and "-4294967295". */
#define NPF_WRITER_NAME_MAX (NAME_MAX - 16)

/*
 * npf_writer_pattern_check - is the pattern valid? A valid one makes no name that is too long,
 * whatever the number of files.
 * Return: 0, or -EINVAL with a text in err.
 */
int npf_writer_pattern_check(const char *pattern, struct npf_error *err);

/*
 * npf_writer_pattern_check_target - is the place of this valid pattern's file free?
 *
 * A pattern without conversions names one file. A regular file of that name may be there: the
 * dump's file gets another name ("-1"). Anything else (a device, a FIFO, a directory, a link) is
 * refused.
 * Return: 0, or -EEXIST with a text in err.
 */
int npf_writer_pattern_check_target(const char *pattern, struct npf_error *err);

/* Has the pattern a conversion, so that files get names of their own? */
bool npf_writer_pattern_varies(const char *pattern);

/*
 * npf_writer_pattern_expand - make a file name of a valid pattern.
 * @try: 0; n: put "-n" before the file's extension, since the name is taken
 * Return: 0, or -ENAMETOOLONG.
 */
int npf_writer_pattern_expand(const char *pattern, uint64_t ts_ns, uint64_t number,
	unsigned int try, char *path, size_t size);

/*
 * npf_writer_pattern_matches - could the pattern have made this file name (without directory)?
 * @numberp: gets the value of %N; untouched when the pattern has none
 */
bool npf_writer_pattern_matches(const char *pattern, const char *name, uint64_t *numberp);

/*
 * npf_writer_pattern_intersects - is there a file name (without directory) that both patterns make?
 * @taken: also consider names of files whose first name was taken ("-1") and of files that are
 * being written (".part"): each dump would take such a file of the other for its own
 */
bool npf_writer_pattern_intersects(const char *a, const char *b, bool taken);

/* Do both patterns name files in the same directory, however that is written? */
bool npf_writer_pattern_shares_dir(const char *a, const char *b);

/* The part of a path before the last slash: "." if there is none. */
int npf_writer_pattern_dir(const char *pattern, char *dir, size_t size);

#endif
